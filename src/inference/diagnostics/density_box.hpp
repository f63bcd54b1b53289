#pragma once

#include "vida/quadrature.hpp"

namespace vida {

/// A box [d, 2] on whose faces the density is below exp(-60) of its mode, and hardly larger than that needs.
/// centre, scale: [d], not empty. Throws Error when there is none.
Matrix find_box(const PointFunction& log_density, const Vector& centre, const Vector& scale);

}  // namespace vida
