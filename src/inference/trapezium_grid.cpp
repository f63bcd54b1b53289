#include "inference/trapezium_grid.hpp"

#include <algorithm>
#include <cmath>

namespace vida {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNegligible = 5;         // nats below what counts as inside: not worth an exponential
constexpr double kDecayLength = 1. / 16;  // the density outside decays within this part of the box's width

/// Largest of the values, NaN when one is NaN.
double largest(const double* values, long count) {
  double most = -kInfinity;
  bool ordered = true;
  for (long i = 0; i < count; ++i) {
    most = std::max(most, values[i]);
    ordered &= values[i] == values[i];
  }
  return ordered ? most : NAN;
}

/// Sum of the densities of a row that lie outside the span of a neighbour.
double outside(const std::vector<double>& densities, Span own, Span neighbour) {
  double sum = 0;
  for (long i = own.first; i < std::min(own.end, neighbour.first); ++i)
    sum += densities[static_cast<std::size_t>(i - own.first)];
  for (long i = std::max(own.first, neighbour.end); i < own.end; ++i)
    sum += densities[static_cast<std::size_t>(i - own.first)];
  return sum;
}

}  // namespace

long TrapeziumGrid::count() const {
  if (spans.empty()) return points[0] * points[1];
  long sum = 0;
  for (const Span& one : spans) sum += one.end - one.first;
  return sum;
}

void TrapeziumGrid::write(double* u, long d, long stride) const {
  double *rows = u, *line = u + (d - 1) * stride;
  for (long row = 0; row < points[0]; ++row) {
    const Span of = span(row);
    if (d == 2) rows = std::fill_n(rows, of.end - of.first, node(0, row));
    for (long i = of.first; i < of.end; ++i) *line++ = node(1, i);
  }
  if (d == 2) std::fill(rows, u + stride, 0.0);
  std::fill(line, u + d * stride, 0.0);
}

TrapeziumSummary summarised(const TrapeziumGrid& grid, const double* values, double drop) {
  TrapeziumSummary result;
  const double most = largest(values, grid.count());
  if (!std::isfinite(most)) {
    result.log_integral = most == -kInfinity ? most : NAN;
    return result;
  }
  const auto [rows, n] = grid.points;
  long top = rows, bottom = -1, left = n, right = -1;  // of what is inside
  double sums[3][3] = {}, gap = 0;                     // [row % 3, number in the row % 3]
  std::array<Interval, 2> faces;
  std::vector<double> densities(static_cast<std::size_t>(n));
  for (long row = 0; row < rows; ++row) {
    const Span span = grid.span(row);
    double thirds[3] = {};
    Span found{n, 0};
    for (long i = span.first; i < span.end; ++i) {
      const double below = *values++ - most;
      const double density = below < -drop - kNegligible ? 0 : std::exp(below);
      densities[static_cast<std::size_t>(i - span.first)] = density;
      thirds[i % 3] += density;
      if (below < -drop) continue;
      found = {std::min(found.first, i), i + 1};
    }
    result.spans.push_back(found);
    if (span.first >= span.end) continue;
    for (int k : {0, 1, 2}) sums[row % 3][k] += thirds[k];
    const double sum = thirds[0] + thirds[1] + thirds[2];
    (span.first == 0 ? faces[1].low : gap) += densities[0];
    (span.end == n ? faces[1].high : gap) += densities[static_cast<std::size_t>(span.end - 1 - span.first)];
    (row == 0 ? faces[0].low : gap) += row == 0 ? sum : outside(densities, span, grid.span(row - 1));
    (row == rows - 1 ? faces[0].high : gap) += row == rows - 1 ? sum : outside(densities, span, grid.span(row + 1));
    if (found.first >= found.end) continue;
    left = std::min(left, found.first), right = std::max(right, found.end - 1);
    top = std::min(top, row), bottom = row;
  }

  double sum = 0;
  std::array<std::array<double, 3>, 2> thirds{};  // [axis, number % 3]
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t i = 0; i < 3; ++i) {
      sum += sums[row][i];
      thirds[0][row] += sums[row][i];
      thirds[1][i] += sums[row][i];
    }
  const auto change = [&](double part, double ways) { return std::abs(std::log(ways * part / sum)); };
  for (std::size_t k : {0, 1})
    for (const double third : thirds[k])
      if (grid.points[k] > 1) result.along[k] = std::max(result.along[k], change(third, 3));
  result.change = result.along[1];
  if (rows > 1)
    for (const auto& row : sums)
      for (const double ninth : row) result.change = std::max(result.change, change(ninth, 9));

  result.log_integral = most + std::log(sum);
  const std::array<Span, 2> found{{{top, bottom}, {left, right}}};
  for (std::size_t k : {0, 1}) {
    if (grid.points[k] == 1) continue;
    const long end = grid.points[k] - 1;
    result.log_integral += std::log(grid.spacing(k));
    result.inside[k] = {grid.node(k, std::max(0L, found[k].first - 1)), grid.node(k, std::min(end, found[k].end + 1))};
    const double scale = kDecayLength * static_cast<double>(end) / sum;
    result.beyond[k] = {scale * faces[k].low, scale * faces[k].high};
    result.gap = std::max(result.gap, scale * gap);
  }
  return result;
}

TrapeziumGrid refined(const TrapeziumGrid& before, const TrapeziumSummary& summary, std::array<long, 2> points) {
  TrapeziumGrid grid{summary.inside, points, {}};
  if (points[0] == 1) return grid;
  const long rows = before.points[0], last = points[1] - 1;
  for (long row = 0; row < points[0]; ++row) {
    const double above = (grid.node(0, row) - before.box[0].low) / before.spacing(0);
    Span near{before.points[1], 0};
    for (long r = std::max(0L, std::lround(std::floor(above)) - 1);
         r <= std::min(rows - 1, std::lround(std::ceil(above)) + 1); ++r) {
      const Span& of = summary.spans[static_cast<std::size_t>(r)];
      near = {std::min(near.first, of.first), std::max(near.end, of.end)};
    }
    if (near.first >= near.end) {
      grid.spans.push_back({0, 0});
      continue;
    }
    const auto number = [&](long i) { return (before.node(1, i) - grid.box[1].low) / grid.spacing(1); };
    grid.spans.push_back({std::clamp(std::lround(std::floor(number(near.first - 1))), 0L, last),
                          std::clamp(std::lround(std::ceil(number(near.end))), 0L, last) + 1});
  }
  return grid;
}

}  // namespace vida
