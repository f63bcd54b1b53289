#include "inference/flow_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "inference/uniforms.hpp"
#include "vida/error.hpp"

namespace vida {

void validate(const FlowShape& shape) {
  if (shape.dimension < 2)
    throw InvalidArgument(
        fmt::format("flow.dimension is {}, expected at least 2: a coupling layer moves some coordinates by the others. "
                    "Use a Gaussian for one dimension.",
                    shape.dimension));
  const auto at_least = [](const char* name, int value, int least) {
    if (value < least) throw InvalidArgument(fmt::format("flow.{} is {}, expected at least {}.", name, value, least));
  };
  at_least("context", shape.context, 0);
  at_least("layers", shape.layers, 1);
  at_least("hidden", shape.hidden, 1);
  at_least("depth", shape.depth, 1);
  if (!(shape.scale_limit > 0) || !std::isfinite(shape.scale_limit))
    throw InvalidArgument(fmt::format("flow.scale_limit is {}, expected a positive number.", shape.scale_limit));
}

std::vector<FlowTensor> flow_tensors(const FlowShape& shape) {
  validate(shape);
  const FlowLayout layout(shape);
  std::vector<FlowTensor> tensors;
  for (int i = 0; i < shape.layers; ++i)
    for (int net = 0; net < 2; ++net)
      for (int k = 0; k < layout.maps(); ++k) {
        const std::string name = fmt::format("params.layers.{}.{}.{}.", i, net ? "shift" : "scale", k);
        const long shift = net * layout.net_size(i), out = layout.outputs(i, k), in = layout.inputs(i, k);
        tensors.push_back({name + "weight", layout.weight(i, k) + shift, {out, in}});
        tensors.push_back({name + "bias", layout.bias(i, k) + shift, {out}});
      }
  return tensors;
}

long flow_parameter_count(const FlowShape& shape) {
  validate(shape);
  return FlowLayout(shape).size();
}

std::vector<double> initial_flow_parameters(const FlowShape& shape, std::uint64_t seed, std::uint32_t problem,
                                            bool zero_last) {
  std::vector<double> parameters(static_cast<std::size_t>(flow_parameter_count(shape)));
  const FlowLayout layout(shape);
  for (int i = 0; i < shape.layers; ++i)
    for (int net = 0; net < 2; ++net)
      for (int k = 0; k < layout.maps(); ++k) {
        if (zero_last && k == shape.depth) continue;
        const long first = layout.weight(i, k) + net * layout.net_size(i);
        const double bound = 1 / std::sqrt(static_cast<double>(std::max(layout.inputs(i, k), 1)));
        for (long e = first; e < first + layout.map_size(i, k); ++e)
          parameters[static_cast<std::size_t>(e)] = bound * symmetric_uniform(seed, Stream::initial_state, problem, e);
      }
  return parameters;
}

}  // namespace vida
