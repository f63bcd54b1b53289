#pragma once

// Finite-size ensemble Kalman filter in its primal form: the weights of the mean are looked for (Bocquet 2011).

#include "filters/finite_size.cuh"

namespace vida::kernels {

/// Minimises |d - Y w|^2 / 2 + N1 b / 2 log(e + w'w) over the weights w by Newton's method from w = 0 with the Hessian
/// G + z I, z = N1 b / (e + w'w), which leaves out how z turns with w. A step therefore ends at (G + z I)^-1 g, where
/// the gradient is (z_new - z) w_new. At the minimum l^2 = N1 / z.
struct PrimalForm {
  template <class Team, class Real>
  VIDA_FN static Real squared_factor(Team team, const FiniteSizeProblem<Real>& problem) {
    using std::sqrt;
    const int N = problem.members;
    Real *w = problem.work.w, *before = problem.work.other;
    const auto curvature = [&](Real square) { return problem.others * problem.b / (problem.e + square); };
    for (int k = 0; k < N; ++k) w[k] = Real(0);
    Real z = curvature(Real(0));
    Real gradient = sqrt(dot(team, N, problem.work.reduced.vector, problem.work.reduced.vector));
    Real length = Real(INFINITY);
    for (int step = 0; problem.goes_on(step, gradient, length); ++step) {
      for (int k = 0; k < N; ++k) before[k] = w[k];
      problem.solve(z);
      for (int k = 0; k < N; ++k) before[k] = w[k] - before[k];
      const Real square = dot(team, N, w, w), last = z;
      z = curvature(square);
      length = sqrt(dot(team, N, before, before));
      gradient = std::abs(z - last) * sqrt(square);
    }
    return problem.others / z;
  }
};

template <class RealType>
struct EnkfN {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"enkf-n", "finite-size ensemble Kalman filter, primal form"};
  using Work = FiniteSizeWork<Real>;

  template <class Team>
  VIDA_FN static void analyse(Team team, const Analysis<Real>& a, const Work& work) {
    finite_size_analysis<PrimalForm>(team, a, work);
  }
};

}  // namespace vida::kernels
