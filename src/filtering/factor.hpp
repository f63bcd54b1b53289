#pragma once

#include "vida/array.hpp"

namespace vida {

/// A square lower factor L with L L' = matrix, also for semi-definite matrices (a zero pivot leaves a zero column).
Matrix lower_factor(const Matrix& matrix);

}  // namespace vida
