#pragma once

// Slopes of the models that a Runge-Kutta method steps, and their tangents.

#include "dynamics/columns.cuh"
#include "lorenz96_slope.cuh"

namespace vida::kernels {

/// parameters: dt, F.
template <class Real>
struct Lorenz96Slope {
  static constexpr int kParameters = 2;
  static constexpr int kFrozenOrder = 20;  // of the series of exp(dt M): ||dt M|| is about 1, 1 / 20! below 1e-18
  Real forcing;
  VIDA_FN explicit Lorenz96Slope(const Real* parameters) : forcing(parameters[1]) {}

  template <class Pack>
  VIDA_FN Pack at(const ColumnRing<Real>& u, int i, int c) const {
    return lorenz96_slope(u.template at<Pack>(i - 2, c), u.template at<Pack>(i - 1, c), u.template at<Pack>(i, c),
                          u.template at<Pack>(i + 1, c), forcing);
  }
  /// Of perturbations u about the single column m.
  template <class Pack>
  VIDA_FN Pack tangent(const ColumnRing<Real>& m, const ColumnRing<Real>& u, int i, int c) const {
    return (*m.row(i + 1) - *m.row(i - 2)) * u.template at<Pack>(i - 1, c) +
           *m.row(i - 1) * (u.template at<Pack>(i + 1, c) - u.template at<Pack>(i - 2, c)) - u.template at<Pack>(i, c);
  }
};

/// parameters: dt, sigma, rho, beta.
template <class Real>
struct Lorenz63Slope {
  static constexpr int kParameters = 4;
  static constexpr int kFrozenOrder = 1;  // I + dt M, as the published experiment has it
  Real sigma, rho, beta;
  VIDA_FN explicit Lorenz63Slope(const Real* parameters)
      : sigma(parameters[1]), rho(parameters[2]), beta(parameters[3]) {}

  template <class Pack>
  VIDA_FN Pack at(const ColumnRing<Real>& u, int i, int c) const {
    const Pack x = u.template at<Pack>(0, c), y = u.template at<Pack>(1, c), z = u.template at<Pack>(2, c);
    if (i == 0) return sigma * (y - x);
    return i == 1 ? x * (rho - z) - y : x * y - beta * z;
  }
  template <class Pack>
  VIDA_FN Pack tangent(const ColumnRing<Real>& m, const ColumnRing<Real>& u, int i, int c) const {
    const Pack x = u.template at<Pack>(0, c), y = u.template at<Pack>(1, c), z = u.template at<Pack>(2, c);
    if (i == 0) return sigma * (y - x);
    return i == 1 ? (rho - *m.row(2)) * x - y - *m.row(0) * z : *m.row(1) * x + *m.row(0) * y - beta * z;
  }
};

}  // namespace vida::kernels
