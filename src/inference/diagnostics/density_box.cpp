#include "inference/diagnostics/density_box.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "inference/diagnostics/tensor_grid.hpp"

namespace vida {

double checked(const PointFunction& log_density, std::span<const double> point) {
  const double value = log_density(point);
  if (std::isnan(value) || value == std::numeric_limits<double>::infinity())
    throw InvalidArgument(
        fmt::format("log_density is {} at [{}]; it must be finite, or -inf.", value, fmt::join(point, ", ")));
  return value;
}

namespace {

constexpr double kDrop = 60;              // exp(-60) times any box that fits is below the rounding of the integral
constexpr double kReach = 8;              // scales to either side of the centre that are scanned
constexpr int kWidenings = 100;           // each by half a width
constexpr int kCrops = 10;                // each to a half or less
constexpr int kScan[] = {1001, 101, 41};  // nodes an axis; odd, so that the centre is one of them

struct Best {
  std::vector<double> point;
  double value = -std::numeric_limits<double>::infinity();

  void offer(std::span<const double> other, double other_value) {
    if (!(other_value > value)) return;
    point.assign(other.begin(), other.end());
    value = other_value;
  }
};

double spacing(const Matrix& box, long axis) { return (box(axis, 1) - box(axis, 0)) / (kScan[box.extent(0) - 1] - 1); }

TensorGrid scan_grid(const Matrix& box) {
  TensorGrid grid;
  for (long axis = 0; axis < box.extent(0); ++axis) {
    std::vector<double> nodes(kScan[box.extent(0) - 1]);
    for (std::size_t i = 0; i < nodes.size(); ++i)
      nodes[i] = box(axis, 0) + static_cast<double>(i) * spacing(box, axis);
    grid.weights.emplace_back(nodes.size(), 1.0);
    grid.nodes.push_back(std::move(nodes));
  }
  return grid;
}

/// Uphill by compass search, from steps of the scan's spacing down to a millionth of it: near enough to the mode for a
/// threshold of exp(-60). Component `fixed` stays.
void climb(const PointFunction& log_density, const Matrix& box, Best& best, long fixed = -1) {
  if (best.point.empty()) return;
  std::vector<double> point = best.point;
  double step = 1;
  for (int round = 0; round < 20000 && step > 1e-6; ++round) {
    const double before = best.value;
    for (long axis = 0; axis < box.extent(0); ++axis)
      for (double sign : {1.0, -1.0}) {
        if (axis == fixed) continue;
        point = best.point;
        point[axis] += sign * step * spacing(box, axis);
        best.offer(point, checked(log_density, point));
      }
    if (!(best.value > before)) step /= 2;
  }
}

/// Largest value on one face: where it is crossed by a ridge narrower than the scan, the climb finds that.
double highest_on_face(const PointFunction& log_density, const Matrix& box, long axis, int side) {
  TensorGrid face = scan_grid(box);
  face.nodes[axis] = {box(axis, side)};
  face.weights[axis] = {1.0};
  Best best;
  for_each_node(face,
                [&](std::span<const double> point, double, long) { best.offer(point, checked(log_density, point)); });
  climb(log_density, box, best, axis);
  return best.value;
}

/// Moves faces out until the density is small on all of them. Returns whether one moved.
bool widen(const PointFunction& log_density, Matrix& box, const Best& best) {
  int count = 0;
  bool moved = true;
  while (moved) {
    moved = false;
    for (long axis = 0; axis < box.extent(0); ++axis)
      for (int side : {0, 1}) {
        if (highest_on_face(log_density, box, axis, side) <= best.value - kDrop) continue;
        if (++count > kWidenings)
          throw Error(
              fmt::format("The density does not fall below exp(-{}) of its mode up to {:.3g} in component {}. "
                          "Give a box, or check that it can be integrated.",
                          kDrop, box(axis, side), axis));
        box(axis, side) += (side == 0 ? -0.5 : 0.5) * (box(axis, 1) - box(axis, 0));
        moved = true;
      }
  }
  return count > 0;
}

/// The part of the box that holds what the scan found, with a node more on each side. Returns whether a
/// width was more than halved, so that another scan would see finer.
bool crop(const PointFunction& log_density, Matrix& box, Best& best) {
  const TensorGrid grid = scan_grid(box);
  std::vector<double> values(grid.size());
  for_each_node(grid, [&](std::span<const double> point, double, long index) {
    values[index] = checked(log_density, point);
    best.offer(point, values[index]);
  });
  climb(log_density, box, best);
  if (best.point.empty())
    throw Error(fmt::format(
        "The density is zero everywhere within {} scales of the centre. Give another centre, or a box.", kReach));
  Matrix cropped({box.extent(0), 2});
  for (long axis = 0; axis < box.extent(0); ++axis) cropped(axis, 0) = cropped(axis, 1) = best.point[axis];
  for_each_node(grid, [&](std::span<const double> point, double, long index) {
    if (values[index] <= best.value - kDrop) return;
    for (long axis = 0; axis < box.extent(0); ++axis) {
      cropped(axis, 0) = std::min(cropped(axis, 0), point[axis]);
      cropped(axis, 1) = std::max(cropped(axis, 1), point[axis]);
    }
  });
  bool halved = false;
  for (long axis = 0; axis < box.extent(0); ++axis) {
    cropped(axis, 0) -= spacing(box, axis);
    cropped(axis, 1) += spacing(box, axis);
    halved = halved || cropped(axis, 1) - cropped(axis, 0) < 0.5 * (box(axis, 1) - box(axis, 0));
  }
  box = cropped;
  return halved;
}

}  // namespace

Matrix find_box(const PointFunction& log_density, const Vector& centre, const Vector& scale) {
  const long d = centre.extent(0);
  Matrix box({d, 2});
  for (long axis = 0; axis < d; ++axis) {
    box(axis, 0) = centre[axis] - kReach * scale[axis];
    box(axis, 1) = centre[axis] + kReach * scale[axis];
  }
  Best best;
  for (int round = 0; round < kCrops; ++round) {
    const bool halved = crop(log_density, box, best);
    const bool widened = widen(log_density, box, best);
    if (!halved && !widened) break;
  }
  return box;
}

}  // namespace vida
