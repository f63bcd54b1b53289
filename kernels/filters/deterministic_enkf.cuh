#pragma once

// Deterministic ensemble Kalman filter: anomalies move by half of the gain (Sakov and Oke 2008, Tellus 60A).

#include "filters/sample_gain.cuh"

namespace vida::kernels {

template <class RealType>
struct DeterministicEnkf {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"denkf",
                                        "deterministic ensemble Kalman filter, half of the gain for anomalies"};
  using Work = SampleGainWork<Real>;

  template <class Team>
  VIDA_FN static void analyse(Team team, const Analysis<Real>& a, const Work& work) {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const FilterShape& s = a.shape;
    for_pairs(team, a.cycle.count, (s.members + W - 1) / W, [&](int row, int pack) {
      const long at = static_cast<long>(row) * s.ld + pack * W;
      store(work.innovations + at, Real(-0.5) * load<Pack>(a.Y + at));
    });
    team.sync();
    sample_gain_update(team, a, work);
  }
};

}  // namespace vida::kernels
