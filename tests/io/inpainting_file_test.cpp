#include "io/inpainting_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "io/flow_file.hpp"
#include "io/safetensors.hpp"
#include "messages.hpp"
#include "scratch.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

using ::testing::HasSubstr;
using vida::testing::message_of;
namespace fs = std::filesystem;

fs::path scratch(const std::string& name) { return vida::testing::scratch("inpainting-file-test", name); }

/// Numbers that single precision holds.
std::vector<double> numbers(const std::vector<FlowTensor>& tensors) {
  std::vector<double> values;
  for (const FlowTensor& t : tensors)
    for (long i = 0; i < (t.extents.size() == 2 ? t.extents[0] * t.extents[1] : t.extents[0]); ++i)
      values.push_back(static_cast<float>(std::sin(static_cast<double>(values.size()) + 0.1)));
  return values;
}

/// A model of 4 x 5 pixels, of which 2 x 2 are unknown.
SavedInpainting some_model() {
  const InpaintingShape shape{.rows = 4,
                              .columns = 5,
                              .block = {1, 2, 2, 2},
                              .encoder = 6,
                              .features = 3,
                              .layers = 2,
                              .hidden = 7,
                              .depth = 1,
                              .components = 2,
                              .scale_limit = 1.0 / 3};
  const ClassifierShape classifier{.pixels = 20, .hidden = {5, 4}, .classes = 3};
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 400; ++i) bytes.push_back(static_cast<std::uint8_t>(i % 3 ? 0 : i * 37 % 256));
  return {shape, PixelMap(bytes, 4), numbers(inpainting_tensors(shape)), classifier,
          numbers(classifier_tensors(classifier))};
}

TEST(InpaintingFile, IsNotTakenForAFlow) {
  const fs::path path = scratch("model.safetensors");
  write_inpainting(path, some_model());
  EXPECT_THAT(
      message_of<FileError>([&] { read_flows(path); }),
      HasSubstr("holds an in-painting model, whose context are images. Use it in job \"inpainting\" as weights."));
}

TEST(InpaintingFile, ReturnsTheBitsItWasGiven) {
  const SavedInpainting model = some_model();
  const fs::path path = scratch("model.safetensors");
  write_inpainting(path, model);
  const SavedInpainting found = read_inpainting(path);
  const auto sizes = [](const InpaintingShape& s) {
    return std::vector<int>{s.rows,    s.columns,  s.block.top, s.block.left, s.block.height, s.block.width,
                            s.encoder, s.features, s.layers,    s.hidden,     s.depth,        s.components};
  };
  EXPECT_EQ(sizes(found.shape), sizes(model.shape));
  EXPECT_EQ(found.shape.scale_limit, model.shape.scale_limit);
  EXPECT_EQ(found.parameters, model.parameters);
  EXPECT_EQ(found.map.lower(), model.map.lower());
  EXPECT_EQ(found.map.upper(), model.map.upper());
  EXPECT_EQ(found.map.mean(), model.map.mean());
  EXPECT_EQ(found.map.deviation(), model.map.deviation());
  EXPECT_EQ(found.classifier.pixels, 20);
  EXPECT_EQ(found.classifier.hidden, model.classifier.hidden);
  EXPECT_EQ(found.classifier.classes, 3);
  EXPECT_EQ(found.classifier_parameters, model.classifier_parameters);
}

/// What reading says of a file whose content was changed.
std::string refusal(const std::function<void(Safetensors&, std::map<std::string, Tensor>&)>& change) {
  const fs::path path = scratch("changed.safetensors");
  write_inpainting(path, some_model());
  const Safetensors whole(path);
  Safetensors changed;
  changed.metadata = whole.metadata;
  std::map<std::string, Tensor> tensors;
  for (const auto& name : whole.names()) tensors[name] = whole.tensor(name);
  change(changed, tensors);
  for (const auto& [name, tensor] : tensors) changed.put(name, tensor);
  changed.write(path);
  const std::string message = message_of<FileError>([&] { read_inpainting(path, "weights"); });
  const std::string where = "weights: '" + path.string() + "'";
  EXPECT_TRUE(message.starts_with(where)) << message;
  return message.substr(std::min(message.size(), where.size()));
}

std::string refusal_of(const std::string& key, const std::string& text) {
  return refusal([&](Safetensors& file, auto&) { file.metadata[key] = text; });
}

std::string refusal_of(const std::string& name, const Tensor& tensor) {
  return refusal([&](Safetensors&, auto& tensors) { tensors[name] = tensor; });
}

TEST(InpaintingFile, RefusesFilesOfAnotherKind) {
  const fs::path path = scratch("other.safetensors");
  EXPECT_EQ(message_of<FileError>([&] { read_inpainting(path, "weights"); }),
            "weights: '" + path.string() + "' does not exist.");
  fs::create_directory(path);
  EXPECT_THAT(message_of<FileError>([&] { read_inpainting(path); }), HasSubstr("is a folder; a file is needed."));
  EXPECT_THAT(message_of<FileError>([&] { read_inpainting(fs::path(VIDA_TEST_DATA) / "flow_d2.nc"); }),
              HasSubstr("is not a safetensors file"));
  const std::string expected =
      "expected \"vida-inpainting\". Give the model.safetensors of a run of job \"inpainting\".";
  EXPECT_EQ(refusal_of("format", "vida-flow"),
            " is no in-painting model: its metadata say format = \"vida-flow\", " + expected);
  EXPECT_EQ(refusal([](Safetensors& file, auto&) { file.metadata.clear(); }),
            " is no in-painting model: its metadata say format = \"\", " + expected);
}

TEST(InpaintingFile, RefusesMetadataThatMeanNothing) {
  const std::string remedy = "; expected a number. Give a file that vida wrote.";
  EXPECT_EQ(refusal([](Safetensors& file, auto&) { file.metadata.erase("encoder"); }),
            ": its metadata say encoder = \"\"" + remedy);
  EXPECT_EQ(refusal_of("top", "one"), ": its metadata say top = \"one\"" + remedy);
  EXPECT_EQ(refusal_of("top", "1.5"), ": its metadata say top = \"1.5\"" + remedy);
  EXPECT_EQ(refusal_of("hidden", "99999999999999999999"),
            ": its metadata say hidden = \"99999999999999999999\"" + remedy);
  EXPECT_EQ(refusal_of("hidden", "1048577"), ": its metadata say hidden = 1048577; expected 0 .. 1048576.");
  EXPECT_EQ(refusal_of("depth", "-1"), ": its metadata say depth = -1; expected 0 .. 1048576.");
  EXPECT_EQ(refusal_of("rows", "1048576"),
            ": its metadata say rows = 1048576 and columns = 5; expected at most 1048576 pixels.");
  EXPECT_EQ(refusal_of("scale_limit", "nan"), ": flow.scale_limit is nan, expected a positive number.");
  EXPECT_EQ(refusal_of("layers", "0"), ": flow.layers is 0, expected at least 1.");
  EXPECT_THAT(refusal_of("height", "4"), HasSubstr("which do not lie in images of 4 x 5 pixels"));
  EXPECT_EQ(refusal_of("layers", "1048576"), " holds no tensor 'params.layers.2.0.weight'.");
  EXPECT_EQ(refusal_of("components", "1048576"),
            " holds 'params.layers.0.1.weight' with shape [16, 7]; [6291460, 7] is needed.");
  EXPECT_THAT(refusal([](Safetensors& file, auto&) {
                file.metadata["height"] = file.metadata["width"] = file.metadata["top"] = "1048576";
              }),
              HasSubstr("which do not lie in images of 4 x 5 pixels"));
}

TEST(InpaintingFile, RefusesWeightsOfAnotherArchitecture) {
  EXPECT_EQ(refusal_of("encoder", "8"), " holds 'encoder.0.weight' with shape [6, 16]; [8, 16] is needed.");
  EXPECT_EQ(refusal_of("classes", "4"), " holds 'classifier.2.weight' with shape [3, 4]; [4, 4] is needed.");
  for (const std::string name :
       {"encoder.1.bias", "head.0.weight", "params.layers.1.0.weight", "pixel_map.lower", "pixel_map.deviation"})
    EXPECT_EQ(refusal([&](Safetensors&, auto& tensors) { EXPECT_EQ(tensors.erase(name), 1u) << name; }),
              " holds no tensor '" + name + "'.");
  EXPECT_EQ(refusal_of("head.0.bias", Tensor{{4, 1}, std::vector<float>(4)}),
            " holds 'head.0.bias' with shape [4, 1]; [4] is needed.");
  EXPECT_EQ(refusal_of("pixel_map.mean", Tensor{{3}, std::vector<double>(3)}),
            " holds 'pixel_map.mean' with shape [3]; [4] is needed.");
  EXPECT_EQ(refusal_of("pixel_map.upper", Tensor{{4, 257}, std::vector<double>(4 * 257)}),
            ": a pixel map's lower and upper of pixel 0: expected F rising from 0 to 1, and 1 - F falling to 0.");
  EXPECT_EQ(refusal_of("head.0.bias", Tensor{{4}, std::vector<float>{0, NAN, 0, 0}}),
            ": tensor 'head.0.bias' holds nan; expected numbers.");
}

TEST(InpaintingFile, RefusesAFileThatIsCutShort) {
  const fs::path path = scratch("cut.safetensors");
  write_inpainting(path, some_model());
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_THAT(message_of<FileError>([&] { read_inpainting(path); }), HasSubstr("is cut short: tensor '"));
}

}  // namespace
}  // namespace vida::io
