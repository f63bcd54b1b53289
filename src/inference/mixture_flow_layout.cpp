#include "inference/mixture_flow_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "vida/error.hpp"

namespace vida {
namespace {

void validate_split(const MixtureFlowShape& shape, int layer) {
  std::vector<int> marks(static_cast<std::size_t>(shape.dimension), 0);
  const auto& moved = shape.moved[static_cast<std::size_t>(layer)];
  for (const int k : moved) {
    if (k < 0 || k >= shape.dimension)
      throw InvalidArgument(
          fmt::format("flow.moved: layer {} moves coordinate {}, expected 0 .. {}.", layer, k, shape.dimension - 1));
    if (marks[static_cast<std::size_t>(k)]++)
      throw InvalidArgument(fmt::format("flow.moved: layer {} moves coordinate {} twice.", layer, k));
  }
  if (moved.empty()) throw InvalidArgument(fmt::format("flow.moved: layer {} moves no coordinate.", layer));
  if (std::ssize(moved) == shape.dimension && shape.context == 0)
    throw InvalidArgument(fmt::format(
        "flow.moved: layer {} moves every coordinate, and there is no context to move them by. Keep one.", layer));
}

}  // namespace

void validate(const MixtureFlowShape& shape) {
  const auto at_least = [](const char* name, int value, int least) {
    if (value < least) throw InvalidArgument(fmt::format("flow.{} is {}, expected at least {}.", name, value, least));
  };
  at_least("dimension", shape.dimension, 1);
  at_least("context", shape.context, 0);
  at_least("layers", static_cast<int>(shape.moved.size()), 1);
  at_least("hidden", shape.hidden, 1);
  at_least("depth", shape.depth, 1);
  at_least("components", shape.components, 0);
  if (const long most = std::numeric_limits<int>::max() / (3L * shape.dimension) - 1; shape.components > most)
    throw InvalidArgument(fmt::format("flow.components is {}, expected at most {} for {} coordinates.",
                                      shape.components, most, shape.dimension));
  if (!(shape.scale_limit > 0) || !std::isfinite(shape.scale_limit))
    throw InvalidArgument(fmt::format("flow.scale_limit is {}, expected a positive number.", shape.scale_limit));
  for (int layer = 0; layer < static_cast<int>(shape.moved.size()); ++layer) validate_split(shape, layer);
}

std::vector<int> MixtureFlowLayout::kept(int layer) const {
  std::vector<int> result;
  for (int k = 0; k < shape.dimension; ++k)
    if (std::find(moved(layer).begin(), moved(layer).end(), k) == moved(layer).end()) result.push_back(k);
  return result;
}

NetworkLayout MixtureFlowLayout::net(int layer) const {
  const int m = static_cast<int>(moved(layer).size());
  NetworkLayout net{.inputs = shape.dimension - m + shape.context,
                    .widths = std::vector<int>(static_cast<std::size_t>(shape.depth), shape.hidden)};
  net.widths.push_back(m * outputs_each());
  return net;
}

long MixtureFlowLayout::offset(int layer) const {
  long total = 0;
  for (int i = 0; i < layer; ++i) total += net(i).size();
  return total;
}

std::vector<std::vector<int>> image_splits(int height, int width, int layers) {
  if (height < 1 || width < 1 || height * width < 2)
    throw InvalidArgument(
        fmt::format("a block of {} x {} pixels has no two halves, expected at least two pixels.", height, width));
  const auto half = [&](int kind, int row, int column) -> bool {
    switch (kind) {
      case 0:
        return (row + column) % 2;
      case 1:
        return height > 1 ? 2 * row >= height : 2 * column >= width;
      case 2:
        return height > 1 ? row % 2 : column % 2;
      case 3:
        return width > 1 ? column % 2 : row % 2;
      default:
        return width > 1 ? 2 * column >= width : 2 * row >= height;
    }
  };
  std::vector<std::vector<int>> result;
  for (int layer = 0; layer < layers; ++layer) {
    result.emplace_back();
    for (int row = 0; row < height; ++row)
      for (int column = 0; column < width; ++column)
        if (half(layer / 2 % 5, row, column) == (layer % 2 == 0)) result.back().push_back(row * width + column);
  }
  return result;
}

std::vector<FlowTensor> flow_tensors(const MixtureFlowShape& shape) {
  validate(shape);
  const MixtureFlowLayout layout(shape);
  std::vector<FlowTensor> tensors;
  for (int i = 0; i < layout.layers(); ++i) {
    const NetworkLayout net = layout.net(i);
    for (int k = 0; k < net.maps(); ++k) {
      const std::string name = fmt::format("params.layers.{}.{}.", i, k);
      tensors.push_back({name + "weight", layout.offset(i) + net.weight(k), {net.out(k), net.in(k)}});
      tensors.push_back({name + "bias", layout.offset(i) + net.bias(k), {net.out(k)}});
    }
  }
  return tensors;
}

long flow_parameter_count(const MixtureFlowShape& shape) {
  validate(shape);
  return MixtureFlowLayout(shape).size();
}

std::vector<double> initial_flow_parameters(const MixtureFlowShape& shape, std::uint64_t seed) {
  validate(shape);
  const MixtureFlowLayout layout(shape);
  std::vector<double> parameters;
  for (int i = 0; i < layout.layers(); ++i) {
    const NetworkLayout net = layout.net(i);
    const long first = std::ssize(parameters), last = first + net.weight(net.maps() - 1);
    const auto own = initial_network_parameters(net, seed, first);
    parameters.insert(parameters.end(), own.begin(), own.end());
    const long biases = first + net.bias(net.maps() - 1), m = std::ssize(layout.moved(i)), K = shape.components;
    for (long e = last; e < biases; ++e)
      parameters[static_cast<std::size_t>(e)] =
          0.01 *
          standard_normal({.seed = seed, .stream = Stream::initial_state, .problem = 1}, static_cast<std::uint32_t>(e));
    for (long row = 0; row < net.outputs(); ++row) {
      const long k = row / m - 2 - K;  // of the blocks of means
      parameters[static_cast<std::size_t>(biases + row)] =
          k >= 0 && k < K ? (K > 1 ? 3.0 * static_cast<double>(k) / static_cast<double>(K - 1) - 1.5 : 0.0) : 0.0;
    }
  }
  return parameters;
}

}  // namespace vida
