#pragma once

// The forecast of a covariance by the derivative J of a model's step: P <- factor J P J'.

#include "band.cuh"
#include "filters/frame.cuh"

namespace vida::kernels {

/// Work area of forecast_covariance(). For the exact derivative of Lorenz-96 that is the linearised step and J P with a
/// halo of columns, otherwise the model's own, in the same place, and a transposed covariance.
template <class Real>
struct CovarianceWork {
  Real* ones;
  Real* other;  // [rows or prows, ld], free for others between forecasts
  typename Model<Real>::Work model;
  Real *step, *products;
  Real* observed;  // [prows, ldn], where the products are: free for others between forecasts

  VIDA_BOTH CovarianceWork(Pieces<Real>& pieces, const FilterShape& s)
      : ones(pieces.take(of_lorenz96(s) ? ring_stride(s.n) : 0)),
        other(pieces.take(larger(static_cast<long>(s.rows) * halo_ld(s.ld), s.observed_elements()))),
        model(at(pieces, s)) {
    const long start = pieces.used;
    step = pieces.take(of_lorenz96(s) ? StepWork<Real>::kept_elements(s.n, kHalo) : 0);
    observed = products =
        pieces.take(larger(of_lorenz96(s) ? StepWork<Real>::product_elements(s.n, kHalo) : 0, s.observed_elements()));
    Pieces<Real> model_alone;
    (void)typename Model<Real>::Work(model_alone, model_shape(s));
    pieces.used = larger(pieces.used, start + model_alone.used);
  }

  /// The model as the columns of a covariance are advanced: some at a time, lest they take a GPU's shared memory.
  VIDA_BOTH static ModelShape model_shape(const FilterShape& s) {
    ModelShape shape = s.model;
    if (shape.group > 16) shape.group = 16;
    return shape;
  }

  template <class Team>
  VIDA_FN void start(Team team, const FilterShape& s) const {
    if (!of_lorenz96(s)) return;
    for (int i = team.rank(); i < ring_stride(s.n); i += team.size()) ones[i] = Real(1);
  }

 private:
  VIDA_BOTH static bool of_lorenz96(const FilterShape& s) { return s.model.kind == ModelKind::lorenz96; }
  VIDA_BOTH static long larger(long a, long b) { return a > b ? a : b; }
  VIDA_BOTH static typename Model<Real>::Work at(Pieces<Real> pieces, const FilterShape& s) {
    return typename Model<Real>::Work(pieces, model_shape(s));
  }
};

/// mean [ld] <- mean after one step, P [rows, ld] <- factor J P J', symmetric.
template <class Team, class Real>
VIDA_FN void forecast_covariance(Team team, const FilterShape& s, Model<Real> model, Tangent kind, Real factor,
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
                          [=, to = s.ld](int i, int k, Pack value) { store(P + i * to + k, factor * value); });
  } else {
    model.shape = CovarianceWork<Real>::model_shape(s);
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
  symmetrize(team, s.n, P,
             s.ld);  // rounding errors that are not symmetric would grow with the instability of the model
}

}  // namespace vida::kernels
