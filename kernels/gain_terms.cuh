#pragma once

// The cost of one cycle and its direct sensitivities, every cycle on its own:
//   kl = KL(N(m, C) || N(m^, C^)),  loglik = E_{u ~ N(m, C)} log N(y; H u, R),  cost = sum kl - loglik
//   P = d cost / d C = 1/2 (C^^-1 - C^-1 + H' R^-1 H),     d cost / d m = d - H' R^-1 (y - H m)
//   S = d cost / d C^ = 1/2 (C^^-1 - C^^-1 C C^^-1 - d d'),  d cost / d m^ = -d,   d = C^^-1 (m - m^)

#include "gain_forward.cuh"
#include "random.cuh"

namespace vida::kernels {

/// Sensitivities of the cycles of a chunk.
template <class Real>
struct TermBuffer {
  Real* memory;  // [item, chunk, 2 rows ld + 2 ld]
  long chunk;

  VIDA_BOTH static long elements(const GainShape& s) { return 2 * s.nn() + 2 * s.ld; }
  VIDA_FN Real* P(const GainShape& s, long item, long c) const { return memory + (item * chunk + c) * elements(s); }
  VIDA_FN Real* S(const GainShape& s, long item, long c) const { return P(s, item, c) + s.nn(); }
  VIDA_FN Real* mean(const GainShape& s, long item, long c) const { return P(s, item, c) + 2 * s.nn(); }
  VIDA_FN Real* forecast_mean(const GainShape& s, long item, long c) const { return mean(s, item, c) + s.ld; }
};

inline constexpr int kCycleValues = 3;  // kl, loglik, log det C

/// The Monte Carlo form of the expectation; samples = 0 is the exact one.
struct MonteCarlo {
  int samples;
  const std::uint64_t* seed;     // [data]
  const std::uint32_t* problem;  // [data]
  std::uint32_t iteration;
};

/// item = problem * count + cycle - first.
template <class Real>
struct GainTerms {
  GainShape shape;
  GainData<Real> data;
  const int* data_of;
  const Real* gains;
  Real* operators;
  Trajectory<Real> trajectory;
  TermBuffer<Real> terms;  // memory null: values only
  Real* values;            // [item, cycles, kCycleValues]
  MonteCarlo draws;
  long stretch_first, first, count;

  static long monte_carlo_scratch(const GainShape& s, int samples) {
    const long rows = padded(samples, kTileRows);
    return samples ? 4 * s.nn() + 3 * rows * s.ld + 2 * rows * s.lp + s.rows * padded(samples, 16) + padded(samples, 16)
                   : 0;
  }
  static std::size_t scratch_bytes(const GainShape& s, int samples) {
    return sizeof(Real) *
           static_cast<std::size_t>(ForecastWork<Real>::elements(s) + ForecastWork<Real>::covariance_elements(s) +
                                    s.nn() + 3 * s.ld + 2 * s.lp + padded(s.rows, 16) + 2 * padded(s.n, kBlock) + 16 +
                                    OperatorCache<Real>::elements(s) + monte_carlo_scratch(s, samples));
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long index) const {
    using Pack = typename Team::template Pack<Real>;
    const GainShape& s = shape;
    const long item = index / count, j = first + index % count, c = index % count, slot = j - stretch_first;
    const long d = data_of[item];
    const int n = s.n, ld = s.ld;
    Real* memory = team.template scratch<Real>();
    Real* forecast_inverse = memory + ForecastWork<Real>::elements(s);
    const ForecastWork<Real> work(memory, forecast_inverse, s);
    Real* Z = work.area(s);  // C^^-1 C; nothing of the forecast but C^ is needed once that is there
    Real* spd = memory;      // less than the ring arrays
    Real* inverse = forecast_inverse + ForecastWork<Real>::covariance_elements(s);
    Real* forecast_mean = inverse + s.nn();
    Real* shift = forecast_mean + ld;  // m - m^
    Real* dual = shift + ld;           // d
    Real* residual = dual + ld;        // y - H m
    Real* weighted = residual + s.lp;  // R^-1 (y - H m)
    Real* row_sums = weighted + s.lp;
    Real* forecast_pivots = row_sums + padded(s.rows, 16);
    Real* pivots = forecast_pivots + padded(n, kBlock);
    Real* totals = pivots + padded(n, kBlock);
    const OperatorCache<Real> cache{totals + 16};
    Real* sampling = cache.memory + OperatorCache<Real>::elements(s);

    const Real* C = trajectory.covariance(s, item, slot + 1);
    const Real* mean = trajectory.mean(s, item, j + 1);
    const Real* y = data.y + (d * data.cycles + j) * s.lp;
    cache.start(team, s);
    const GainOperators<Real> op = cache.at(team, s, operators + item * GainOperators<Real>::elements(s),
                                            gains + item * s.np(), data.H + d * s.pn(), data.R + d * s.pp(), y);
    const Real observed = op.scalars[1];

    forecast(team, s, data, d, trajectory.mean(s, item, j), trajectory.covariance(s, item, slot), work, forecast_mean,
             forecast_inverse);
    copy(team, s.rows, ld, C, inverse);
    innovation(team, s, y, mean, op.Ht, residual);
    team.sync();
    spd_inverse(team, n, forecast_inverse, ld, spd, forecast_pivots);
    for (int i = team.rank(); i < n; i += team.size()) shift[i] = mean[i] - forecast_mean[i];
    spd_inverse(team, n, inverse, ld, spd, pivots);
    vector_times(team, n, n, shift, forecast_inverse, ld, [&](int i, Pack v) { store(dual + i, v); });
    vector_times(team, s.p, s.p, residual, op.Ri, s.lp, [&](int i, Pack v) { store(weighted + i, v); });
    gemm(team, n, n, n, forecast_inverse, ld, C, ld, Assign<Real>{Z, ld});
    row_dots(team, n, n, op.HtRiH, ld, C, ld, row_sums);
    team.sync();

    if (team.rank() == 0) {
      EightSums<Real> trace;
      trace.add(n, [&](int i) { return Z[i * ld + i]; });
      const Real log_det = log_determinant(n, pivots);
      const Real kl = Real(0.5) * (trace.total() + dot(team, n, shift, dual) - Real(n) +
                                   log_determinant(n, forecast_pivots) - log_det);
      const Real misfit = dot(team, s.p, residual, weighted) + total_of(n, row_sums);
      Real* value = values + (item * data.cycles + j) * kCycleValues;
      const bool silent = observed == Real(0);  // no observation: the analysis is the forecast, and costs nothing
      value[0] = silent ? Real(0) : kl;
      value[1] = silent ? Real(0) : Real(-0.5) * (misfit + observed * Real(1.8378770664093454836) + op.scalars[0]);
      value[2] = log_det;
    }
    if (terms.memory) {
      const Real on = observed == Real(0) ? Real(0) : Real(1);
      Real* P = terms.P(s, item, c);
      Real* S = terms.S(s, item, c);
      gemm(team, n, n, n, Z, ld, forecast_inverse, ld, [&](int i, int jj, Pack value) {
        const Pack precision = load<Pack>(forecast_inverse + i * ld + jj);
        store(S + i * ld + jj, on * Real(0.5) * (precision - value - dual[i] * load<Pack>(dual + jj)));
      });
      for_packs<Real>(team, s.rows, ld, [&](int at) {
        const Pack fit = draws.samples ? Pack{} : load<Pack>(op.HtRiH + at);
        store(P + at, on * Real(0.5) * (load<Pack>(forecast_inverse + at) - load<Pack>(inverse + at) + fit));
      });
      Real* mean_bar = terms.mean(s, item, c);
      Real* forecast_mean_bar = terms.forecast_mean(s, item, c);
      vector_times(team, n, s.p, residual, op.RiH, ld, [&](int i, Pack fit) {
        const Pack dd = load<Pack>(dual + i);
        store(mean_bar + i, on * (draws.samples ? dd : dd - fit));
        store(forecast_mean_bar + i, -on * dd);
      });
    }
    if (draws.samples) {
      sample_expectation(team, op, d, item, j, c, C, inverse, mean, y, sampling);
    }
  }

 private:
  /// Replaces the expectation by the mean over reparametrised draws u = m + L z, L = chol(C), and adds its
  /// sensitivities, carried from L to C by C_bar = sym(L^-T Phi(L' L_bar) L^-1), Phi = lower triangle, diagonal halved.
  template <class Team>
  VIDA_FN void sample_expectation(Team team, const GainOperators<Real>& op, long d, long item, long j, long c,
                                  const Real* C, const Real* inverse, const Real* mean, const Real* y,
                                  Real* memory) const {
    using Pack = typename Team::template Pack<Real>;
    const GainShape& s = shape;
    const int n = s.n, ld = s.ld, samples = draws.samples;
    const int sample_rows = static_cast<int>(padded(samples, kTileRows)),
              sample_ld = static_cast<int>(padded(samples, 16));
    Real* L = memory;
    Real* Lt = L + s.nn();
    Real* first_product = Lt + s.nn();
    Real* second_product = first_product + s.nn();
    Real* z = second_product + s.nn();         // [sample, ld]
    Real* u = z + sample_rows * ld;            // [sample, ld]
    Real* g = u + sample_rows * ld;            // d misfit / d u  [sample, ld]
    Real* r = g + sample_rows * ld;            // y - H u  [sample, lp]
    Real* weighted = r + sample_rows * s.lp;   // R^-1 r  [sample, lp]
    Real* gt = weighted + sample_rows * s.lp;  // g'  [rows, sample_ld]
    Real* misfits = gt + s.rows * sample_ld;   // [sample]

    copy(team, s.rows, ld, C, L);
    const std::uint32_t step =
        draws.iteration * static_cast<std::uint32_t>(data.cycles) + static_cast<std::uint32_t>(j);
    for (int e = team.rank(); e < samples * n; e += team.size())
      z[e / n * ld + e % n] =
          standard_normal<Real>(draws.seed[d], 5, draws.problem[d], step, static_cast<std::uint32_t>(e));
    team.sync();
    cholesky(team, n, L, ld);
    team.sync();
    for (int e = team.rank(); e < n * n; e += team.size()) Lt[e % n * ld + e / n] = L[e / n * ld + e % n];
    team.sync();
    gemm(team, samples, n, n, z, ld, Lt, ld,
         [&](int i, int k, Pack value) { store(u + i * ld + k, load<Pack>(mean + k) + value); });
    team.sync();
    gemm(team, samples, s.p, n, u, ld, op.Ht, s.lp, [&](int i, int k, Pack hu) {
      const Pack seen = load<Pack>(y + k);
      store(r + i * s.lp + k, seen == seen ? seen - hu : Pack{});
    });
    team.sync();
    gemm(team, samples, s.p, s.p, r, s.lp, op.Ri, s.lp, Assign<Real>{weighted, s.lp});
    gemm(team, samples, n, s.p, r, s.lp, op.RiH, ld, [&](int i, int k, Pack value) { store(g + i * ld + k, -value); });
    team.sync();
    row_dots(team, samples, s.p, r, s.lp, weighted, s.lp, misfits);
    for (int e = team.rank(); e < samples * n; e += team.size()) gt[e % n * sample_ld + e / n] = g[e / n * ld + e % n];
    team.sync();
    const Real share = Real(1) / Real(samples);
    if (team.rank() == 0 && op.scalars[1] != Real(0))
      values[(item * data.cycles + j) * kCycleValues + 1] =
          Real(-0.5) *
          (share * total_of(samples, misfits) + op.scalars[1] * Real(1.8378770664093454836) + op.scalars[0]);
    if (!terms.memory || op.scalars[1] == Real(0)) return;

    Real* mean_bar = terms.mean(s, item, c);
    for (int i = team.rank(); i < n; i += team.size()) mean_bar[i] += share * total_of(samples, gt + i * sample_ld);
    gemm(team, n, n, samples, gt, sample_ld, z, ld, Assign<Real>{first_product, ld});  // samples * L_bar
    gemm(team, n, n, n, inverse, ld, L, ld, Assign<Real>{second_product, ld});         // L^-T = C^-1 L
    team.sync();
    for (int i = team.rank(); i < n; i += team.size())
      for (int k = i + 1; k < n; ++k) first_product[i * ld + k] = Real(0);
    team.sync();
    gemm(team, n, n, n, Lt, ld, first_product, ld, Assign<Real>{L, ld});
    team.sync();
    for (int i = team.rank(); i < n; i += team.size()) {
      L[i * ld + i] *= Real(0.5);
      for (int k = i + 1; k < n; ++k) L[i * ld + k] = Real(0);
    }
    for (int e = team.rank(); e < n * n; e += team.size()) Lt[e % n * ld + e / n] = second_product[e / n * ld + e % n];
    team.sync();
    gemm(team, n, n, n, L, ld, Lt, ld, Assign<Real>{first_product, ld});
    team.sync();
    gemm(team, n, n, n, second_product, ld, first_product, ld, Assign<Real>{L, ld});
    team.sync();
    Real* P = terms.P(s, item, c);
    for (int e = team.rank(); e < n * n; e += team.size()) {
      const int i = e / n, k = e % n;
      P[i * ld + k] += share * Real(0.5) * (L[i * ld + k] + L[k * ld + i]);
    }
  }
};

}  // namespace vida::kernels
