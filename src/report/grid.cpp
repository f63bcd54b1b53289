#include "report/grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

namespace vida::report {

Matrix first_matrix(const io::NetcdfReader& file, const std::string& name) {
  const auto shape = file.shape(name);
  const auto values = file.values(name);
  const auto rank = shape.size();
  Matrix matrix({rank > 1 ? shape[rank - 2] : 1, rank > 0 ? shape[rank - 1] : 1});
  std::copy_n(values.begin(), matrix.size(), matrix.begin());
  return matrix;
}

std::string image_text(const Matrix& values, const std::vector<double>& row_at, const std::vector<double>& column_at) {
  std::string text;
  for (long row = 0; row < values.extent(0); ++row) {
    for (long column = 0; column < values.extent(1); ++column)
      fmt::format_to(std::back_inserter(text), "{:.6g} {:.6g} {:.5g}\n", row_at[row], column_at[column],
                     values(row, column));
    text += '\n';
  }
  return text;
}

std::vector<double> counting(long count) {
  std::vector<double> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0.0);
  return numbers;
}

namespace {
std::vector<double> finite_values(const Matrix& values) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) { return std::isfinite(v); });
  return finite;
}
}  // namespace

std::pair<double, double> finite_range(const Matrix& values) {
  const auto finite = finite_values(values);
  if (finite.empty()) return {0, 1};
  const auto [low, high] = std::minmax_element(finite.begin(), finite.end());
  return {*low, *high};
}

double quantile(const Matrix& values, double share) {
  auto finite = finite_values(values);
  if (finite.empty()) return 1;
  const auto at = finite.begin() + static_cast<long>(share * static_cast<double>(finite.size() - 1));
  std::nth_element(finite.begin(), at, finite.end());
  return *at;
}

namespace {
/// Mean of values[first .. last) that are finite; NaN when there is none.
double window_mean(View<const double, 1> values, long first, long last) {
  double sum = 0;
  long count = 0;
  for (long i = first; i < last; ++i)
    if (std::isfinite(values[i])) sum += values[i], ++count;
  return count ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}
}  // namespace

std::string window_means_text(View<const double, 1> losses, double floor) {
  std::string text;
  for (long step = 0; step < losses.extent(0); step += std::max(1L, step / 12)) {
    const long last = std::min(losses.extent(0), step + std::max(1L, step / 12));
    text += fmt::format("{} {:.6g}\n", step + 1, window_mean(losses, step, last) - floor);
  }
  return text;
}

}  // namespace vida::report
