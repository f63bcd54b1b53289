#include "io/flow_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "io/files.hpp"
#include "io/safetensors.hpp"
#include "messages.hpp"
#include "scratch.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using vida::testing::message_of;
namespace fs = std::filesystem;

const fs::path kData = VIDA_TEST_DATA;

fs::path scratch(const std::string& name) { return vida::testing::scratch("flow-file-test", name); }

/// Flows with weights of their own.
SavedFlows some_flows(long problems,
                      const FlowShape& shape = {
                          .dimension = 3, .context = 2, .layers = 3, .hidden = 5, .depth = 1, .scale_limit = 1.0 / 3}) {
  SavedFlows flows{shape, Matrix({problems, flow_parameter_count(shape)}), {{"target", "banana"}, {"job", "flow"}}};
  for (long p = 0; p < problems; ++p) {
    const auto row = initial_flow_parameters(shape, 7, static_cast<std::uint32_t>(p), false);
    std::copy(row.begin(), row.end(), flows.parameters[p].begin());
  }
  return flows;
}

void expect_same_shape(const FlowShape& found, const FlowShape& expected) {
  EXPECT_EQ(found.dimension, expected.dimension);
  EXPECT_EQ(found.context, expected.context);
  EXPECT_EQ(found.layers, expected.layers);
  EXPECT_EQ(found.hidden, expected.hidden);
  EXPECT_EQ(found.depth, expected.depth);
  EXPECT_EQ(found.scale_limit, expected.scale_limit);
}

TEST(FlowFile, ReturnsTheBitsItWasGiven) {
  for (const long problems : {1L, 3L}) {
    const fs::path path = scratch("round.safetensors");
    const SavedFlows flows = some_flows(problems);
    write_flows(path, flows);
    const SavedFlows found = read_flows(path);
    expect_same_shape(found.shape, flows.shape);
    EXPECT_EQ(found.parameters, flows.parameters);
    EXPECT_EQ(found.metadata, flows.metadata);
    const Safetensors raw(path);
    EXPECT_EQ(raw.metadata.at("format"), "vida-flow");
    EXPECT_EQ(raw.metadata.at("hidden"), "5");
    EXPECT_EQ(raw.tensor("params.layers.0.scale.0.bias").shape,
              problems == 1 ? std::vector<long>({5}) : std::vector<long>({3, 5}));
  }
}

/// The file as other programs write it: without vida's metadata.
void strip_metadata(const fs::path& path, const std::map<std::string, std::string>& instead = {}) {
  Safetensors file(path);
  file.metadata = instead;
  file.write(path);
}

TEST(FlowFile, TellsTheShapeFromTheTensorsAlone) {
  for (const int dimension : {2, 3, 6, 7})
    for (const int context : {0, 1, 4}) {
      const SavedFlows flows = some_flows(2, {.dimension = dimension, .context = context, .layers = 2, .hidden = 4});
      const fs::path path = scratch("stripped.safetensors");
      write_flows(path, flows);
      strip_metadata(path, {{"note", "from elsewhere"}});
      const SavedFlows found = read_flows(path);
      expect_same_shape(found.shape, flows.shape);
      EXPECT_EQ(found.parameters, flows.parameters);
      EXPECT_EQ(found.metadata, (std::map<std::string, std::string>{{"note", "from elsewhere"}}));
      strip_metadata(path, {{"scale_limit", "2.5"}});
      EXPECT_EQ(read_flows(path).shape.scale_limit, 2.5);
    }
}

TEST(FlowFile, OneLayerMayNeedItsDimensionInTheMetadata) {
  const fs::path path = scratch("one.safetensors");
  const SavedFlows odd = some_flows(1, {.dimension = 3, .layers = 1, .hidden = 4});
  write_flows(path, odd);
  strip_metadata(path);
  expect_same_shape(read_flows(path).shape, odd.shape);
  const SavedFlows even = some_flows(1, {.dimension = 4, .layers = 1, .hidden = 4});
  write_flows(path, even);
  strip_metadata(path);
  EXPECT_THAT(message_of<FileError>([&] { read_flows(path); }),
              HasSubstr("one layer, which may have dimension 4 and context 0, or dimension 3 and context 1"));
  strip_metadata(path, {{"dimension", "4"}});
  expect_same_shape(read_flows(path).shape, even.shape);
}

TEST(FlowFile, ReadsTheFilesOfPyTorch) {
  const auto expect = [](const std::string& name, const FlowShape& shape) {
    const SavedFlows found = read_flows(kData / name);
    expect_same_shape(found.shape, shape);
    ASSERT_EQ(found.parameters.extents(), (Extents<2>{1, flow_parameter_count(shape)}));
    const Safetensors raw(kData / name);
    for (const FlowTensor& t : flow_tensors(shape)) {
      const auto& values = std::get<std::vector<double>>(raw.tensor(t.name).values);
      for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_EQ(found.parameters(0, t.offset + static_cast<long>(i)), values[i]) << t.name << " " << i;
    }
  };
  expect("flow_d2.safetensors", {.dimension = 2, .layers = 6, .hidden = 16});
  expect("flow_d7_c3.safetensors", {.dimension = 7, .context = 3, .layers = 4, .hidden = 24});
}

TEST(FlowFile, ReadsWeightsOfSinglePrecision) {
  const fs::path path = scratch("float.safetensors");
  const SavedFlows flows = some_flows(1);
  write_flows(path, flows);
  const Safetensors wide(path);
  Safetensors narrow;
  for (const auto& name : wide.names()) {
    const Tensor& tensor = wide.tensor(name);
    const auto& values = std::get<std::vector<double>>(tensor.values);
    narrow.put(name, Tensor{tensor.shape, std::vector<float>(values.begin(), values.end())});
  }
  narrow.write(path);
  const SavedFlows found = read_flows(path);
  for (long i = 0; i < flows.parameters.size(); ++i)
    ASSERT_EQ(found.parameters.data()[i], static_cast<float>(flows.parameters.data()[i]));
}

/// What reading some_flows(problems) says after `change`, which returns false to leave a tensor out.
std::string refusal(const std::function<bool(const std::string& name, Tensor&)>& change,
                    const std::map<std::string, std::string>& metadata = {}, long problems = 1) {
  const fs::path path = scratch("changed.safetensors");
  write_flows(path, some_flows(problems));
  const Safetensors whole(path);
  Safetensors changed;
  changed.metadata = whole.metadata;
  for (const auto& [key, text] : metadata) changed.metadata[key] = text;
  for (const auto& name : whole.names()) {
    Tensor tensor = whole.tensor(name);
    if (change(name, tensor)) changed.put(name, std::move(tensor));
  }
  changed.write(path);
  const std::string message = message_of<FileError>([&] { read_flows(path); });
  if (!message.empty()) {
    EXPECT_THAT(message, StartsWith("'" + path.string() + "'"));
  }
  return message;
}

bool keep(const std::string&, Tensor&) { return true; }

TEST(FlowFile, RefusesATensorThatIsMissing) {
  for (const std::string missing :
       {"params.layers.0.scale.0.weight", "params.layers.1.scale.0.bias", "params.layers.2.shift.1.bias"})
    EXPECT_THAT(refusal([&](const std::string& name, Tensor&) { return name != missing; }),
                AllOf(HasSubstr("holds no tensor '" + missing + "'"), HasSubstr("incomplete")));
}

TEST(FlowFile, RefusesWeightsOfAnotherArchitecture) {
  EXPECT_THAT(refusal(keep, {{"hidden", "6"}}),
              AllOf(HasSubstr("tensor 'params.layers.0.scale.0.weight' has shape [5, 3], but a flow with"),
                    HasSubstr("needs [6, 3]: these are weights of another architecture")));
  EXPECT_THAT(refusal(keep, {{"layers", "2"}}),
              AllOf(HasSubstr("holds tensor 'params.layers.2.scale.0.bias', which a flow with"),
                    HasSubstr("has not: these are weights of another architecture")));
  const auto turned = [](const std::string& name, Tensor& tensor) {
    if (name == "params.layers.1.shift.1.weight") std::swap(tensor.shape[1], tensor.shape[2]);
    return true;
  };
  EXPECT_THAT(refusal(turned, {}, 3), HasSubstr("has shape [3, 5, 1], but a flow"));
  const auto fewer = [](const std::string& name, Tensor& tensor) {
    if (name == "params.layers.1.shift.1.bias") tensor = {{2, 1}, std::vector<double>(2)};
    return true;
  };
  EXPECT_THAT(refusal(fewer, {}, 3), HasSubstr("has shape [2, 1], but a flow"));
}

TEST(FlowFile, AShapeWithoutNumbersIsNoReasonToTakeMemory) {
  const auto widened = [](const std::string& name, Tensor& tensor) {
    if (name == "params.layers.0.scale.0.weight") tensor = {{1L << 40, 0, 3}, std::vector<double>()};
    return true;
  };
  EXPECT_THAT(refusal(widened, {}, 3), HasSubstr("has shape [1099511627776, 0, 3], but a flow"));
}

TEST(FlowFile, RefusesAWeightThatIsNotFinite) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const auto spoil = [&](const std::string& name, Tensor& tensor) {
      if (name == "params.layers.1.scale.0.weight") std::get<std::vector<double>>(tensor.values)[20 + 5] = bad;
      return true;
    };
    EXPECT_THAT(refusal(spoil, {}, 3), HasSubstr("tensor 'params.layers.1.scale.0.weight' of problem 1 holds " +
                                                 std::string(std::isnan(bad) ? "nan" : "inf") + " at [1, 1]"));
  }
}

TEST(FlowFile, RefusesMetadataThatMeanNothing) {
  EXPECT_THAT(refusal(keep, {{"layers", "three"}}), HasSubstr("say layers = \"three\"; expected a whole number"));
  EXPECT_THAT(refusal(keep, {{"hidden", "99999999999"}}), HasSubstr("say hidden = \"99999999999\""));
  EXPECT_THAT(refusal(keep, {{"scale_limit", "0"}}), HasSubstr("say scale_limit = \"0\"; expected a positive number"));
  EXPECT_THAT(refusal(keep, {{"scale_limit", "nan"}}), HasSubstr("say scale_limit = \"nan\""));
  EXPECT_THAT(refusal(keep, {{"layers", "0"}}), HasSubstr("flow.layers is 0, expected at least 1"));
  EXPECT_THAT(refusal(keep, {{"layers", "1000000"}}), HasSubstr("no tensor 'params.layers.3.scale.0.weight'"));
  const fs::path path = scratch("lacks.safetensors");
  write_flows(path, some_flows(1));
  strip_metadata(path, {{"format", "vida-flow"}});
  EXPECT_THAT(message_of<FileError>([&] { read_flows(path); }), HasSubstr("its metadata lack dimension"));
}

TEST(FlowFile, RefusesFilesWithoutAFlow) {
  const fs::path path = scratch("other.safetensors");
  Safetensors other;
  other.put("encoder.weight", Tensor{{1}, std::vector<double>{1}});
  other.write(path);
  EXPECT_THAT(message_of<FileError>([&] { read_flows(path); }), HasSubstr("holds no tensors of a flow"));
  other.put("params.layers.0.scale.0.weight", Tensor{{1}, std::vector<double>{1}});
  other.write(path);
  EXPECT_THAT(message_of<FileError>([&] { read_flows(path); }), HasSubstr("has shape [1]; a weight is [out, in]"));
  EXPECT_THAT(message_of<FileError>([&] { read_flows(scratch("none")); }), HasSubstr("does not exist"));
  EXPECT_THAT(message_of<FileError>([&] { read_flows(kData / "flow_d2.nc"); }), HasSubstr("not a safetensors file"));
  write_flows(path, some_flows(1));
  const std::string bytes = read_text(path);
  write_text(path, bytes.substr(0, bytes.size() - 1));
  EXPECT_THAT(message_of<FileError>([&] { read_flows(path); }), HasSubstr("is cut short"));
}

TEST(FlowFile, RefusesToWriteWhatCouldNotBeRead) {
  const fs::path path = scratch("bad.safetensors");
  SavedFlows flows = some_flows(2);
  flows.parameters(1, 0) = std::nan("");
  EXPECT_THAT(message_of<InvalidArgument>([&] { write_flows(path, flows); }),
              HasSubstr("is not written: tensor 'params.layers.0.scale.0.weight' of problem 1 holds nan at [0, 0]"));
  flows.parameters = Matrix({2, 3});
  EXPECT_THAT(message_of<InvalidArgument>([&] { write_flows(path, flows); }),
              HasSubstr("parameters have shape [2, 3], but a flow with"));
  flows = some_flows(1);
  flows.metadata["layers"] = "4";
  EXPECT_THAT(message_of<InvalidArgument>([&] { write_flows(path, flows); }),
              HasSubstr("The note 'layers' is one of vida's own"));
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace vida::io
