#pragma once

// Finite-size ensemble Kalman filter in its dual form: the factor of the anomalies is looked for (Bocquet and Sakov
// 2012; Bocquet, Raanes and Hannart 2015).

#include "filters/finite_size.cuh"

namespace vida::kernels {

/// Minimises sum_i du_i^2 / (l^2 s_i^2 + N1) + e / l^2 + b log l^2, s the singular values of Y and du = U'd, in
/// t = log l^2. With z = N1 / l^2 and w = (G + z I)^-1 g its slope is b - (e + w'w) / l^2 and its curvature
/// (e + w'w - 2 z w'(G + z I)^-1 w) / l^2. Newton's steps start at l = 1; they go downhill, at most by a factor of e in
/// l, and are halved into the interval in which the slope has changed its sign.
struct DualForm {
  template <class Team, class Real>
  VIDA_FN static Real squared_factor(Team team, const FiniteSizeProblem<Real>& problem) {
    const int N = problem.members;
    const Real* w = problem.work.w;
    Real t = Real(0), low = Real(-INFINITY), high = Real(INFINITY);
    Real slope = Real(INFINITY), step = Real(INFINITY);
    for (int number = 0; problem.goes_on(number, std::abs(slope), std::abs(step)); ++number) {
      const Real squared = pack_exp(t), z = problem.others / squared;
      problem.solve(z);
      solve_shifted(N, problem.work.reduced, z, w, problem.work.other, problem.work.inverses);
      const Real pull = problem.e + dot(team, N, w, w);
      const Real curvature = (pull - Real(2) * z * dot(team, N, w, problem.work.other)) / squared;
      slope = problem.b - pull / squared;
      if (!(std::abs(slope) < Real(INFINITY))) return Real(NAN);  // ends the run
      if (slope < Real(0))
        low = t;
      else
        high = t;
      step = curvature > Real(0) ? -slope / curvature : (slope < Real(0) ? Real(2) : Real(-2));
      step = step > Real(2) ? Real(2) : step < Real(-2) ? Real(-2) : step;
      if (t + step < low || t + step > high) step = Real(0.5) * (low + high) - t;
      t += step;
    }
    return pack_exp(t);
  }
};

template <class RealType>
struct EnkfNDual {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"enkf-n-dual", "finite-size ensemble Kalman filter, dual form"};
  using Work = FiniteSizeWork<Real>;

  template <class Team>
  VIDA_FN static void analyse(Team team, const Analysis<Real>& a, const Work& work) {
    finite_size_analysis<DualForm>(team, a, work);
  }
};

}  // namespace vida::kernels
