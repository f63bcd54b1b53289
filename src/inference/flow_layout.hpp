#pragma once

#include "vida/flow.hpp"

namespace vida {

/// Throws InvalidArgument for a shape that cannot be.
void validate(const FlowShape& shape);

/// Where the parameters of one flow lie. Coordinates parity(i), parity(i) + 2, ... move in layer i.
struct FlowLayout {
  explicit FlowLayout(const FlowShape& s) : shape(s) {}
  FlowShape shape;

  static int parity(int layer) { return layer % 2; }
  int moved(int layer) const { return (shape.dimension + 1 - parity(layer)) / 2; }
  int kept(int layer) const { return shape.dimension - moved(layer); }
  int maps() const { return shape.depth + 1; }  ///< linear maps of a net
  int inputs(int layer, int map) const { return map == 0 ? kept(layer) + shape.context : shape.hidden; }
  int outputs(int layer, int map) const { return map == shape.depth ? moved(layer) : shape.hidden; }
  /// Parameters of linear map `map`, and of a net.
  long map_size(int layer, int map) const { return (inputs(layer, map) + 1L) * outputs(layer, map); }
  long net_size(int layer) const {
    long size = 0;
    for (int map = 0; map < maps(); ++map) size += map_size(layer, map);
    return size;
  }
  /// Offset of a weight of the scale net; the shift net's lies net_size further.
  long weight(int layer, int map) const {
    long offset = 0;
    for (int i = 0; i < layer; ++i) offset += 2 * net_size(i);
    for (int k = 0; k < map; ++k) offset += map_size(layer, k);
    return offset;
  }
  long bias(int layer, int map) const {
    return weight(layer, map) + static_cast<long>(inputs(layer, map)) * outputs(layer, map);
  }
  long size() const { return weight(shape.layers, 0); }
};

}  // namespace vida
