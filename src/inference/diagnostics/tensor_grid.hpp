#pragma once

#include <array>
#include <span>
#include <vector>

#include "vida/quadrature.hpp"

namespace vida {

/// Nodes and weights along each axis of a box in 1 to 3 dimensions.
struct TensorGrid {
  std::vector<std::vector<double>> nodes, weights;  // [axis][node]

  long size() const {
    long count = 1;
    for (const auto& axis : nodes) count *= std::ssize(axis);
    return count;
  }
};

/// Calls visit(point, weight, index) for every node, the last axis fastest.
template <class Visit>
void for_each_node(const TensorGrid& grid, Visit visit) {
  const int d = static_cast<int>(grid.nodes.size());
  std::array<double, 3> point{};
  std::array<std::size_t, 3> position{};
  for (int axis = 0; axis < d; ++axis) point[axis] = grid.nodes[axis][0];
  for (long index = 0; index < grid.size(); ++index) {
    double weight = 1;
    for (int axis = 0; axis < d; ++axis) weight *= grid.weights[axis][position[axis]];
    visit(std::span<const double>(point.data(), d), weight, index);
    for (int axis = d - 1; axis >= 0; --axis) {
      position[axis] = position[axis] + 1 == grid.nodes[axis].size() ? 0 : position[axis] + 1;
      point[axis] = grid.nodes[axis][position[axis]];
      if (position[axis] > 0) break;
    }
  }
}

/// log_density(point), or InvalidArgument where it is NaN or +infinity.
double checked(const PointFunction& log_density, std::span<const double> point);

}  // namespace vida
