#pragma once

#include "inference/network.hpp"
#include "vida/mixture_flow.hpp"

namespace vida {

/// Throws InvalidArgument for a shape that cannot be.
void validate(const MixtureFlowShape& shape);

/// Where the parameters of a flow lie.
struct MixtureFlowLayout {
  explicit MixtureFlowLayout(const MixtureFlowShape& s) : shape(s) {}
  MixtureFlowShape shape;

  int layers() const { return static_cast<int>(shape.moved.size()); }
  const std::vector<int>& moved(int layer) const { return shape.moved[static_cast<std::size_t>(layer)]; }
  /// The coordinates that a layer keeps, in order.
  std::vector<int> kept(int layer) const;
  int outputs_each() const { return 2 + 3 * shape.components; }  ///< rows of a net for each moved coordinate
  NetworkLayout net(int layer) const;
  long offset(int layer) const;  ///< of a layer's parameters
  long size() const { return offset(layers()); }
};

}  // namespace vida
