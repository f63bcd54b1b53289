#pragma once

// The update of every member by the gain of the ensemble's own covariance, for filters that give each member an
// innovation of its own.

#include "filters/ensemble.cuh"
#include "spd_solve.cuh"

namespace vida::kernels {

/// The linear system is solved among the observations, or among the members when these are fewer.
template <class Real>
struct SampleGainWork {
  bool by_observations;
  int ldm;               // of the matrix
  Real* matrix;          // Y Y' + N1 I [prows, lp] or Y'Y + N1 I [mrows, ld], one member a column of Y
  Real* innovations;     // of the members [prows, ld]
  Real *transposed, *C;  // Y' [mrows, lp] and A Y' [rows, lp]; or the weights [mrows, ld] and nothing
  Real *mean, *along;    // [lp or ld]
  SpdSolveWork<Real> solve;

  VIDA_BOTH SampleGainWork(Pieces<Real>& pieces, const FilterShape& s)
      : by_observations(s.p <= s.members),
        ldm(by_observations ? s.lp : s.ld),
        matrix(pieces.take(static_cast<long>(by_observations ? s.prows : s.mrows) * ldm + ldm)),
        innovations(pieces.take(s.observed_elements() + s.ld)),
        transposed(pieces.take(static_cast<long>(s.mrows) * ldm + ldm)),
        C(pieces.take(by_observations ? static_cast<long>(s.rows) * s.lp : 0)),
        mean(pieces.take(ldm)),
        along(pieces.take(ldm)),
        solve(pieces, by_observations ? s.p : s.members, ldm, s.ld) {}
};

/// The update where every component is observed by itself, y = E / r + noise: with X = (Y Y' + N1 I)^-1 D for
/// innovations D, A Y' X is r (D - N1 X). D and X are given as means over the members and what remains [count, ld].
template <class Team, class Real>
VIDA_FN void move_observed(Team team, const Analysis<Real>& a, const Real* D, const Real* mean_X, const Real* X) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const FilterShape& s = a.shape;
  const Real N1 = Real(s.members - 1);
  for_pairs(team, s.n, (s.members + W - 1) / W, [&](int row, int pack) {
    const int observation = a.cycle.observed[row], component = a.cycle.component[observation];
    const Real r = Real(1) / a.cycle.whitening[observation];
    const long at = static_cast<long>(row) * s.ld + pack * W;
    Real* target = a.A + static_cast<long>(component) * s.ld + pack * W;
    store(target, load<Pack>(target) + r * (load<Pack>(D + at) - N1 * load<Pack>(X + at)));
    if (pack == 0) a.mean[component] += r * (a.residual[row] - N1 * mean_X[row]);
  });
}

/// mean and A <- E + K D for the innovations residual + D of the members, D centred and in work.innovations [count,
/// ld], and the gain K = A Y' (Y Y' + N1 I)^-1.
template <class Team, class Real>
VIDA_FN void sample_gain_update(Team team, const Analysis<Real>& a, const SampleGainWork<Real>& work) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const FilterShape& s = a.shape;
  const int N = s.members, count = a.cycle.count, ld = s.ld, ldm = work.ldm;
  const int order = work.by_observations ? count : N;
  const bool direct = work.by_observations && a.data.whole_state && count == s.n;
  for_pairs(team, count, (N + W - 1) / W, [&](int row, int pack) {
    const long at = static_cast<long>(row) * ld + pack * W;
    const Pack value = load<Pack>(work.innovations + at);
    if (direct) store(a.spare + at, value);
    store(work.innovations + at, value + a.residual[row]);
  });
  if (work.by_observations) {
    for_pairs(team, count, N, [&](int row, int k) { work.transposed[k * ldm + row] = a.Y[row * ld + k]; });
    team.sync();
    gemm_tn_upper(team, count, N, work.transposed, ldm, work.transposed, ldm, Assign<Real>{work.matrix, ldm});
    if (!direct) gemm(team, s.n, count, N, a.A, ld, work.transposed, ldm, Assign<Real>{work.C, ldm});
  } else {
    team.sync();
    gemm_tn_upper(team, N, count, a.Y, ld, a.Y, ld, Assign<Real>{work.matrix, ldm});
    gemm_tn(team, N, N, count, a.Y, ld, work.innovations, ld, Assign<Real>{work.transposed, ldm});
    vector_times(team, N, count, a.residual, a.Y, ld, [&](int j, Pack value) { store(work.along + j, value); });
  }
  team.sync();
  for (int i = team.rank(); i < order; i += team.size()) work.matrix[i * ldm + i] += Real(N - 1);
  team.sync();
  Real* solution = work.by_observations ? work.innovations : work.transposed;
  spd_solve(team, order, work.matrix, ldm, N, solution, ld, work.solve);
  team.sync();
  center_rows(team, order, N, solution, ld, work.mean, static_cast<Real*>(nullptr));
  team.sync();
  if (team.rank() == 0)  // with the observations, the mean of the solution is (Y Y' + N1 I)^-1 residual
    *a.chi_square = work.by_observations ? Real(N - 1) * dot(team, count, a.residual, work.mean) / Real(count)
                                         : innovation_chi_square(team, N, count, a.residual, work.along, work.mean);
  if (direct) {
    move_observed(team, a, a.spare, work.mean, solution);
  } else if (work.by_observations) {
    shift_mean(team, s.n, count, work.C, ldm, work.mean, a.mean);
    gemm(team, s.n, N, count, work.C, ldm, solution, ld, AddTo<Real>{a.A, a.A, ld});
  } else {
    shift_mean(team, s.n, N, a.A, ld, work.mean, a.mean);
    for (int k = team.rank(); k < N; k += team.size()) solution[k * ld + k] += Real(1);
    team.sync();
    transform_anomalies(team, s, a.A, solution, a.spare);
  }
}

}  // namespace vida::kernels
