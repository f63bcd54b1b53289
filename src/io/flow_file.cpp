#include "io/flow_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "inference/flow_layout.hpp"
#include "io/safetensors.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

constexpr const char* kFormat = "vida-flow";
constexpr const char* kInpainting = "vida-inpainting";
constexpr const char* kPrefix = "params.layers.";
constexpr int kLargest = 1 << 20;  // of a number of the shape: what it multiplies to stays far below 2^63

struct ShapeKey {
  const char* name;
  int FlowShape::*member;
};
constexpr std::array kShapeKeys = {ShapeKey{"dimension", &FlowShape::dimension},
                                   ShapeKey{"context", &FlowShape::context}, ShapeKey{"layers", &FlowShape::layers},
                                   ShapeKey{"hidden", &FlowShape::hidden}, ShapeKey{"depth", &FlowShape::depth}};

bool is_own(const std::string& key) {
  return key == "format" || key == "scale_limit" ||
         std::any_of(kShapeKeys.begin(), kShapeKeys.end(), [&](const ShapeKey& own) { return key == own.name; });
}

std::size_t size_of(long count) { return static_cast<std::size_t>(count); }

std::string text_of(const FlowShape& shape) {
  return fmt::format("a flow with dimension = {}, context = {}, layers = {}, hidden = {}, depth = {}", shape.dimension,
                     shape.context, shape.layers, shape.hidden, shape.depth);
}

/// Where the first weight that is not finite stands; empty when there is none.
std::string not_finite(const std::vector<FlowTensor>& tensors, const Matrix& parameters) {
  for (long problem = 0; problem < parameters.extent(0); ++problem)
    for (const FlowTensor& tensor : tensors) {
      long count = 1;
      for (long extent : tensor.extents) count *= extent;
      for (long i = 0; i < count; ++i) {
        const double value = parameters(problem, tensor.offset + i);
        if (std::isfinite(value)) continue;
        const std::string at = tensor.extents.size() == 2
                                   ? fmt::format("[{}, {}]", i / tensor.extents[1], i % tensor.extents[1])
                                   : fmt::format("[{}]", i);
        return fmt::format("tensor '{}' of problem {} holds {} at {}; every weight must be finite", tensor.name,
                           problem, value, at);
      }
    }
  return "";
}

/// A file of weights while its flow is found.
class FlowReader {
 public:
  explicit FlowReader(const std::filesystem::path& path) : file_(path), where_(fmt::format("'{}'", path.string())) {
    for (const auto& name : file_.names())
      if (name.starts_with(kPrefix)) names_.insert(name);
  }

  SavedFlows read() const {
    const auto format = file_.metadata.find("format");
    if (names_.empty())
      throw FileError(
          fmt::format("{} holds no tensors of a flow: none is called {}0.scale.0.weight. Give a file that vida wrote, "
                      "or name the weights {}{{i}}.{{scale|shift}}.{{k}}.{{weight|bias}}.",
                      where_, kPrefix, kPrefix));
    if (format != file_.metadata.end() && format->second == kInpainting)
      throw FileError(
          fmt::format("{} holds an in-painting model, whose context are images. Use it in job \"inpainting\" "
                      "as weights.",
                      where_));
    const bool own = format != file_.metadata.end() && format->second == kFormat;
    SavedFlows flows;
    flows.shape = own ? stated_shape() : inferred_shape();
    for (const auto& [key, text] : file_.metadata)
      if (!is_own(key)) flows.metadata.emplace(key, text);
    const auto tensors = expected_tensors(flows.shape);
    const bool batched = tensor(weight(0, 0)).shape.size() == 3;
    const long problems = batched ? tensor(tensors.front().name).shape.front() : 1;
    if (problems < 1) throw FileError(fmt::format("{} holds no problem: the first axis of its tensors is 0.", where_));
    for (const FlowTensor& t : tensors) require_shape(flows.shape, t, batched ? problems : 0);
    flows.parameters = Matrix({problems, flow_parameter_count(flows.shape)});
    for (const FlowTensor& t : tensors) fill(flows, t);
    if (const auto bad = not_finite(tensors, flows.parameters); !bad.empty())
      throw FileError(fmt::format("{}: {}. Train the flow again, or give another file.", where_, bad));
    return flows;
  }

 private:
  static std::string weight(int layer, int map) { return fmt::format("{}{}.scale.{}.weight", kPrefix, layer, map); }

  const Tensor& tensor(const std::string& name) const {
    if (!file_.has(name))
      throw FileError(
          fmt::format("{} holds no tensor '{}', which its flow needs: the weights are incomplete, or "
                      "of another architecture than the metadata say. Write the file again.",
                      where_, name));
    return file_.tensor(name);
  }

  /// [out, in] of a weight, behind the axis of problems when there is one.
  std::array<long, 2> extents(int layer, int map) const {
    const std::string name = weight(layer, map);
    const auto& shape = tensor(name).shape;
    if (shape.size() != 2 && shape.size() != 3)
      throw FileError(
          fmt::format("{}: tensor '{}' has shape [{}]; a weight is [out, in], or [problem, out, in] for several "
                      "problems.",
                      where_, name, fmt::join(shape, ", ")));
    const auto rows = shape[shape.size() - 2], columns = shape.back();
    if (rows > kLargest || columns > kLargest)
      throw FileError(fmt::format("{}: tensor '{}' has shape [{}]; at most {} rows and columns can be used.", where_,
                                  name, fmt::join(shape, ", "), kLargest));
    return {rows, columns};
  }

  std::optional<int> whole(const char* key) const {
    const auto found = file_.metadata.find(key);
    if (found == file_.metadata.end()) return {};
    const std::string& text = found->second;
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > kLargest)
      throw FileError(fmt::format("{}: its metadata say {} = \"{}\"; expected a whole number from 0 to {}.", where_,
                                  key, text, kLargest));
    return value;
  }

  std::optional<double> scale_limit() const {
    const auto found = file_.metadata.find("scale_limit");
    if (found == file_.metadata.end()) return {};
    const std::string& text = found->second;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !(value > 0) || !std::isfinite(value))
      throw FileError(
          fmt::format("{}: its metadata say scale_limit = \"{}\"; expected a positive number.", where_, text));
    return value;
  }

  FlowShape stated_shape() const {
    FlowShape shape;
    const auto missing = [&](const char* key) {
      return FileError(fmt::format("{}: its metadata lack {}, which a file of format \"{}\" has. Write the file again.",
                                   where_, key, kFormat));
    };
    for (const ShapeKey& key : kShapeKeys) {
      const auto value = whole(key.name);
      if (!value) throw missing(key.name);
      shape.*key.member = *value;
    }
    const auto limit = scale_limit();
    if (!limit) throw missing("scale_limit");
    shape.scale_limit = *limit;
    return shape;
  }

  /// The shape that names and extents tell: layer i puts out the coordinates of its parity, and reads the others and
  /// the context.
  FlowShape inferred_shape() const {
    FlowShape shape;
    shape.scale_limit = scale_limit().value_or(1);
    shape.layers = shape.depth = 0;
    while (file_.has(weight(shape.layers, 0))) ++shape.layers;
    while (file_.has(weight(0, shape.depth + 1))) ++shape.depth;
    const auto [hidden, in] = extents(0, 0);
    const long even = extents(0, shape.depth)[0];
    shape.hidden = static_cast<int>(hidden);
    if (shape.layers > 1)
      shape.dimension = static_cast<int>(even + extents(1, shape.depth)[0]);
    else if (const auto stated = whole("dimension"))
      shape.dimension = *stated;
    else if (in < even)
      shape.dimension = static_cast<int>(2 * even - 1);  // no context, and one coordinate fewer kept than moved
    else
      throw FileError(
          fmt::format("{} holds one layer, which may have dimension {} and context {}, or dimension {} and context {}. "
                      "Say which: add dimension to its metadata.",
                      where_, 2 * even, in - even, 2 * even - 1, in - even + 1));
    const long context = in - shape.dimension / 2;
    if (context < 0)
      throw FileError(
          fmt::format("{}: tensor '{}' has {} columns, but layer 0 of dimension {} keeps {} coordinates: these are "
                      "weights of another architecture.",
                      where_, weight(0, 0), in, shape.dimension, shape.dimension / 2));
    shape.context = static_cast<int>(context);
    return shape;
  }

  /// The tensors of a flow of this shape; the file holds each of them and no other of a flow.
  std::vector<FlowTensor> expected_tensors(const FlowShape& shape) const {
    try {
      validate(shape);
    } catch (const InvalidArgument& error) {
      throw FileError(fmt::format("{}: {}", where_, error.what()));
    }
    // one by one, before as much memory is taken as damaged metadata may ask for
    for (int layer = 0; layer < shape.layers; ++layer)
      for (const char* net : {"scale", "shift"})
        for (int map = 0; map <= shape.depth; ++map)
          for (const char* part : {"weight", "bias"})
            tensor(fmt::format("{}{}.{}.{}.{}", kPrefix, layer, net, map, part));
    std::vector<FlowTensor> tensors = flow_tensors(shape);
    std::set<std::string> rest = names_;
    for (const FlowTensor& t : tensors) rest.erase(t.name);
    if (!rest.empty())
      throw FileError(
          fmt::format("{} holds tensor '{}', which {} has not: these are weights of another architecture. Give the "
                      "file of such a flow, or correct its metadata.",
                      where_, *rest.begin(), text_of(shape)));
    return tensors;
  }

  /// problems: the length of the leading axis, 0 without one.
  void require_shape(const FlowShape& flow, const FlowTensor& expected, long problems) const {
    auto shape = expected.extents;
    if (problems > 0) shape.insert(shape.begin(), problems);
    const Tensor& found = tensor(expected.name);
    if (found.shape != shape)
      throw FileError(
          fmt::format("{}: tensor '{}' has shape [{}], but {} needs [{}]: these are weights of another architecture. "
                      "Give the file of such a flow, or correct its metadata.",
                      where_, expected.name, fmt::join(found.shape, ", "), text_of(flow), fmt::join(shape, ", ")));
  }

  void fill(SavedFlows& flows, const FlowTensor& expected) const {
    const auto copy = [&](const auto& values) {
      const std::size_t each = values.size() / size_of(flows.parameters.extent(0));
      for (long p = 0; p < flows.parameters.extent(0); ++p)
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(size_of(p) * each), each,
                    &flows.parameters(p, expected.offset));
    };
    std::visit(copy, tensor(expected.name).values);
  }

  Safetensors file_;
  std::string where_;
  std::set<std::string> names_;  // of the tensors of a flow
};

}  // namespace

void write_flows(const std::filesystem::path& path, const SavedFlows& flows) {
  const auto tensors = flow_tensors(flows.shape);
  const long problems = flows.parameters.extent(0), count = flow_parameter_count(flows.shape);
  if (problems < 1 || flows.parameters.extent(1) != count)
    throw InvalidArgument(fmt::format("parameters have shape {}, but {} needs [problem, {}].",
                                      to_string<2>(flows.parameters.extents()), text_of(flows.shape), count));
  if (const auto bad = not_finite(tensors, flows.parameters); !bad.empty())
    throw InvalidArgument(fmt::format("'{}' is not written: {}.", path.string(), bad));
  Safetensors file;
  file.metadata = flows.metadata;
  const auto note = [&](const std::string& key, const std::string& text) {
    if (!file.metadata.emplace(key, text).second)
      throw InvalidArgument(
          fmt::format("The note '{}' is one of vida's own in a file of flows. Give it another name.", key));
  };
  note("format", kFormat);
  for (const ShapeKey& key : kShapeKeys) note(key.name, fmt::format("{}", flows.shape.*key.member));
  note("scale_limit", fmt::format("{}", flows.shape.scale_limit));
  for (const FlowTensor& t : tensors) {
    long each = 1;
    for (long extent : t.extents) each *= extent;
    auto extents = t.extents;
    if (problems > 1) extents.insert(extents.begin(), problems);
    std::vector<double> values;
    for (long p = 0; p < problems; ++p) {
      const double* from = &flows.parameters(p, t.offset);
      values.insert(values.end(), from, from + each);
    }
    file.put(t.name, Tensor{extents, std::move(values)});
  }
  file.write(path);
}

SavedFlows read_flows(const std::filesystem::path& path) { return FlowReader(path).read(); }

}  // namespace vida::io
