#pragma once

// The adjoint of the fixed-gain filter, from the last cycle to the first: collects d cost / d K from the sensitivities
// that GainTerms left, through A C^ A' + K R K', the forecast C^ = J C J' + Q, and the dependence of J on the mean.

#include "gain_terms.cuh"
#include "lorenz96_adjoint.cuh"

namespace vida::kernels {

/// What the adjoint of one item carries from chunk to chunk.
template <class Real>
struct AdjointState {
  Real* memory;

  VIDA_BOTH static long elements(const GainShape& s) { return 3 * s.nn() + s.np() + s.ld; }
  VIDA_FN Real* base(const GainShape& s, long item) const { return memory + item * elements(s); }
  VIDA_FN Real* covariance(const GainShape& s, long item) const { return base(s, item); }          // [rows, ld]
  VIDA_FN Real* through_A(const GainShape& s, long item) const { return base(s, item) + s.nn(); }  // sum Y C^
  VIDA_FN Real* covariance_sum(const GainShape& s, long item) const { return base(s, item) + 2 * s.nn(); }
  VIDA_FN Real* gain(const GainShape& s, long item) const { return base(s, item) + 3 * s.nn(); }  // [rows, lp]
  VIDA_FN Real* mean(const GainShape& s, long item) const { return gain(s, item) + s.np(); }      // [ld]
};

/// Scratch of the adjoint. Where scratch is scarce (GainShape::compact), areas lie over others that are not needed at
/// the same time: bar A over J C, which is formed again, what step_adjoint needs over J C and C^.
template <class Real>
struct BackwardWork {
  Real *products, *slopes, *band_bar;
  Real* bar;         // sensitivity of C, then of C^  [rows, ld]
  Real* forecast_C;  // C^  [rows, ld]
  Real* Y;           // bar A  [rows, ld]
  Real* YC;          // bar A C^ of a cycle with missing observations  [rows, ld]
  Real* vectors;
  ForecastWork<Real> forecast;

  VIDA_BOTH static long elements(const GainShape& s) {
    const long matrices = s.compact ? over_covariance(s) + s.nn() + (s.incomplete ? s.nn() : 0)
                                    : StepWork<Real>::product_elements(s.n, s.halo) + band_elements(s) +
                                          AdjointWork<Real>::elements(s.n, s.halo) + 3 * s.nn();
    return ForecastWork<Real>::elements(s) + matrices + 3 * s.ld + s.lp;
  }
  VIDA_FN BackwardWork(Real* memory, const GainShape& s)
      : products(memory + ForecastWork<Real>::elements(s)),
        band_bar(products + StepWork<Real>::product_elements(s.n, s.halo)),
        forecast(memory, products, s) {
    if (s.compact) {
      forecast_C = products;
      slopes = Y = forecast.area(s);
      bar = products + over_covariance(s);
      YC = bar + s.nn();
      vectors = YC + (s.incomplete ? s.nn() : 0);
    } else {
      slopes = band_bar + band_elements(s);
      bar = slopes + AdjointWork<Real>::elements(s.n, s.halo);
      forecast_C = bar + s.nn();
      Y = forecast_C + s.nn();
      YC = forecast.area(s);
      vectors = Y + s.nn();
    }
  }

 private:
  VIDA_BOTH static long band_elements(const GainShape& s) { return kBandSize * ring_stride(s.n, s.halo); }
  VIDA_BOTH static long over_covariance(const GainShape& s) {
    const long rings = StepWork<Real>::product_elements(s.n, s.halo) + band_elements(s);
    return rings > s.nn() ? rings : s.nn();
  }
};

/// item = problem; cycles first + count - 1 down to first.
template <class Real>
struct GainBackward {
  GainShape shape;
  GainData<Real> data;
  const int* data_of;
  const Real* gains;
  Real* operators;
  Trajectory<Real> trajectory;
  TermBuffer<Real> terms;
  AdjointState<Real> adjoint;
  long stretch_first, first, count;

  static std::size_t scratch_bytes(const GainShape& s) {
    return sizeof(Real) * static_cast<std::size_t>(BackwardWork<Real>::elements(s) + OperatorCache<Real>::elements(s));
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    const GainShape& s = shape;
    const long d = data_of[item];
    const int n = s.n, ld = s.ld;
    const BackwardWork<Real> areas(team.template scratch<Real>(), s);
    const ForecastWork<Real>& work = areas.forecast;
    const AdjointWork<Real> slopes(areas.slopes, n, s.halo);
    Real *bar = areas.bar, *forecast_C = areas.forecast_C, *Y = areas.Y, *band_bar = areas.band_bar;
    const int band_ld = ring_stride(n, s.halo);
    Real* mean_bar = areas.vectors;
    Real* forecast_mean = mean_bar + ld;
    Real* state_bar = forecast_mean + ld;
    Real* residual = state_bar + ld;
    const OperatorCache<Real> cache{residual + s.lp};
    Real* total = adjoint.covariance_sum(s, item);
    Real* through_A = adjoint.through_A(s, item);
    Real* gain_bar = adjoint.gain(s, item);

    cache.start(team, s);
    copy(team, s.rows, ld, adjoint.covariance(s, item), bar);
    copy(team, 1, ld, adjoint.mean(s, item), mean_bar);

    for (long j = first + count - 1; j >= first; --j) {
      const long slot = j - stretch_first;
      const Real* y = data.y + (d * data.cycles + j) * s.lp;
      const Real* previous_mean = trajectory.mean(s, item, j);
      const Real* previous_C = trajectory.covariance(s, item, slot);
      const GainOperators<Real> whole(operators + item * GainOperators<Real>::elements(s), s);
      const GainOperators<Real> op =
          cache.at(team, s, whole.A, gains + item * s.np(), data.H + d * s.pn(), data.R + d * s.pp(), y);
      const bool complete = op.A == whole.A;

      forecast(team, s, data, d, previous_mean, previous_C, work, forecast_mean, forecast_C);
      const Real* P = terms.P(s, item, j - first);
      for_packs<Real>(team, s.rows, ld, [&](int at) {
        const Pack value = load<Pack>(bar + at) + load<Pack>(P + at);
        store(bar + at, value);
        if (complete) store(total + at, load<Pack>(total + at) + value);
      });
      const Real* direct = terms.mean(s, item, j - first);
      for (int i = team.rank(); i < n; i += team.size()) mean_bar[i] += direct[i];
      team.sync();

      // Analysis: C = A C^ A' + K R K' and m = m^ + K (y - H m^), A = I - K H.
      innovation(team, s, y, forecast_mean, op.Ht, residual);
      gemm(team, n, n, n, bar, ld, op.A, ld, Assign<Real>{Y, ld});
      const Real* forecast_direct = terms.forecast_mean(s, item, j - first);
      vector_times(team, n, n, mean_bar, op.A, ld,
                   [&](int i, Pack value) { store(state_bar + i, load<Pack>(forecast_direct + i) + value); });
      team.sync();
      if (complete) {
        gemm(team, n, n, n, Y, ld, forecast_C, ld, AddTo<Real>{through_A, through_A, ld});
      } else {
        gemm(team, n, n, n, Y, ld, forecast_C, ld, Assign<Real>{areas.YC, ld});
        team.sync();
        gemm(team, n, s.p, n, areas.YC, ld, op.Ht, s.lp, [&](int i, int k, Pack value) {
          store(gain_bar + i * s.lp + k, load<Pack>(gain_bar + i * s.lp + k) - Real(2) * value);
        });
        gemm(team, n, s.p, n, bar, ld, op.KR, s.lp, [&](int i, int k, Pack value) {
          store(gain_bar + i * s.lp + k, load<Pack>(gain_bar + i * s.lp + k) + Real(2) * value);
        });
      }
      team.sync();
      outer_product(team, mean_bar, residual, gain_bar);
      if (j == 0) break;  // what the initial mean and covariance contribute does not depend on K
      gemm(team, n, n, n, op.At, ld, Y, ld, AddTo<Real>{bar, terms.S(s, item, j - first), ld});

      for (int k = s.steps - 1; k >= 0; --k) {
        if (k + 1 < s.steps) {
          runge_kutta_step(team, n, data.dt[d], data.forcing[d], k == 0 ? previous_mean : work.states + (k - 1) * ld,
                           work.step, forecast_mean);
        }
        if (k + 1 < s.steps || !complete || s.compact) {
          linearise(team, s, data.dt[d], data.ones, k == 0 ? previous_C : work.chain + (k - 1) * s.nn(), work);
          team.sync();
        }
        band_adjoint(team, n, bar, ld, work.T, work.t_ld, band_bar, band_ld);
        close_diagonals(team, n, work.step.jacobian(), work.step.stride);
        team.sync();
        step_adjoint(team, n, data.dt[d], data.ones, work.step, band_bar, band_ld, slopes, state_bar);
        team.sync();
        const TransposedBand<Real> transposed{work.step.jacobian(), work.step.stride};
        band_times(team, n, transposed, bar, ld, work.T, work.t_ld);
        team.sync();
        close_columns<TransposedBand<Real>>(team, n, work.T, work.t_ld);
        team.sync();
        times_band_transposed(team, n, work.T, work.t_ld, transposed,
                              [&](int i, int k2, Pack value) { store(bar + i * ld + k2, value); });
      }
      copy(team, 1, ld, state_bar, mean_bar);
      team.sync();
    }
    copy(team, s.rows, ld, bar, adjoint.covariance(s, item));
    copy(team, 1, ld, mean_bar, adjoint.mean(s, item));
  }

 private:
  /// gain_bar += mean_bar residual'
  template <class Team>
  VIDA_FN void outer_product(Team team, const Real* mean_bar, const Real* residual, Real* gain_bar) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const int packs = (shape.p + W - 1) / W;
    for_pairs(team, shape.n, packs, [&](int i, int pack) {
      Real* target = gain_bar + i * shape.lp + pack * W;
      store(target, load<Pack>(target) + mean_bar[i] * load<Pack>(residual + pack * W));
    });
  }
};

/// One launch on the CPU: the adjoint of one chunk of every problem (items first), and the cost terms of the chunk
/// before it. Both are independent, so that a second core works while the adjoint walks. On the GPU the two kernels in
/// one would spill registers, and the terms take little time beside the walk: all cycles of a chunk at once.
template <class Real>
struct GainSweep {
  GainBackward<Real> backward;
  GainTerms<Real> terms;
  long backward_items;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    if (item < backward_items)
      backward(team, item);
    else
      terms(team, item - backward_items);
  }
};

/// Gradient of item: -2 (sum Y C^) H' + 2 (sum C_bar) K R + what single cycles left.
template <class Real>
struct GainGradient {
  GainShape shape;
  Real* operators;
  AdjointState<Real> adjoint;
  Real* gradient;  // [item, rows, lp]

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    const GainShape& s = shape;
    const GainOperators<Real> op(operators + item * GainOperators<Real>::elements(s), s);
    const Real* single = adjoint.gain(s, item);
    Real* target = gradient + item * s.np();
    gemm(team, s.n, s.p, s.n, adjoint.through_A(s, item), s.ld, op.Ht, s.lp, [&](int i, int j, Pack value) {
      store(target + i * s.lp + j, load<Pack>(single + i * s.lp + j) - Real(2) * value);
    });
    gemm(team, s.n, s.p, s.n, adjoint.covariance_sum(s, item), s.ld, op.KR, s.lp, [&](int i, int j, Pack value) {
      store(target + i * s.lp + j, load<Pack>(target + i * s.lp + j) + Real(2) * value);
    });
  }
};

}  // namespace vida::kernels
