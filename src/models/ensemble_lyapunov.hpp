#pragma once

#include <span>
#include <vector>

#include "vida/device.hpp"
#include "vida/lorenz96.hpp"

namespace vida {

/// The `count` leading Lyapunov exponents, per model time unit, descending, along `steps` steps from `state` [n], in
/// float64: growth of orthonormal perturbations under the tangent map, re-orthonormalised by QR (Benettin et al. 1980).
/// The first quarter of the steps, at most 20 time units, lets the state reach the attractor and is not counted.
std::vector<double> lyapunov_exponents(const Device& device, const Lorenz96& model, std::span<const double> state,
                                       long steps, int count);

}  // namespace vida
