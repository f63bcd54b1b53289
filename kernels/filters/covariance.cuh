#pragma once

// The forecast of a covariance by the derivative J of a model's step: P <- factor J P J'.

#include "band.cuh"
#include "filters/frame.cuh"

namespace vida::kernels {

/// Work area of forecast_covariance(). For the exact derivative of Lorenz-96 that is the linearised step and J P with a
/// halo of columns, otherwise the model's own and a transposed covariance.
template <class Real>
struct CovarianceWork {
  typename Model<Real>::Work model;
  Real *step, *ones;
  Real* products;  // of the step, free for others afterwards
  Real* other;     // the same [.., halo_ld(ld)]

  VIDA_BOTH CovarianceWork(Pieces<Real>& pieces, const FilterShape& s) : model(pieces, s.model) {
    const bool ring = s.model.kind == ModelKind::lorenz96;
    const auto larger = [](long a, long b) { return a > b ? a : b; };
    step = pieces.take(ring ? StepWork<Real>::kept_elements(s.n, kHalo) : 0);
    ones = pieces.take(ring ? ring_stride(s.n) : 0);
    products = pieces.take(
        larger(ring ? StepWork<Real>::product_elements(s.n, kHalo) : 0, static_cast<long>(s.prows) * s.ldn));
    other = pieces.take(larger(static_cast<long>(s.rows) * halo_ld(s.ld), static_cast<long>(s.prows) * s.ldn));
  }

  template <class Team>
  VIDA_FN void start(Team team, const FilterShape& s) const {
    if (s.model.kind != ModelKind::lorenz96) return;
    for (int i = team.rank(); i < ring_stride(s.n); i += team.size()) ones[i] = Real(1);
  }
};

/// P <- (P + P') / 2. The product is symmetric but for rounding errors, which would grow with the model's instability.
template <class Team, class Real>
VIDA_FN void symmetrize(Team team, int n, Real* P, int ld) {
  for (int i = team.rank(); i < n; i += team.size())
    for (int k = 0; k < i; ++k) {
      const Real mean = Real(0.5) * (P[i * ld + k] + P[k * ld + i]);
      P[i * ld + k] = mean;
      P[k * ld + i] = mean;
    }
}

/// mean [ld] <- mean after one step, P [rows, ld] <- factor J P J', symmetric.
template <class Team, class Real>
VIDA_FN void forecast_covariance(Team team, const FilterShape& s, const Model<Real>& model, Tangent kind, Real factor,
                                 Real* mean, Real* P, const CovarianceWork<Real>& work) {
  using Pack = typename Team::template Pack<Real>;
  if (s.model.kind == ModelKind::lorenz96 && kind == Tangent::exact) {
    // J has 13 diagonals, whose products with P take far less than the stages of every column
    const StepWork<Real> step(work.step, work.products, s.n, kHalo);
    const Band<Real> J{step.jacobian(), step.stride};
    Real* JP = work.other + kHalo;
    const int ld = halo_ld(s.ld);
    runge_kutta_step(team, s.n, model.dt(), model.parameters[1], mean, step, mean);
    step_jacobian(team, s.n, model.dt(), work.ones + kHalo, step);
    team.sync();
    band_times(team, s.n, J, P, s.ld, JP, ld);
    team.sync();
    close_columns<Band<Real>>(team, s.n, JP, ld);
    team.sync();
    times_band_transposed(team, s.n, JP, ld, J,
                          [&](int i, int k, Pack value) { store(P + i * s.ld + k, factor * value); });
  } else {
    model.linearize(team, mean, kind, work.model);
    team.sync();
    model.tangent(team, P, s.ld, s.n, kind, work.model);
    team.sync();
    for_pairs(team, s.n, s.n, [&](int i, int k) { work.other[i * s.ld + k] = factor * P[k * s.ld + i]; });
    team.sync();
    model.tangent(team, work.other, s.ld, s.n, kind, work.model);
    team.sync();
    copy(team, s.n, s.ld, work.other, P);
  }
  team.sync();
  symmetrize(team, s.n, P, s.ld);
}

}  // namespace vida::kernels
