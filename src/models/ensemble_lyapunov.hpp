#pragma once

#include <functional>
#include <span>
#include <vector>

#include "backend/archive.hpp"
#include "vida/device.hpp"
#include "vida/lorenz96.hpp"

namespace vida {

/// The `count` leading Lyapunov exponents, per model time unit, descending, along `steps` steps from `state` [n], in
/// float64: growth of orthonormal perturbations under the tangent map, re-orthonormalised by QR (Benettin et al. 1980).
/// The first quarter of the steps, at most 20 time units, lets the state reach the attractor and is not counted.
/// `progress` hears the share done; false from it ends the work, without exponents.
std::vector<double> lyapunov_exponents(const Device& device, const Lorenz96& model, std::span<const double> state,
                                       long steps, int count, const std::function<bool(double)>& progress,
                                       Checkpoints& checkpoints);

}  // namespace vida
