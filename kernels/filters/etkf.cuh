#pragma once

// Ensemble transform Kalman filter with the symmetric transform (Bishop, Etherton and Majumdar 2001; Hunt, Kostelich
// and Szunyogh 2007).

#include "filters/ensemble.cuh"
#include "inverse_root.cuh"

namespace vida::kernels {

/// The update of an ensemble in its own space, shared by all filters of this kind.
template <class Real>
struct TransformWork {
  Real *M, *T, *inverse;  // [mrows, ld]
  Real *along, *weights;  // [members]
  InverseRootWork<Real> root;

  VIDA_BOTH TransformWork(Pieces<Real>& pieces, const FilterShape& s)
      : M(pieces.take(s.square_elements())),
        T(pieces.take(s.square_elements())),
        inverse(pieces.take(s.square_elements())),
        along(pieces.take(s.ld)),
        weights(pieces.take(s.ld)),
        root(pieces, s.members, s.ld) {}
};

/// From whitened anomalies Y [count, ld] and residual: T = (I + Y'Y / N1)^-1/2, weights = (Y'Y + N1 I)^-1 Y' residual,
/// here with members as columns of Y. work.along = Y' residual.
template <class Team, class Real>
VIDA_CALL void ensemble_transform(Team team, int members, int ld, int count, const Real* Y, const Real* residual,
                                  const TransformWork<Real>& work) {
  using Pack = typename Team::template Pack<Real>;
  const Real scale = Real(1) / Real(members - 1);
  gemm_tn(team, members, members, count, Y, ld, Y, ld,
          [&](int i, int j, Pack value) { store(work.M + i * ld + j, scale * value); });
  vector_times(team, members, count, residual, Y, ld, [&](int j, Pack value) { store(work.along + j, value); });
  team.sync();
  for (int i = team.rank(); i < members; i += team.size()) work.M[i * ld + i] += Real(1);
  team.sync();
  inverse_root(team, members, ld, work.M, work.T, work.inverse, work.root);
  vector_times(team, members, members, work.along, work.inverse, ld,
               [&](int j, Pack value) { store(work.weights + j, scale * value); });
}

template <class RealType>
struct Etkf {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"etkf", "ensemble transform Kalman filter, symmetric transform"};
  using Work = TransformWork<Real>;

  template <class Team>
  VIDA_FN static void analyse(Team team, const Analysis<Real>& a, const Work& work) {
    const FilterShape& s = a.shape;
    ensemble_transform(team, s.members, s.ld, a.cycle.count, a.Y, a.residual, work);
    team.sync();
    shift_mean(team, s.n, s.members, a.A, s.ld, work.weights, a.mean);
    if (team.rank() == 0)
      *a.chi_square = innovation_chi_square(team, s.members, a.cycle.count, a.residual, work.along, work.weights);
    transform_anomalies(team, s, a.A, work.T, a.spare);
  }
};

}  // namespace vida::kernels
