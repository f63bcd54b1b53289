#pragma once

// The extended Kalman filter with the exact Jacobian: the analysis minimises the trace of C, K = C^ H' (H C^ H' +
// R)^-1.

#include "gain_forward.cuh"

namespace vida::kernels {

/// S^-1 of the innovation covariance S = H C^ H' + R, over the observations with mask 1 (zero rows and columns
/// elsewhere). HC [prows, ld] and, transposed, CHt [rows, lp] are left filled over the same observations.
template <class Team, class Real>
VIDA_FN void innovation_precision(Team team, const GainShape& s, const Real* C, const Real* H, const Real* R,
                                  const Real* mask, Real* Ht, Real* HC, Real* CHt, Real* S, Real* spd, Real* pivots) {
  using Pack = typename Team::template Pack<Real>;
  for (int e = team.rank(); e < s.n * s.p; e += team.size())
    Ht[e % s.n * s.lp + e / s.n] = H[e / s.n * s.ld + e % s.n] * mask[e / s.n];
  team.sync();
  gemm(team, s.n, s.p, s.n, C, s.ld, Ht, s.lp, Assign<Real>{CHt, s.lp});
  team.sync();
  for (int e = team.rank(); e < s.n * s.p; e += team.size())
    HC[e / s.n * s.ld + e % s.n] = CHt[e % s.n * s.lp + e / s.n];
  gemm(team, s.p, s.p, s.n, H, s.ld, CHt, s.lp, [&](int i, int j, Pack value) { store(S + i * s.lp + j, value); });
  team.sync();
  for (int e = team.rank(); e < s.p * s.p; e += team.size()) {
    const int i = e / s.p, j = e % s.p;
    S[i * s.lp + j] = (S[i * s.lp + j] + R[i * s.lp + j]) * mask[i] * mask[j] + (i == j ? Real(1) - mask[i] : Real(0));
  }
  team.sync();
  spd_inverse(team, s.p, S, s.lp, spd, pivots);
  team.sync();
  for (int j = team.rank(); j < s.p; j += team.size()) S[j * s.lp + j] *= mask[j];
}

/// Scratch of innovation_precision: mask, Ht, HC, CHt, S, work and pivots, in this order.
template <class Real>
struct InnovationWork {
  Real *mask, *Ht, *HC, *CHt, *S, *spd, *pivots;

  VIDA_BOTH static long elements(const GainShape& s) {
    return s.lp + 2 * s.np() + s.pn() + s.pp() + spd_scratch(s.p, s.lp) + padded(s.p, 16);
  }
  VIDA_FN InnovationWork(Real* memory, const GainShape& s)
      : mask(memory),
        Ht(mask + s.lp),
        HC(Ht + s.np()),
        CHt(HC + s.pn()),
        S(CHt + s.np()),
        spd(S + s.pp()),
        pivots(spd + spd_scratch(s.p, s.lp)) {}
};

/// d' S^-1 d over the number of observations, 0 when there is none; by the calling lane. weighted: S^-1 d.
template <class Team, class Real>
VIDA_FN Real chi_square(Team team, const GainShape& s, const Real* mask, const Real* residual, const Real* weighted) {
  const Real observed = total_of(s.p, mask);
  return observed > Real(0) ? dot(team, s.p, residual, weighted) / observed : Real(0);
}

/// item = data set. Keeps analysis means and covariances of every cycle in the trajectory (one stretch).
template <class Real>
struct ExtendedKalmanFilter {
  GainShape shape;
  GainData<Real> data;
  const int* data_of;
  Trajectory<Real> trajectory;
  Real* gain_last;    // [item, rows, lp]
  Real* gain_steady;  // mean of the last `steady` cycles [item, rows, lp], zero at the start
  Real* chi_squares;  // [item, cycles], d' S^-1 d / p, 0 when nothing is observed
  long steady;

  static std::size_t scratch_bytes(const GainShape& s) {
    return sizeof(Real) *
           static_cast<std::size_t>(ForecastWork<Real>::elements(s) + InnovationWork<Real>::elements(s) +
                                    ForecastWork<Real>::covariance_elements(s) + s.ld + 2 * s.lp + s.pn());
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    const GainShape& s = shape;
    const long d = data_of[item];
    Real* memory = team.template scratch<Real>();
    const InnovationWork<Real> in(memory + ForecastWork<Real>::elements(s), s);
    Real* forecast_C = memory + ForecastWork<Real>::elements(s) + InnovationWork<Real>::elements(s);
    const ForecastWork<Real> work(memory, forecast_C, s);
    Real* forecast_mean = forecast_C + ForecastWork<Real>::covariance_elements(s);
    Real* residual = forecast_mean + s.ld;
    Real* weighted = residual + s.lp;
    Real* Kt = weighted + s.lp;  // [prows, ld]
    const Real* H = data.H + d * s.pn();
    Real* K = gain_last + item * s.np();
    Real* K_sum = gain_steady + item * s.np();

    copy(team, 1, s.ld, data.m0 + d * s.ld, trajectory.mean(s, item, 0));
    copy(team, s.rows, s.ld, data.C0 + d * s.nn(), trajectory.covariance(s, item, 0));
    for (long j = 0; j < data.cycles; ++j) {
      const Real* y = data.y + (d * data.cycles + j) * s.lp;
      Real* mean = trajectory.mean(s, item, j + 1);
      Real* C = trajectory.covariance(s, item, j + 1);
      forecast(team, s, data, d, trajectory.mean(s, item, j), trajectory.covariance(s, item, j), work, forecast_mean,
               forecast_C);
      for (int i = team.rank(); i < s.p; i += team.size()) in.mask[i] = y[i] == y[i] ? Real(1) : Real(0);
      team.sync();
      innovation_precision(team, s, forecast_C, H, data.R + d * s.pp(), in.mask, in.Ht, in.HC, in.CHt, in.S, in.spd,
                           in.pivots);
      innovation(team, s, y, forecast_mean, in.Ht, residual);
      team.sync();
      gemm(team, s.n, s.p, s.p, in.CHt, s.lp, in.S, s.lp, Assign<Real>{K, s.lp});
      gemm(team, s.p, s.n, s.p, in.S, s.lp, in.HC, s.ld, Assign<Real>{Kt, s.ld});
      vector_times(team, s.p, s.p, residual, in.S, s.lp, [&](int i, Pack v) { store(weighted + i, v); });
      team.sync();
      vector_times(team, s.n, s.p, weighted, in.HC, s.ld,
                   [&](int i, Pack shift) { store(mean + i, load<Pack>(forecast_mean + i) + shift); });
      gemm(team, s.n, s.n, s.p, in.CHt, s.lp, Kt, s.ld,
           [&](int i, int k, Pack value) { store(C + i * s.ld + k, load<Pack>(forecast_C + i * s.ld + k) - value); });
      if (j >= data.cycles - steady)
        for_packs<Real>(team, s.rows, s.lp, [&](int at) {
          store(K_sum + at, load<Pack>(K_sum + at) + load<Pack>(K + at) * (Real(1) / Real(steady)));
        });
      if (team.rank() == 0) chi_squares[item * data.cycles + j] = chi_square(team, s, in.mask, residual, weighted);
      team.sync();
      // unlike the Joseph form, C^ - K H C^ lets an antisymmetric rounding error grow with the model's instability
      symmetrize(team, s.n, C, s.ld);
    }
  }
};

/// chi_squares of the fixed-gain filter; item = problem * count + cycle - first of the stretch that the trajectory
/// holds.
template <class Real>
struct InnovationStatistics {
  GainShape shape;
  GainData<Real> data;
  const int* data_of;
  Trajectory<Real> trajectory;
  Real* chi_squares;  // [item, cycles]
  long first, count;

  static std::size_t scratch_bytes(const GainShape& s) {
    return sizeof(Real) * static_cast<std::size_t>(ForecastWork<Real>::elements(s) + InnovationWork<Real>::elements(s) +
                                                   ForecastWork<Real>::covariance_elements(s) + s.ld + 2 * s.lp);
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long index) const {
    using Pack = typename Team::template Pack<Real>;
    const GainShape& s = shape;
    const long item = index / count, j = first + index % count, d = data_of[item];
    Real* memory = team.template scratch<Real>();
    const InnovationWork<Real> in(memory + ForecastWork<Real>::elements(s), s);
    Real* forecast_C = memory + ForecastWork<Real>::elements(s) + InnovationWork<Real>::elements(s);
    const ForecastWork<Real> work(memory, forecast_C, s);
    Real* forecast_mean = forecast_C + ForecastWork<Real>::covariance_elements(s);
    Real* residual = forecast_mean + s.ld;
    Real* weighted = residual + s.lp;
    const Real* y = data.y + (d * data.cycles + j) * s.lp;
    forecast(team, s, data, d, trajectory.mean(s, item, j), trajectory.covariance(s, item, j - first), work,
             forecast_mean, forecast_C);
    for (int i = team.rank(); i < s.p; i += team.size()) in.mask[i] = y[i] == y[i] ? Real(1) : Real(0);
    team.sync();
    innovation_precision(team, s, forecast_C, data.H + d * s.pn(), data.R + d * s.pp(), in.mask, in.Ht, in.HC, in.CHt,
                         in.S, in.spd, in.pivots);
    innovation(team, s, y, forecast_mean, in.Ht, residual);
    team.sync();
    vector_times(team, s.p, s.p, residual, in.S, s.lp, [&](int i, Pack v) { store(weighted + i, v); });
    team.sync();
    if (team.rank() == 0) chi_squares[item * data.cycles + j] = chi_square(team, s, in.mask, residual, weighted);
  }
};

/// covariance <- its inverse, with its log-determinant; item = matrix. The reference of KlToReference is kept like
/// this.
template <class Real>
struct InvertCovariances {
  int n, ld, rows;
  Real* covariances;       // [item, rows, ld]
  Real* log_determinants;  // [item]

  static std::size_t scratch_bytes(const GainShape& s) {
    return sizeof(Real) * static_cast<std::size_t>(spd_scratch(s.n, s.ld) + padded(s.n, 16));
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    Real* spd = team.template scratch<Real>();
    Real* pivots = spd + spd_scratch(n, ld);
    spd_inverse(team, n, covariances + item * rows * ld, ld, spd, pivots);
    if (team.rank() == 0) log_determinants[item] = log_determinant(n, pivots);
  }
};

/// kl[item, j] = KL(N(m_j, C_j) || reference analysis j); item = problem * count + cycle - first.
template <class Real>
struct KlToReference {
  GainShape shape;
  const int* data_of;
  Trajectory<Real> trajectory;
  const Real* values;               // GainTerms' values: log det C is the third
  const Real* reference_mean;       // [data, cycles + 1, ld]
  const Real* reference_precision;  // [data, cycles + 1, rows, ld]
  const Real* reference_log_det;    // [data, cycles + 1]
  Real* kl;                         // [item, cycles]
  long cycles, first, count;

  static std::size_t scratch_bytes(const GainShape& s) {
    return sizeof(Real) * static_cast<std::size_t>(2 * s.ld + padded(s.rows, 16));
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long index) const {
    using Pack = typename Team::template Pack<Real>;
    const GainShape& s = shape;
    const long item = index / count, j = first + index % count, d = data_of[item];
    Real* shift = team.template scratch<Real>();
    Real* dual = shift + s.ld;
    Real* row_sums = dual + s.ld;
    const Real* precision = reference_precision + (d * (cycles + 1) + j + 1) * s.nn();
    const Real* mean = trajectory.mean(s, item, j + 1);
    const Real* other = reference_mean + (d * (cycles + 1) + j + 1) * s.ld;
    for (int i = team.rank(); i < s.n; i += team.size()) shift[i] = mean[i] - other[i];
    row_dots(team, s.n, s.n, precision, s.ld, trajectory.covariance(s, item, j - first + 1), s.ld, row_sums);
    team.sync();
    vector_times(team, s.n, s.n, shift, precision, s.ld, [&](int i, Pack v) { store(dual + i, v); });
    team.sync();
    if (team.rank() == 0)
      kl[item * cycles + j] =
          Real(0.5) * (total_of(s.n, row_sums) + dot(team, s.n, shift, dual) - Real(s.n) +
                       reference_log_det[d * (cycles + 1) + j + 1] - values[(item * cycles + j) * 3 + 2]);
  }
};

}  // namespace vida::kernels
