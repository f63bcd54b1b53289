#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "inference/diagnostics/density_box.hpp"
#include "inference/diagnostics/tensor_grid.hpp"

namespace vida {
namespace {

constexpr int kOrder = 16;        // nodes of a panel
constexpr long kFirstPanels = 4;  // an axis

TensorGrid panel_grid(const Matrix& box, long panels) {
  static const QuadratureRule rule = gauss_legendre(kOrder);
  TensorGrid grid;
  for (long axis = 0; axis < box.extent(0); ++axis) {
    const double half = 0.5 * (box(axis, 1) - box(axis, 0)) / static_cast<double>(panels);
    std::vector<double> nodes, weights;
    for (long panel = 0; panel < panels; ++panel)
      for (int i = 0; i < kOrder; ++i) {
        nodes.push_back(box(axis, 0) + half * (static_cast<double>(2 * panel + 1) + rule.nodes(i, 0)));
        weights.push_back(half * rule.weights[i]);
      }
    grid.nodes.push_back(std::move(nodes));
    grid.weights.push_back(std::move(weights));
  }
  return grid;
}

long evaluations(long dimension, long panels) {
  long count = 1;
  for (long axis = 0; axis < dimension; ++axis) count *= kOrder * panels;
  return count;
}

/// Probability of every node, and log of the integral.
struct NodeMasses {
  std::vector<double> mass;
  double log_evidence = 0;
};

NodeMasses node_masses(const PointFunction& log_density, const TensorGrid& grid) {
  NodeMasses result{std::vector<double>(grid.size())};
  for_each_node(grid, [&](std::span<const double> point, double, long index) {
    result.mass[index] = checked(log_density, point);
  });
  const double highest = *std::max_element(result.mass.begin(), result.mass.end());
  if (!std::isfinite(highest)) throw Error("The density is zero at every node of the box. Give a box that holds it.");
  double sum = 0;
  for_each_node(grid, [&](std::span<const double>, double weight, long index) {
    sum += result.mass[index] = weight * std::exp(result.mass[index] - highest);
  });
  for (double& mass : result.mass) mass /= sum;
  result.log_evidence = highest + std::log(sum);
  return result;
}

DensityMoments moments_on(const PointFunction& log_density, const TensorGrid& grid) {
  const long d = std::ssize(grid.nodes);
  const NodeMasses nodes = node_masses(log_density, grid);
  DensityMoments result{nodes.log_evidence, Vector({d}), Matrix({d, d}), Vector({d}), Vector({d})};
  for_each_node(grid, [&](std::span<const double> point, double, long index) {
    for (long a = 0; a < d; ++a) result.mean[a] += nodes.mass[index] * point[a];
  });
  for_each_node(grid, [&](std::span<const double> point, double, long index) {
    for (long a = 0; a < d; ++a) {
      const double off = point[a] - result.mean[a];
      for (long b = 0; b <= a; ++b) result.covariance(a, b) += nodes.mass[index] * off * (point[b] - result.mean[b]);
      result.skewness[a] += nodes.mass[index] * off * off * off;
      result.kurtosis[a] += nodes.mass[index] * off * off * off * off;
    }
  });
  for (long a = 0; a < d; ++a) {
    const double variance = result.covariance(a, a);
    for (long b = 0; b < a; ++b) result.covariance(b, a) = result.covariance(a, b);
    result.skewness[a] /= variance * std::sqrt(variance);
    result.kurtosis[a] /= variance * variance;
  }
  return result;
}

/// Largest difference of two refinements, each in its own unit; NaN when there is one.
double difference(const DensityMoments& a, const DensityMoments& b) {
  const long d = a.mean.extent(0);
  double largest = std::abs(a.log_evidence - b.log_evidence);
  const auto take = [&](double x, double y, double unit) {
    const double value = std::abs(x - y) / unit;
    if (!(value <= largest)) largest = value;
  };
  for (long i = 0; i < d; ++i) {
    take(a.mean[i], b.mean[i], std::sqrt(b.covariance(i, i)));
    take(a.skewness[i], b.skewness[i], 1 + std::abs(b.skewness[i]));
    take(a.kurtosis[i], b.kurtosis[i], b.kurtosis[i]);
    for (long j = 0; j <= i; ++j)
      take(a.covariance(i, j), b.covariance(i, j), std::sqrt(b.covariance(i, i) * b.covariance(j, j)));
  }
  return largest;
}

[[noreturn]] void not_converged(const char* what, double change, double tolerance, long count) {
  throw Error(
      fmt::format("The quadrature did not converge: {} still changes by {:.2g} at {} evaluations, and the "
                  "tolerance is {:.2g}. Densities must be smooth inside the box; give a closer box, a larger "
                  "tolerance or more evaluations.",
                  what, change, count, tolerance));
}

void check_options(const QuadratureOptions& options, long dimension) {
  if (dimension < 1 || dimension > 3)
    throw InvalidArgument(
        fmt::format("dimension is {}; quadrature works in 1 to 3. Use importance sampling beyond.", dimension));
  const auto check_vector = [&](const char* name, const Vector& values, bool positive) {
    if (values.empty()) return;
    if (values.extent(0) != dimension)
      throw InvalidArgument(
          fmt::format("{} has shape {}, expected [{}].", name, to_string<1>(values.extents()), dimension));
    for (double value : values)
      if (!std::isfinite(value) || (positive && value <= 0))
        throw InvalidArgument(
            fmt::format("{} holds {}; it must be {}.", name, value, positive ? "positive" : "finite"));
  };
  check_vector("centre", options.centre, false);
  check_vector("scale", options.scale, true);
  if (!options.box.empty() && options.box.extents() != Extents<2>{dimension, 2})
    throw InvalidArgument(
        fmt::format("box has shape {}, expected [{}, 2].", to_string<2>(options.box.extents()), dimension));
  for (long axis = 0; axis < options.box.extent(0); ++axis)
    if (!(std::isfinite(options.box(axis, 0)) && std::isfinite(options.box(axis, 1)) &&
          options.box(axis, 0) < options.box(axis, 1)))
      throw InvalidArgument(fmt::format("box[{}] is [{}, {}]; a lower and a greater upper bound are needed.", axis,
                                        options.box(axis, 0), options.box(axis, 1)));
  if (!(options.tolerance > 0))
    throw InvalidArgument(fmt::format("tolerance is {}; it must be positive.", options.tolerance));
  if (options.max_evaluations < evaluations(dimension, 2 * kFirstPanels))
    throw InvalidArgument(fmt::format("max_evaluations is {}; two refinements need {} in {} dimensions.",
                                      options.max_evaluations, evaluations(dimension, 2 * kFirstPanels), dimension));
}

}  // namespace

DensityQuadrature::DensityQuadrature(PointFunction log_density, int dimension, const QuadratureOptions& options)
    : log_density_(std::move(log_density)), options_(options) {
  check_options(options_, dimension);
  if (options_.centre.empty()) options_.centre = Vector({dimension});
  if (options_.scale.empty()) options_.scale = Vector({dimension}, 1.0);
  box_ = options_.box.empty() ? find_box(log_density_, options_.centre, options_.scale) : options_.box;

  panels_ = kFirstPanels;
  moments_ = moments_on(log_density_, panel_grid(box_, panels_));
  for (double change = std::numeric_limits<double>::infinity(); !(change <= options_.tolerance);) {
    if (evaluations(dimension, 2 * panels_) > options_.max_evaluations)
      not_converged("a moment", change, options_.tolerance, evaluations(dimension, panels_));
    panels_ *= 2;
    const DensityMoments finer = moments_on(log_density_, panel_grid(box_, panels_));
    change = difference(moments_, finer);
    moments_ = finer;
  }
}

double DensityQuadrature::expectation(const PointFunction& f) const {
  struct Value {
    double mean = 0, magnitude = 0;
  };
  const auto value_with = [&](long panels) {
    const TensorGrid grid = panel_grid(box_, panels);
    const NodeMasses nodes = node_masses(log_density_, grid);
    Value value;
    for_each_node(grid, [&](std::span<const double> point, double, long index) {
      if (nodes.mass[index] == 0) return;  // f may overflow where there is nothing
      const double at_node = f(point);
      value.mean += nodes.mass[index] * at_node;
      value.magnitude += nodes.mass[index] * std::abs(at_node);
    });
    return value;
  };
  const long dimension = box_.extent(0);
  long panels = panels_ / 2;
  Value value = value_with(panels);
  for (double change = std::numeric_limits<double>::infinity(); !(change <= options_.tolerance * value.magnitude);) {
    if (evaluations(dimension, 2 * panels) > options_.max_evaluations)
      not_converged("the expectation", change, options_.tolerance * value.magnitude, evaluations(dimension, panels));
    panels *= 2;
    const Value finer = value_with(panels);
    change = std::abs(finer.mean - value.mean);
    value = finer;
  }
  return value.mean;
}

DensityMoments quadrature_moments(const PointFunction& log_density, int dimension, const QuadratureOptions& options) {
  return DensityQuadrature(log_density, dimension, options).moments();
}

double quadrature_expectation(const PointFunction& f, const PointFunction& log_density, int dimension,
                              const QuadratureOptions& options) {
  return DensityQuadrature(log_density, dimension, options).expectation(f);
}

}  // namespace vida
