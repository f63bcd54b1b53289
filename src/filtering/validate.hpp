#pragma once

#include <span>
#include <string>

#include "vida/filter.hpp"

namespace vida {

/// Validates each problem, and that all share n, p, cycles and steps per cycle.
void validate_batch(std::span<const FilterProblem> problems);

/// Throws InvalidArgument, beginning with `where`, unless `gain` is a finite [n, p] matrix.
void validate_gain(const Matrix& gain, const StateSpaceModel& system, const std::string& where = "");

/// Throws InvalidArgument, beginning with `where`, unless C is a covariance [n, n] or empty.
void validate_background(const std::string& where, const Matrix& covariance, long n);

}  // namespace vida
