#pragma once

#include <string>
#include <utility>
#include <vector>

#include "io/netcdf.hpp"
#include "vida/array.hpp"

namespace vida::report {

/// The last two axes of a variable, at index 0 of the axes before them: one run out of a batch.
Matrix first_matrix(const io::NetcdfReader& file, const std::string& name);

/// Lines "row_at column_at value" of a matrix [row, column], one blank line after each row.
std::string image_text(const Matrix& values, const std::vector<double>& row_at, const std::vector<double>& column_at);

/// 0, 1, 2, ..
std::vector<double> counting(long count);

/// The smallest and largest finite value, {0, 1} when there is none.
std::pair<double, double> finite_range(const Matrix& values);

/// The finite value that the given share (0 .. 1) of the finite values does not exceed; 1 when there is none.
double quantile(const Matrix& values, double share);

/// Lines "step mean" of losses less a floor: means of what is finite over windows that grow with the step, as a
/// logarithmic axis does.
std::string window_means_text(View<const double, 1> losses, double floor);

}  // namespace vida::report
