#pragma once

#include "vida/array.hpp"
#include "vida/device.hpp"

namespace vida {

/// Lorenz-96 on a ring of n variables (Lorenz 1996): dv_i/dt = (v_{i+1} - v_{i-2}) v_{i-1} - v_i + F,
/// advanced by the classical Runge-Kutta method of order 4.
struct Lorenz96 {
  int n = 40;            ///< variables, at least 4
  double forcing = 8.0;  ///< F
  double dt = 0.05;      ///< step in model time units (0.05 is about six hours)
};

/// Throws InvalidArgument unless n >= 4, dt > 0 and both numbers are finite.
void validate(const Lorenz96& model);

/// Advances every member by `steps` steps, in place. states: [member, n].
/// Throws InvalidArgument when the last extent is not model.n. Real is float or double here and below.
template <class Real>
void advance(const Device& device, const Lorenz96& model, View<Real, 2> states, long steps);

/// Jacobian of `steps` Runge-Kutta steps at each state, exact (propagated through the stages). [member, n, n]
template <class Real>
Array<Real, 3> jacobian(const Device& device, const Lorenz96& model, View<const Real, 2> states, int steps);

/// J dv for each state. perturbations: [member, n]; returns [member, n].
template <class Real>
Array<Real, 2> tangent(const Device& device, const Lorenz96& model, View<const Real, 2> states,
                       View<const Real, 2> perturbations, int steps);

/// J' w for each state. sensitivities: [member, n]; returns [member, n].
template <class Real>
Array<Real, 2> adjoint(const Device& device, const Lorenz96& model, View<const Real, 2> states,
                       View<const Real, 2> sensitivities, int steps);

}  // namespace vida
