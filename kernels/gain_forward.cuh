#pragma once

// The fixed-gain filter over a stretch of cycles:
//   m^ = Psi(m), C^ = J C J' + Q;  m = m^ + K (y - H m^), C = A C^ A' + K R K', A = I - K H.

#include "gain.cuh"

namespace vida::kernels {

/// Where means, covariances and checkpoints of the items of a batch lie. Slot 0 of a stretch is the state before its
/// first cycle.
template <class Real>
struct Trajectory {
  Real* means;        // [item, cycles + 1, ld]
  Real* covariances;  // [item, slots, rows, ld], of the stretch in work
  Real* checkpoints;  // [item, stretches, rows, ld]; null when one stretch holds everything
  long cycles, slots, stretches;

  VIDA_FN Real* mean(const GainShape& s, long item, long slot) const {
    return means + (item * (cycles + 1) + slot) * s.ld;
  }
  VIDA_FN Real* covariance(const GainShape& s, long item, long slot) const {
    return covariances + (item * slots + slot) * s.nn();
  }
  VIDA_FN Real* checkpoint(const GainShape& s, long item, long k) const {
    return checkpoints + (item * stretches + k) * s.nn();
  }
};

/// item = problem; cycles first .. last - 1 of stretch number `stretch`.
template <class Real>
struct GainForward {
  GainShape shape;
  GainData<Real> data;
  const int* data_of;
  const Real* gains;
  Real* operators;
  Trajectory<Real> trajectory;
  long first, last, stretch;
  int keep_checkpoint;  // write the last covariance where the next stretch starts

  static std::size_t scratch_bytes(const GainShape& s) {
    return sizeof(Real) *
           static_cast<std::size_t>(ForecastWork<Real>::elements(s) + ForecastWork<Real>::covariance_elements(s) +
                                    s.ld + s.lp + OperatorCache<Real>::elements(s));
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    const GainShape& s = shape;
    const long d = data_of[item];
    Real* memory = team.template scratch<Real>();
    Real* forecast_C = memory + ForecastWork<Real>::elements(s);
    const ForecastWork<Real> work(memory, forecast_C, s);
    Real* product = work.area(s);  // A C^
    Real* forecast_mean = forecast_C + ForecastWork<Real>::covariance_elements(s);
    Real* residual = forecast_mean + s.ld;
    const OperatorCache<Real> cache{residual + s.lp};
    cache.start(team, s);

    if (first == 0) copy(team, 1, s.ld, data.m0 + d * s.ld, trajectory.mean(s, item, 0));
    copy(team, s.rows, s.ld, first == 0 ? data.C0 + d * s.nn() : trajectory.checkpoint(s, item, stretch),
         trajectory.covariance(s, item, 0));

    for (long j = first; j < last; ++j) {
      const Real* y = data.y + (d * data.cycles + j) * s.lp;
      const GainOperators<Real> op = cache.at(team, s, operators + item * GainOperators<Real>::elements(s),
                                              gains + item * s.np(), data.H + d * s.pn(), data.R + d * s.pp(), y);
      Real* mean = trajectory.mean(s, item, j + 1);
      Real* C = trajectory.covariance(s, item, j - first + 1);
      forecast(team, s, data, d, trajectory.mean(s, item, j), trajectory.covariance(s, item, j - first), work,
               forecast_mean, forecast_C);
      team.sync();
      innovation(team, s, y, forecast_mean, op.Ht, residual);
      gemm(team, s.n, s.n, s.n, op.A, s.ld, forecast_C, s.ld, Assign<Real>{product, s.ld});
      team.sync();
      vector_times(team, s.n, s.p, residual, op.Kt, s.ld,
                   [&](int i, Pack shift) { store(mean + i, load<Pack>(forecast_mean + i) + shift); });
      gemm(team, s.n, s.n, s.n, product, s.ld, op.At, s.ld, AddTo<Real>{C, op.KRKt, s.ld});
      team.sync();
    }
    if (keep_checkpoint)
      copy(team, s.rows, s.ld, trajectory.covariance(s, item, last - first),
           trajectory.checkpoint(s, item, stretch + 1));
  }
};

}  // namespace vida::kernels
