// Runs that go on where they stopped.
#include "io/checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>

#include "io/files.hpp"
#include "io/safetensors.hpp"
#include "messages.hpp"
#include "scratch.hpp"
#include "vida/error.hpp"
#include "vida/version.hpp"

namespace vida::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using vida::testing::message_of;
namespace fs = std::filesystem;

fs::path scratch(const std::string& name) { return vida::testing::scratch("checkpoint-test", name); }

const std::string kRemedy = " Add --force to a new 'vida run' to begin anew, or name another folder with --out.";

Checkpoint some_checkpoint() {
  Snapshot state;
  state.put("learning/values", std::vector<float>{1.5f, -0.0f, std::numeric_limits<float>::denorm_min()});
  state.put("learning/cost", std::vector<double>{1.0 / 3, std::numeric_limits<double>::infinity(), std::nan("")});
  state.put("empty", std::vector<double>{});
  return {{{"seed", "3"}, {"mask.top", "7"}}, {{"text", "job = \"ensemble\"\n"}, {"folder", "a folder, ünder"}}, state};
}

TEST(Checkpoints, ReturnsTheBitsItWasGiven) {
  const Checkpoint given = some_checkpoint();
  const fs::path folder = scratch("folder"), path = folder / "checkpoint.safetensors";
  write_checkpoint(path, {given.identity, given.notes, {}});
  EXPECT_TRUE(read_checkpoint(path).state.empty());
  write_checkpoint(path, given);  // in place of the first
  const Checkpoint found = read_checkpoint(path);
  EXPECT_EQ(found.identity, given.identity);
  EXPECT_EQ(found.notes, given.notes);
  ASSERT_EQ(found.state.entries().size(), 3u);
  const auto& values = std::get<std::vector<float>>(found.state.at("learning/values"));
  EXPECT_THAT(values, ElementsAre(1.5f, 0.0f, std::numeric_limits<float>::denorm_min()));
  EXPECT_TRUE(std::signbit(values[1]));
  const auto& cost = std::get<std::vector<double>>(found.state.at("learning/cost"));
  EXPECT_EQ(cost[0], 1.0 / 3);
  EXPECT_EQ(cost[1], std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(cost[2]));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  EXPECT_THAT(names, ElementsAre("checkpoint.safetensors"));
  fs::remove_all(folder);
}

TEST(Checkpoints, AnyByteThatChangedIsNoticed) {
  const fs::path path = scratch("changed.safetensors");
  write_checkpoint(path, some_checkpoint());
  const std::string whole = read_text(path);
  long harmless = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    std::ofstream(path, std::ios::binary) << changed;
    const std::string message = message_of<FileError>([&] { read_checkpoint(path); });
    if (message.empty())
      ++harmless;  // a blank that fills the header up
    else
      EXPECT_THAT(message, HasSubstr(path.string()));
  }
  EXPECT_LE(harmless, 0);
}

TEST(Checkpoints, CutShortAtAnyByteAreRefused) {
  const fs::path path = scratch("cut.safetensors");
  write_checkpoint(path, some_checkpoint());
  const std::string whole = read_text(path);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    const std::string message = message_of<FileError>([&] { read_checkpoint(path); });
    EXPECT_THAT(message, StartsWith("'" + path.string() + "'")) << size;
    EXPECT_THAT(message, HasSubstr(kRemedy)) << size;
  }
}

/// What reading says of a checkpoint whose metadata were changed, behind its name.
std::string refusal(const std::string& key, const std::string& value) {
  const fs::path path = scratch("other.safetensors");
  write_checkpoint(path, some_checkpoint());
  Safetensors file(path);
  file.metadata[key] = value;
  file.write(path);
  const std::string message = message_of<FileError>([&] { read_checkpoint(path); });
  const std::string where = "'" + path.string() + "' ";
  EXPECT_THAT(message, StartsWith(where));
  return message.substr(std::min(message.size(), where.size()));
}

TEST(Checkpoints, OfAnotherVersionAreRefused) {
  EXPECT_EQ(refusal("version", "0.0.9"),
            std::string("is the checkpoint of version 0.0.9 of vida, this is ") + kVersion + "." + kRemedy);
  EXPECT_EQ(refusal("format", "vida-checkpoint-9"),
            "is no checkpoint that this version reads: its format is \"vida-checkpoint-9\", expected "
            "\"vida-checkpoint-2\"." +
                kRemedy);
  EXPECT_THAT(refusal("crc32", "00000000"), StartsWith("is damaged: its checksum is 00000000, its content gives "));
}

TEST(Checkpoints, OfAnotherRunAreRefused) {
  const std::map<std::string, std::string> there = {{"a", "1"}, {"b", "2"}, {"c", "3"}};
  const auto message = [&](const std::map<std::string, std::string>& now) {
    return message_of<FileError>([&] { require_same_run("r/c.safetensors", there, now); });
  };
  const std::string start = "'r/c.safetensors' is the checkpoint of another run: ";
  EXPECT_EQ(message(there), "");
  EXPECT_EQ(message({{"a", "1"}, {"b", "8"}, {"c", "3"}}), start + "b is 2 there, 8 now." + kRemedy);
  EXPECT_EQ(message({{"a", "1"}, {"b", "2"}}), start + "c is 3 there, not set now." + kRemedy);
  EXPECT_EQ(message({{"d", "4"}, {"e", "5"}}),
            start +
                "a is 1 there, not set now; b is 2 there, not set now; c is 3 there, not set now; d is not set "
                "there, 4 now; and 1 more." +
                kRemedy);
}

TEST(Checkpoints, AWriteThatFailsLeavesTheOldOne) {
  const fs::path folder = scratch("guarded"), path = folder / "checkpoint.safetensors";
  const Checkpoint given = some_checkpoint();
  write_checkpoint(path, given);
  fs::create_directory(folder / "there");
  EXPECT_NE(message_of<FileError>([&] { write_checkpoint(folder / "there", given); }), "");  // a folder has that name
  EXPECT_EQ(read_checkpoint(path).identity, given.identity);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace vida::io
