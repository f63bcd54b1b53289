#include "io/inpainting_file.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "io/safetensors.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

constexpr const char* kFormat = "vida-inpainting";
constexpr long kLargest = 1 << 20;  // of a number of the shape

struct ShapeKey {
  const char* name;
  int* value;
};

/// The whole numbers of a model, by name.
std::array<ShapeKey, 15> shape_keys(InpaintingShape& s, ClassifierShape& c) {
  c.hidden.resize(2);
  return {{{"rows", &s.rows},
           {"columns", &s.columns},
           {"top", &s.block.top},
           {"left", &s.block.left},
           {"height", &s.block.height},
           {"width", &s.block.width},
           {"encoder", &s.encoder},
           {"features", &s.features},
           {"layers", &s.layers},
           {"hidden", &s.hidden},
           {"depth", &s.depth},
           {"components", &s.components},
           {"classifier_first", &c.hidden[0]},
           {"classifier_second", &c.hidden[1]},
           {"classes", &c.classes}}};
}

template <class Number>
Number number_in(const std::map<std::string, std::string>& metadata, const std::string& key, const std::string& where) {
  const auto found = metadata.find(key);
  const std::string text = found == metadata.end() ? "" : found->second;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    throw FileError(fmt::format("{}: its metadata say {} = \"{}\"; expected a number. Give a file that vida wrote.",
                                where, key, text));
  return value;
}

void put_all(Safetensors& file, const std::vector<FlowTensor>& tensors, const std::vector<double>& parameters) {
  for (const FlowTensor& t : tensors) {
    long count = 1;
    for (const long extent : t.extents) count *= extent;
    const auto first = parameters.begin() + t.offset;
    file.put(t.name, Tensor{t.extents, std::vector<float>(first, first + count)});
  }
}

/// The values of a tensor of exactly this shape.
std::vector<double> values_of(const Safetensors& file, const std::string& name, const std::vector<long>& extents) {
  if (extents.size() == 2) {
    const auto array = file.array<double, 2>(name, {extents[0], extents[1]});
    return {array.begin(), array.end()};
  }
  const auto array = file.array<double, 1>(name, {extents[0]});
  return {array.begin(), array.end()};
}

std::vector<double> get_all(const Safetensors& file, const std::vector<FlowTensor>& tensors, const std::string& where) {
  std::vector<double> parameters;
  for (const FlowTensor& t : tensors) {
    const auto values = values_of(file, t.name, t.extents);
    for (const double value : values)
      if (!std::isfinite(value))
        throw FileError(fmt::format("{}: tensor '{}' holds {}; expected numbers.", where, t.name, value));
    parameters.insert(parameters.end(), values.begin(), values.end());
  }
  return parameters;
}

}  // namespace

void write_inpainting(const std::filesystem::path& path, const SavedInpainting& model) {
  Safetensors file;
  SavedInpainting copy = model;
  file.metadata["format"] = kFormat;
  for (const ShapeKey& key : shape_keys(copy.shape, copy.classifier))
    file.metadata[key.name] = std::to_string(*key.value);
  file.metadata["scale_limit"] = fmt::format("{}", model.shape.scale_limit);
  put_all(file, inpainting_tensors(model.shape), model.parameters);
  put_all(file, classifier_tensors(model.classifier), model.classifier_parameters);
  const long d = model.map.size();
  file.put("pixel_map.lower", Tensor{{d, 257}, model.map.lower()});
  file.put("pixel_map.upper", Tensor{{d, 257}, model.map.upper()});
  file.put("pixel_map.mean", Tensor{{d}, model.map.mean()});
  file.put("pixel_map.deviation", Tensor{{d}, model.map.deviation()});
  file.write(path);
}

SavedInpainting read_inpainting(const std::filesystem::path& path, const std::string& setting) {
  const Safetensors file(path, setting);
  const std::string where = fmt::format("{}'{}'", setting.empty() ? "" : setting + ": ", path.string());
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != kFormat)
    throw FileError(
        fmt::format("{} is no in-painting model: its metadata say format = \"{}\", expected \"{}\". Give the "
                    "model.safetensors of a run of job \"inpainting\".",
                    where, format == file.metadata.end() ? "" : format->second, kFormat));
  InpaintingShape shape;
  ClassifierShape classifier;
  for (const ShapeKey& key : shape_keys(shape, classifier)) {
    const long value = number_in<long>(file.metadata, key.name, where);
    if (value < 0 || value > kLargest)
      throw FileError(fmt::format("{}: its metadata say {} = {}; expected 0 .. {}.", where, key.name, value, kLargest));
    *key.value = static_cast<int>(value);
  }
  if (long{shape.rows} * shape.columns > kLargest)
    throw FileError(fmt::format("{}: its metadata say rows = {} and columns = {}; expected at most {} pixels.", where,
                                shape.rows, shape.columns, kLargest));
  shape.scale_limit = number_in<double>(file.metadata, "scale_limit", where);
  classifier.pixels = shape.rows * shape.columns;
  try {
    validate_block(shape);
    // the map and the names first: they bound what the list of tensors takes, which damaged metadata may ask for
    const long d = shape.unknown();
    const auto table = [&](const char* name) { return values_of(file, name, {d, 257}); };
    const PixelMap map(static_cast<int>(d), table("pixel_map.lower"), table("pixel_map.upper"),
                       values_of(file, "pixel_map.mean", {d}), values_of(file, "pixel_map.deviation", {d}));
    for (int layer = 0; layer < shape.layers; ++layer)
      for (int k = 0; k <= shape.depth; ++k) file.tensor(fmt::format("params.layers.{}.{}.weight", layer, k));
    auto parameters = get_all(file, inpainting_tensors(shape), where);
    return {shape, map, std::move(parameters), classifier, get_all(file, classifier_tensors(classifier), where)};
  } catch (const InvalidArgument& error) {
    throw FileError(fmt::format("{}: {}", where, error.what()));
  }
}

}  // namespace vida::io
