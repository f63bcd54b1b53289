#pragma once

#include <span>

#include "vida/filter.hpp"

namespace vida {

/// Validates each problem, and that all share n, p, cycles and steps per cycle.
void validate_batch(std::span<const FilterProblem> problems);

/// Throws InvalidArgument unless `gain` is a finite [n, p] matrix.
void validate_gain(const Matrix& gain, const StateSpaceModel& system);

}  // namespace vida
