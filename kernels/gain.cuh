#pragma once

// Shared by the kernels of the fixed-gain filter: the problem in device memory, the matrices that depend on the gain
// and on which observations are present, and the forecast of one cycle.

#include "band.cuh"
#include "lorenz96_adjoint.cuh"
#include "spd.cuh"

namespace vida::kernels {

/// Extents of one batch. Vectors over the state have ld elements, over the observations lp; matrices n x n are
/// [rows, ld], n x p [rows, lp], p x n [prows, ld], p x p [prows, lp].
struct GainShape {
  int n, p;
  int ld, lp;       // Executor::leading_dimension of n and p
  int rows, prows;  // padded to a multiple of four
  int steps;        // Runge-Kutta steps per cycle
  int incomplete;   // whether some y is missing
  int halo;         // of ring arrays, and columns beside J C
  int compact;      // scratch is scarce: work areas of the adjoint share memory, and J C is formed twice

  VIDA_BOTH long nn() const { return static_cast<long>(rows) * ld; }
  VIDA_BOTH long np() const { return static_cast<long>(rows) * lp; }
  VIDA_BOTH long pn() const { return static_cast<long>(prows) * ld; }
  VIDA_BOTH long pp() const { return static_cast<long>(prows) * lp; }
};

/// The data sets of a batch, each array with the data set as its first axis.
template <class Real>
struct GainData {
  const Real* dt;       // [data]
  const Real* forcing;  // [data]
  const Real* H;        // [data, prows, ld]
  const Real* R;        // [data, prows, lp]
  const Real* Q;        // [data, rows, ld]
  const Real* m0;       // [data, ld]
  const Real* C0;       // [data, rows, ld]
  const Real* y;        // [data, cycles, lp], NaN where missing
  const Real* ones;     // [ring_stride], all 1
  long cycles;
};

/// The matrices of one gain. With missing observations M H, K M and the observed block of R take their places.
template <class Real>
struct GainOperators {
  Real* A;        // I - K H             [rows, ld]
  Real* At;       // A'                  [rows, ld]
  Real* KRKt;     // K R K'              [rows, ld]
  Real* HtRiH;    // H' R^-1 H           [rows, ld]
  Real* Kt;       // K'                  [prows, ld]
  Real* Ht;       // H'                  [rows, lp]
  Real* Ri;       // R^-1                [prows, lp]
  Real* RiH;      // R^-1 H              [prows, ld]
  Real* KR;       // K R                 [rows, lp]
  Real* scalars;  // log det R, number of observations

  VIDA_BOTH static long elements(const GainShape& s) { return 4 * s.nn() + 2 * s.pn() + 2 * s.np() + s.pp() + 16; }
  VIDA_FN GainOperators(Real* memory, const GainShape& s) {
    A = memory;
    At = A + s.nn();
    KRKt = At + s.nn();
    HtRiH = KRKt + s.nn();
    Kt = HtRiH + s.nn();
    RiH = Kt + s.pn();
    Ht = RiH + s.pn();
    KR = Ht + s.np();
    Ri = KR + s.np();
    scalars = Ri + s.pp();
  }
};

/// Scratch of build_operators, in elements.
VIDA_BOTH long operators_scratch(const GainShape& s) {
  return s.np() + s.lp + spd_scratch(s.p, s.lp) + padded(s.p, kBlock);
}

/// Fills `out` for the observations whose mask[j] is 1 (0: missing). K: [rows, lp].
template <class Team, class Real>
VIDA_FN void build_operators(Team team, const GainShape& s, const Real* K, const Real* H, const Real* R,
                             const Real* mask, Real* work, const GainOperators<Real>& out) {
  Real* Km = work;  // K M
  Real* spd = Km + s.np() + s.lp;
  Real* pivots = spd + spd_scratch(s.p, s.lp);
  const int n = s.n, p = s.p;
  for (int e = team.rank(); e < n * p; e += team.size()) {
    const int i = e / p, j = e % p;
    const Real k = K[i * s.lp + j] * mask[j];
    Km[i * s.lp + j] = k;
    out.Kt[j * s.ld + i] = k;
    out.Ht[i * s.lp + j] = H[j * s.ld + i] * mask[j];
  }
  for (int e = team.rank(); e < p * p; e += team.size()) {
    const int i = e / p, j = e % p;
    // missing rows and columns become those of the identity: they neither couple nor change the determinant
    out.Ri[i * s.lp + j] = R[i * s.lp + j] * mask[i] * mask[j] + (i == j ? Real(1) - mask[i] : Real(0));
  }
  team.sync();
  using Pack = typename Team::template Pack<Real>;
  gemm(team, n, p, p, Km, s.lp, out.Ri, s.lp, Assign<Real>{out.KR, s.lp});
  gemm(team, n, n, p, Km, s.lp, H, s.ld, [&](int i, int j, Pack value) { store(out.A + i * s.ld + j, -value); });
  spd_inverse(team, p, out.Ri, s.lp, spd, pivots);
  gemm(team, n, n, p, out.KR, s.lp, out.Kt, s.ld, Assign<Real>{out.KRKt, s.ld});
  for (int i = team.rank(); i < n; i += team.size()) out.A[i * s.ld + i] += Real(1);
  team.sync();
  for (int j = team.rank(); j < p; j += team.size()) out.Ri[j * s.lp + j] *= mask[j];
  for (int e = team.rank(); e < n * n; e += team.size()) out.At[e % n * s.ld + e / n] = out.A[e / n * s.ld + e % n];
  if (team.rank() == 0) {
    Real observed = Real(0);
    for (int j = 0; j < p; ++j) observed += mask[j];
    out.scalars[0] = log_determinant(p, pivots);
    out.scalars[1] = observed;
  }
  team.sync();
  gemm(team, p, n, p, out.Ri, s.lp, H, s.ld, Assign<Real>{out.RiH, s.ld});
  team.sync();
  gemm(team, n, n, p, out.Ht, s.lp, out.RiH, s.ld, Assign<Real>{out.HtRiH, s.ld});
}

/// The operators of every gain with all observations present; item = gain.
template <class Real>
struct BuildGainOperators {
  GainShape shape;
  GainData<Real> data;
  const int* data_of;  // [item]
  const Real* gains;   // [item, rows, lp]
  Real* operators;     // [item, GainOperators::elements]

  static std::size_t scratch_bytes(const GainShape& s) {
    return sizeof(Real) * static_cast<std::size_t>(operators_scratch(s) + s.lp);
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    Real* mask = team.template scratch<Real>();
    for (int j = team.rank(); j < shape.p; j += team.size()) mask[j] = Real(1);
    team.sync();
    const long d = data_of[item];
    build_operators(team, shape, gains + item * shape.np(), data.H + d * shape.pn(), data.R + d * shape.pp(), mask,
                    mask + shape.lp,
                    GainOperators<Real>(operators + item * GainOperators<Real>::elements(shape), shape));
  }
};

/// Chooses the operators of a cycle: the complete ones, or for a cycle with missing observations ones built in scratch
/// (kept while the pattern stays the same).
template <class Real>
struct OperatorCache {
  Real* memory;  // mask of what stands in scratch [lp], the new mask [lp], operators, scratch of build_operators

  VIDA_BOTH static long elements(const GainShape& s) {
    return s.incomplete ? 2 * s.lp + GainOperators<Real>::elements(s) + operators_scratch(s) : 0;
  }

  template <class Team>
  VIDA_FN void start(Team team, const GainShape& s) const {
    if (!s.incomplete) return;
    for (int j = team.rank(); j < s.p; j += team.size()) memory[j] = Real(-1);
  }

  template <class Team>
  VIDA_FN GainOperators<Real> at(Team team, const GainShape& s, Real* complete, const Real* K, const Real* H,
                                 const Real* R, const Real* y) const {
    GainOperators<Real> whole(complete, s);
    if (!s.incomplete) return whole;
    Real* mask = memory;
    Real* wanted = memory + s.lp;
    for (int j = team.rank(); j < s.p; j += team.size()) wanted[j] = y[j] == y[j] ? Real(1) : Real(0);
    team.sync();
    bool all = true, same = true;
    for (int j = 0; j < s.p; ++j) {
      all = all && wanted[j] == Real(1);
      same = same && wanted[j] == mask[j];
    }
    if (all) return whole;
    GainOperators<Real> partial(memory + 2 * s.lp, s);
    team.sync();
    if (!same) {
      for (int j = team.rank(); j < s.p; j += team.size()) mask[j] = wanted[j];
      team.sync();
      build_operators(team, s, K, H, R, mask, memory + 2 * s.lp + GainOperators<Real>::elements(s), partial);
    }
    return partial;
  }
};

/// residual[j] = y_j - (H x)_j, 0 where y is missing.
template <class Team, class Real>
VIDA_FN void innovation(Team team, const GainShape& s, const Real* y, const Real* x, const Real* Ht, Real* residual) {
  using Pack = typename Team::template Pack<Real>;
  vector_times(team, s.p, s.n, x, Ht, s.lp, [&](int j, Pack hx) {
    const Pack seen = load<Pack>(y + j);
    store(residual + j, seen == seen ? seen - hx : Pack{});
  });
}

/// Scratch of a forecast: the linearised step but for its products, T = J C with column halo, and, with several steps
/// per cycle, the state and covariance before each but the first.
template <class Real>
struct ForecastWork {
  StepWork<Real> step;
  Real* T;  // element (0, 0) of [rows, t_ld]
  int t_ld;
  Real* states;  // [steps - 1, ld]
  Real* chain;   // [steps - 1, rows, ld]

  VIDA_BOTH static long elements(const GainShape& s) {
    return StepWork<Real>::kept_elements(s.n, s.halo) + t_elements(s) + (s.steps - 1) * (s.ld + s.nn());
  }
  /// Elements where the products of the step and the covariance after it can lie: they are never needed together.
  VIDA_BOTH static long covariance_elements(const GainShape& s) {
    const long products = StepWork<Real>::product_elements(s.n, s.halo);
    return products > s.nn() ? padded(products, 16) : s.nn();
  }
  VIDA_FN ForecastWork(Real* memory, Real* products, const GainShape& s)
      : step(memory, products, s.n, s.halo),
        T(memory + StepWork<Real>::kept_elements(s.n, s.halo) + s.halo),
        t_ld(halo_ld(s.ld, s.halo)),
        states(memory + StepWork<Real>::kept_elements(s.n, s.halo) + t_elements(s)),
        chain(states + (s.steps - 1) * s.ld) {}
  VIDA_FN Real* area(const GainShape& s) const { return T - s.halo; }  // of T, for others when T is not needed

 private:
  VIDA_BOTH static long t_elements(const GainShape& s) {
    const long matrix = static_cast<long>(s.rows) * halo_ld(s.ld, s.halo);
    const long adjoint = s.compact ? AdjointWork<Real>::elements(s.n, s.halo) : 0;
    return matrix > adjoint ? matrix : adjoint;
  }
};

/// The linearisation of the step whose stages stand in work.step, there, and T = J C with its halo in work.T.
template <class Team, class Real>
VIDA_FN void linearise(Team team, const GainShape& s, Real dt, const Real* ones, const Real* C,
                       const ForecastWork<Real>& work) {
  step_jacobian(team, s.n, dt, ones, work.step);
  team.sync();
  band_times(team, s.n, Band<Real>{work.step.jacobian(), work.step.stride}, C, s.ld, work.T, work.t_ld);
  team.sync();
  close_columns<Band<Real>>(team, s.n, work.T, work.t_ld);
}

/// One Runge-Kutta step: next_mean = psi(mean), next_C = J C J' + addend (null: 0).
template <class Team, class Real>
VIDA_FN void forecast_step(Team team, const GainShape& s, Real dt, Real forcing, const Real* ones, const Real* mean,
                           const Real* C, const Real* addend, const ForecastWork<Real>& work, Real* next_mean,
                           Real* next_C) {
  using Pack = typename Team::template Pack<Real>;
  runge_kutta_step(team, s.n, dt, forcing, mean, work.step, next_mean);
  linearise(team, s, dt, ones, C, work);
  team.sync();
  times_band_transposed(team, s.n, work.T, work.t_ld, Band<Real>{work.step.jacobian(), work.step.stride},
                        [&](int i, int j, Pack value) {
                          if (addend) value += load<Pack>(addend + i * s.ld + j);
                          store(next_C + i * s.ld + j, value);
                        });
}

/// The forecast of a whole cycle. After it work.step and work.T belong to the last step; work.states[k], work.chain[k]
/// hold mean and covariance before step k + 1.
template <class Team, class Real>
VIDA_FN void forecast(Team team, const GainShape& s, const GainData<Real>& data, long d, const Real* mean,
                      const Real* C, const ForecastWork<Real>& work, Real* next_mean, Real* next_C) {
  for (int k = 0; k < s.steps; ++k) {
    const bool last = k + 1 == s.steps;
    const Real* from_mean = k == 0 ? mean : work.states + (k - 1) * s.ld;
    const Real* from_C = k == 0 ? C : work.chain + (k - 1) * s.nn();
    forecast_step(team, s, data.dt[d], data.forcing[d], data.ones, from_mean, from_C,
                  last ? data.Q + d * s.nn() : nullptr, work, last ? next_mean : work.states + k * s.ld,
                  last ? next_C : work.chain + k * s.nn());
  }
}

}  // namespace vida::kernels
