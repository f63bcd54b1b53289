#pragma once

// Ensemble Kalman filter with perturbed observations (Burgers, van Leeuwen and Evensen 1998), whose perturbations are
// centred and rescaled, so that they change no mean.

#include "filters/sample_gain.cuh"

namespace vida::kernels {

template <class RealType>
struct StochasticEnkf {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"enkf", "stochastic ensemble Kalman filter, perturbed observations"};
  struct Work {
    SampleGainWork<Real> gain;
    Real* perturbations;  // of every observation, present or not [prows, ld]
    VIDA_BOTH Work(Pieces<Real>& pieces, const FilterShape& s)
        : gain(pieces, s), perturbations(pieces.take(s.observed_elements())) {}
  };

  template <class Team>
  VIDA_FN static void analyse(Team team, const Analysis<Real>& a, const Work& work) {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    using std::sqrt;
    const FilterShape& s = a.shape;
    column_normals(team, s.p, s.members, draw_address(a.run, kPerturbationStream, a.number), work.perturbations, s.ld);
    team.sync();
    const Real rescale = sqrt(Real(s.members) / Real(s.members - 1));
    for (int row = team.rank(); row < a.cycle.count; row += team.size()) {
      const Real* drawn = work.perturbations + static_cast<long>(a.cycle.observed[row]) * s.ld;
      const Real center = sum(team, s.members, drawn) / Real(s.members);
      const Real* Y = a.Y + static_cast<long>(row) * s.ld;
      Real* to = work.gain.innovations + static_cast<long>(row) * s.ld;
      for (int c = 0; c < s.members; c += W)
        store(to + c, rescale * (center - load<Pack>(drawn + c)) - load<Pack>(Y + c));
    }
    team.sync();
    sample_gain_update(team, a, work.gain);
  }
};

}  // namespace vida::kernels
