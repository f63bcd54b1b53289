#include "io/safetensors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "io/files.hpp"
#include "messages.hpp"
#include "scratch.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using vida::testing::message_of;
namespace fs = std::filesystem;

const fs::path kData = VIDA_TEST_DATA;

fs::path scratch(const std::string& name) { return vida::testing::scratch("safetensors-test", name); }

/// A file with this header and `data` bytes of zeros behind it; `length` is what its first eight bytes say.
std::string file_of(const std::string& header, std::size_t data, std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data, '\0');
}

/// What reading these bytes says.
std::string refusal_of(const std::string& bytes) {
  const fs::path path = scratch("malformed");
  write_text(path, bytes);
  try {
    const Safetensors file(path);
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), StartsWith("'" + path.string() + "'"));
    return error.what();
  }
  return "";
}

std::string refusal(const std::string& header, std::size_t data = 0) {
  return refusal_of(file_of(header, data, header.size()));
}

TEST(Safetensors, ReturnsTheBitsItWasGiven) {
  const fs::path path = scratch("round.safetensors");
  Array<double, 2> matrix({2, 3});
  const double odd[] = {-0.0, 1.0 / 3, std::numeric_limits<double>::denorm_min(), -INFINITY, NAN, 1e308};
  std::copy(std::begin(odd), std::end(odd), matrix.begin());
  Array<float, 1> vector({3});
  vector[0] = 0.1F, vector[1] = -std::numeric_limits<float>::denorm_min(),
  vector[2] = std::bit_cast<float>(0x7fa00001U);
  Safetensors file;
  file.put("layers.0.weight", matrix);
  file.put("layers.0.bias", vector);
  file.put("scalar", Tensor{{}, std::vector<double>{7}});
  file.put("empty", Tensor{{4, 0}, std::vector<float>{}});
  file.metadata = {{"format", "vida"}, {"note", "quotes \" and \xc3\xa4"}};
  file.write(path);

  const Safetensors back(path);
  EXPECT_THAT(back.names(), ElementsAre("empty", "layers.0.bias", "layers.0.weight", "scalar"));
  EXPECT_EQ(back.metadata, file.metadata);
  const Array<double, 2> found = back.array<double, 2>("layers.0.weight", {2, 3});
  EXPECT_EQ(std::memcmp(found.data(), matrix.data(), 6 * sizeof(double)), 0);
  const auto& floats = std::get<std::vector<float>>(back.tensor("layers.0.bias").values);
  EXPECT_EQ(std::memcmp(floats.data(), vector.data(), 3 * sizeof(float)), 0);
  EXPECT_TRUE(back.tensor("scalar").shape.empty());
  EXPECT_THAT(back.tensor("empty").shape, ElementsAre(4, 0));
  EXPECT_EQ(back.encoded(), read_text(path));
}

TEST(Safetensors, ConvertsToTheWantedPrecision) {
  Safetensors file;
  file.put("single", Tensor{{1}, std::vector<float>{0.1F}});
  file.put("double", Tensor{{1}, std::vector<double>{0.1}});
  EXPECT_EQ((file.array<double, 1>("single", {1})[0]), static_cast<double>(0.1F));
  EXPECT_EQ((file.array<float, 1>("double", {1})[0]), 0.1F);
}

// The format wants the data behind a header whose length is a multiple of 8, so that doubles are aligned in memory.
TEST(Safetensors, AlignsItsNumbers) {
  for (const std::string name : {"a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"}) {
    Safetensors file;
    file.put(name, Tensor{{1}, std::vector<float>{1}});
    file.put(name + "wide", Tensor{{1}, std::vector<double>{2}});
    const std::string bytes = file.encoded();
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    EXPECT_EQ(length % 8, 0U);
    double wide = 0;
    std::memcpy(&wide, bytes.data() + 8 + length, 8);
    EXPECT_EQ(wide, 2);  // ahead of the float
  }
}

TEST(Safetensors, ReadsTheFilesOfAnotherProgram) {
  const Safetensors two(kData / "flow_d2.safetensors");
  EXPECT_EQ(two.names().size(),
            4U * 6 * 12);  // parameters, two gradients, after Adam; layers; 2 nets x 3 x weight, bias
  EXPECT_EQ((two.array<double, 2>("params.layers.5.shift.2.weight", {1, 16}).size()), 16);
  const Safetensors seven(kData / "flow_d7_c3.safetensors");
  EXPECT_EQ(seven.names().size(), 2U * 4 * 12);
  // layer 1 keeps coordinates 1, 3, 5 or moves them: its input is four or three of them beside the context of three
  EXPECT_EQ((seven.array<double, 2>("params.layers.1.scale.0.weight", {24, 7}).size()), 168);
  EXPECT_EQ((seven.array<double, 1>("params.layers.1.scale.2.bias", {3}).size()), 3);
}

TEST(Safetensors, LeavesNoHalfWrittenFile) {
  const fs::path folder = scratch("folder");
  Safetensors file;
  file.put("a", Tensor{{1}, std::vector<double>{1}});
  file.write(folder / "weights.safetensors");
  Safetensors other;
  other.put("b", Tensor{{1}, std::vector<double>{2}});
  other.write(folder / "weights.safetensors");
  EXPECT_TRUE(Safetensors(folder / "weights.safetensors").has("b"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  other.metadata = {{"note", "\xff"}};
  EXPECT_THAT(message_of([&] { other.write(folder / "weights.safetensors"); }), HasSubstr("is not UTF-8"));
  EXPECT_TRUE(Safetensors(folder / "weights.safetensors").has("b"));
  EXPECT_THAT(message_of([&] { file.write(folder / ""); }), HasSubstr("names no file"));
}

TEST(Safetensors, RefusesTensorsThatDoNotFit) {
  Safetensors file;
  file.put("a", Tensor{{2}, std::vector<double>{1, 2}});
  EXPECT_THAT(message_of([&] {
                file.put("a", Tensor{{1}, std::vector<double>{1}});
              }),
              HasSubstr("a tensor 'a' already"));
  EXPECT_THAT(message_of([&] {
                file.put("b", Tensor{{2, 2}, std::vector<double>{1}});
              }),
              HasSubstr("'b' of shape [2, 2] holds 1 values"));
  EXPECT_THAT(message_of([&] { file.put("__metadata__", Tensor{}); }), HasSubstr("cannot be called"));
  EXPECT_THAT(message_of([&] { file.tensor("c"); }), HasSubstr("holds no tensor 'c'"));
  EXPECT_THAT(message_of([&] {
                file.array<double, 2>("a", {2, 1});
              }),
              HasSubstr("holds 'a' with shape [2]; [2, 1] is needed"));
}

TEST(Safetensors, NamesTheFileAndTheSettingInMessages) {
  EXPECT_THAT(message_of([] { Safetensors(scratch("none"), "flow.weights"); }),
              ::testing::AllOf(StartsWith("flow.weights: '"), HasSubstr("does not exist")));
  EXPECT_THAT(message_of([] { Safetensors(kData / "flow_d2.safetensors", "flow.weights").tensor("x"); }),
              ::testing::AllOf(StartsWith("flow.weights: '"), HasSubstr("flow_d2.safetensors' holds no tensor 'x'")));
  EXPECT_THAT(message_of([] { Safetensors(kData / "flow_d2.nc"); }), HasSubstr("is not a safetensors file"));
}

constexpr const char* kGood = R"({"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}})";

TEST(Safetensors, RefusesFilesThatAreCutShort) {
  EXPECT_EQ(refusal(kGood, 16), "");
  EXPECT_THAT(refusal_of(""), HasSubstr("cut short: it holds 0 bytes"));
  EXPECT_THAT(refusal_of("1234567"), HasSubstr("cut short: it holds 7 bytes"));
  EXPECT_THAT(refusal_of(file_of("{}", 0, 1000)), HasSubstr("its header is longer than the file, 1000 bytes of 10"));
  EXPECT_THAT(refusal_of(file_of("{}", 0, std::uint64_t(-1))), HasSubstr("its header is longer than the file"));
  EXPECT_THAT(refusal(kGood, 15), HasSubstr("tensor 'a' ends at byte 16 of its 15 bytes of data"));
  EXPECT_THAT(refusal(kGood, 17), HasSubstr("1 bytes behind the last tensor belong to none"));
}

TEST(Safetensors, RefusesEveryCutOfAFile) {
  const std::string whole = file_of(kGood, 16, std::strlen(kGood));
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(refusal_of(whole.substr(0, size)), "") << size;
}

TEST(Safetensors, RefusesHeadersThatAreNotJson) {
  EXPECT_THAT(refusal_of("just some text in a file"), HasSubstr("no JSON header begins at byte 8"));
  EXPECT_THAT(refusal("{\"a\":"), HasSubstr("its header is not JSON"));
  EXPECT_THAT(refusal("{} {}"), HasSubstr("its header is not JSON"));
  EXPECT_THAT(refusal("{\"a\":1e999}"), HasSubstr("its header is not JSON"));
  EXPECT_THAT(refusal("{\"\xff\":1}"), HasSubstr("its header is not JSON"));
  EXPECT_THAT(refusal("{\"a\":" + std::string(100000, '[')), HasSubstr("nests too deep"));
  EXPECT_THAT(refusal(R"({"__metadata__":{"a":1}})"), HasSubstr("__metadata__ must hold texts only"));
  EXPECT_THAT(refusal(R"({"__metadata__":"a"})"), HasSubstr("__metadata__ must hold texts only"));
}

TEST(Safetensors, RefusesEntriesThatDoNotFit) {
  const auto entry = [](const std::string& type, const std::string& shape, const std::string& offsets) {
    return refusal("{\"a\":{\"dtype\":" + type + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}", 16);
  };
  EXPECT_EQ(entry("\"F32\"", "[2,2]", "[0,16]"), "");
  EXPECT_THAT(entry("\"BF16\"", "[8]", "[0,16]"), HasSubstr("'a' has dtype \"BF16\"; F32 and F64 can be read"));
  EXPECT_THAT(entry("7", "[8]", "[0,16]"), HasSubstr("'a' has dtype 7"));
  EXPECT_THAT(entry("\"F64\"", "[3]", "[0,16]"),
              HasSubstr("'a' of shape [3] and dtype F64 does not agree with its data_offsets [0,16]"));
  EXPECT_THAT(entry("\"F64\"", "[-2]", "[0,16]"), HasSubstr("'a' has shape [-2]; whole numbers"));
  EXPECT_THAT(entry("\"F64\"", "[2.0]", "[0,16]"), HasSubstr("'a' has shape [2.0]"));
  EXPECT_THAT(entry("\"F64\"", "2", "[0,16]"), HasSubstr("'a' has shape 2"));
  EXPECT_THAT(entry("\"F64\"", "[2]", "[0]"), HasSubstr("'a' has data_offsets [0]"));
  EXPECT_THAT(entry("\"F64\"", "[2]", "[16,0]"), HasSubstr("does not agree with its data_offsets"));
  // 2^61 x 8 bytes is 0 in 64 bits
  EXPECT_THAT(entry("\"F64\"", "[2305843009213693952]", "[0,0]"), HasSubstr("does not agree with its data_offsets"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F64","shape":[2]}})", 16), HasSubstr("'a' lacks dtype, shape or data_offsets"));
  EXPECT_THAT(refusal(R"({"a":3})", 16), HasSubstr("'a' lacks dtype"));
}

TEST(Safetensors, RefusesTensorsThatOverlapOrLeaveHoles) {
  const auto two = [](const std::string& first, const std::string& second, const char* name = "b") {
    const std::string rest = R"({"dtype":"F64","shape":[1],"data_offsets":)";
    return refusal("{\"a\":" + rest + first + "},\"" + name + "\":" + rest + second + "}}", 16);
  };
  EXPECT_EQ(two("[0,8]", "[8,16]"), "");
  EXPECT_EQ(two("[8,16]", "[0,8]"), "");
  EXPECT_THAT(two("[0,8]", "[0,8]"), HasSubstr("'b' begins at byte 0 of the data, inside the tensor before it"));
  EXPECT_THAT(two("[0,8]", "[4,12]"), HasSubstr("'b' begins at byte 4 of the data, inside the tensor before it"));
  EXPECT_THAT(two("[0,8]", "[9,17]"), HasSubstr("'b' ends at byte 17 of its 16 bytes of data"));
  EXPECT_THAT(two("[1,9]", "[8,16]"), HasSubstr("'a' begins at byte 1 of the data, not right behind"));
  EXPECT_THAT(two("[0,8]", "[8,16]", "a"), HasSubstr("the header names 'a' twice"));
}

}  // namespace
}  // namespace vida::io
