#pragma once

// What the two forms of the finite-size ensemble Kalman filter share (Bocquet 2011; Bocquet, Raanes and Hannart 2015):
// the prior that knows how little a sample covariance is to be trusted, and the update. Both forms look for the factor
// l of the forecast anomalies, one number, with G = Y'Y and g = Y'd in tridiagonal form.

#include "filters/etkf.cuh"
#include "pack_math.cuh"
#include "tridiagonal.cuh"

namespace vida::kernels {

template <class Real>
struct FiniteSizeWork {
  TransformWork<Real> transform;
  Tridiagonal<Real> reduced;
  Real *w, *other, *inverses;  // [members]
  Real* factor;                // l

  VIDA_BOTH FiniteSizeWork(Pieces<Real>& pieces, const FilterShape& s)
      : transform(pieces, s),
        reduced(pieces, s.ld),
        w(pieces.take(s.ld)),
        other(pieces.take(s.ld)),
        inverses(pieces.take(s.ld)),
        factor(pieces.take(1)) {}
};

/// The minimisation of one cycle, for one lane. e and b are the constants of the prior: that of Jeffreys has
/// e = (N + 1) / N and b = N / (N - 1); q moves its mode towards no inflation as far as observations say nothing, and
/// xn makes it as firm as an ensemble of that many times N (Raanes, Bocquet and Carrassi 2019).
template <class Real>
struct FiniteSizeProblem {
  const FiniteSizeWork<Real>& work;
  int members;
  Real others;     // N - 1
  Real tolerance;  // of a step
  Real e, b;

  VIDA_FN FiniteSizeProblem(const FiniteSizeWork<Real>& work_, int members_, Real xn, Real tolerance_)
      : work(work_), members(members_), others(Real(members_ - 1)), tolerance(tolerance_) {
    const Real N = Real(members);
    const Real plain_e = (N + Real(1)) / N, plain_b = N / others;
    const Real kappa = others / N * inverse_trace(members, work.reduced, others);
    const Real q = pack_exp(Real(0.5) * kappa * pack_log(plain_e / plain_b));
    e = xn * plain_e / q, b = xn * plain_b * q;
  }

  /// The minimisation ends with a step below its tolerance or a gradient below a thousandth of it, or after 100 steps.
  VIDA_FN bool goes_on(int step, Real gradient, Real length) const {
    return step < 100 && gradient > Real(1e-3) * tolerance && length > tolerance;
  }

  /// work.w <- (G + z I)^-1 g
  VIDA_FN void solve(Real z) const {
    solve_shifted(members, work.reduced, z, work.reduced.vector, work.w, work.inverses);
  }
};

/// Minimise::squared_factor(team, problem) is l^2. Anomalies times l, then the update of the ETKF: the prior covariance
/// of chi_square is the inflated one.
template <class Minimise, class Team, class Real>
VIDA_FN void finite_size_analysis(Team team, const Analysis<Real>& a, const FiniteSizeWork<Real>& work) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  using std::sqrt;
  const FilterShape& s = a.shape;
  const int N = s.members, count = a.cycle.count, packs = (N + W - 1) / W;
  Real* G = work.transform.M;
  gemm_tn(team, N, N, count, a.Y, s.ld, a.Y, s.ld, Assign<Real>{G, s.ld});
  vector_times(team, N, count, a.residual, a.Y, s.ld,
               [&](int j, Pack value) { store(work.reduced.vector + j, value); });
  team.sync();
  tridiagonalize(team, N, G, s.ld, work.reduced);
  team.sync();
  if (team.rank() == 0)
    *work.factor = sqrt(Minimise::squared_factor(team, FiniteSizeProblem<Real>(work, N, a.run.xn, a.run.tolerance)));
  team.sync();
  const Real factor = *work.factor;
  const auto inflate = [&](int rows, Real* X) {
    for_pairs(team, rows, packs, [&](int i, int pack) {
      Real* at = X + static_cast<long>(i) * s.ld + pack * W;
      store(at, factor * load<Pack>(at));
    });
  };
  inflate(s.n, a.A);
  inflate(count, a.Y);
  team.sync();
  Etkf<Real>::analyse(team, a, work.transform);
}

}  // namespace vida::kernels
