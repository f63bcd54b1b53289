// Trainings that go on where they stopped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "io/inpainting_file.hpp"
#include "io/safetensors.hpp"
#include "messages.hpp"
#include "scratch.hpp"
#include "vida/error.hpp"
#include "vida/version.hpp"

namespace vida::io {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using vida::testing::message_of;
namespace fs = std::filesystem;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

fs::path scratch(const std::string& name) { return vida::testing::scratch("checkpoint-test", name); }

const std::map<std::string, std::string> kIdentity = {{"seed", "3"}, {"mask.top", "7"}, {"images", "5 x 2 x 3"}};

Checkpoint some_checkpoint() {
  return {kIdentity,
          {.step = 12,
           .values = {1.5f, -0.0f, std::numeric_limits<float>::denorm_min()},
           .best = {0.1f, 0.2f, 0.3f},
           .last_good = {4, 5, 6},
           .first = {7, 8, 9},
           .second = {1e-30f, 0, std::numeric_limits<float>::max()},
           .losses = {3.25f, std::numeric_limits<float>::infinity(), 0, 0},
           .validation = {1.0 / 3, kInfinity},
           .validated_after = {6, 12},
           .best_loss = 1.0 / 3,
           .best_after = 6},
          {0.1, -0.7}};
}

TEST(Checkpoints, ReturnsTheBitsItWasGiven) {
  Checkpoint given = some_checkpoint();
  const fs::path folder = scratch("folder"), path = folder / "checkpoint.safetensors";
  for (const double best : {1.0 / 3, kInfinity}) {  // infinity: nothing was validated yet
    given.state.best_loss = best;
    write_checkpoint(path, given);  // a second time in place of the first
    const Checkpoint found = read_checkpoint(path, kIdentity);
    EXPECT_EQ(found.identity, kIdentity);
    EXPECT_EQ(found.classifier_parameters, given.classifier_parameters);
    const TrainingState &a = found.state, &b = given.state;
    EXPECT_EQ(a.step, b.step);
    EXPECT_EQ(a.values, b.values);
    EXPECT_TRUE(std::signbit(a.values[1]));
    EXPECT_EQ(a.best, b.best);
    EXPECT_EQ(a.last_good, b.last_good);
    EXPECT_EQ(a.first, b.first);
    EXPECT_EQ(a.second, b.second);
    EXPECT_EQ(a.losses, b.losses);
    EXPECT_EQ(a.validation, b.validation);
    EXPECT_EQ(a.validated_after, b.validated_after);
    EXPECT_EQ(a.best_loss, best);
    EXPECT_EQ(a.best_after, b.best_after);
  }
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  EXPECT_THAT(names, ElementsAre("checkpoint.safetensors"));
  fs::remove_all(folder);
}

TEST(Checkpoints, BeforeTheFirstValidationThereIsNone) {
  Checkpoint given = some_checkpoint();
  given.state.validation.clear(), given.state.validated_after.clear();
  given.state.best_loss = kInfinity;
  const fs::path path = scratch("early.safetensors");
  write_checkpoint(path, given);
  EXPECT_THAT(read_checkpoint(path, kIdentity).state.validation, IsEmpty());
}

/// What reading says of a checkpoint whose file was changed, behind its name.
std::string refusal(const std::function<void(Safetensors&)>& change,
                    const std::map<std::string, std::string>& identity = kIdentity) {
  const fs::path path = scratch("changed.safetensors");
  write_checkpoint(path, some_checkpoint());
  Safetensors file(path);
  change(file);
  file.write(path);
  const std::string message = message_of<FileError>([&] { read_checkpoint(path, identity); });
  const std::string where = "'" + path.string() + "' ";
  EXPECT_TRUE(message.starts_with(where)) << message;
  return message.substr(std::min(message.size(), where.size()));
}

const std::string kRemedy = " Remove it to begin anew, or name another folder with --out.";

TEST(Checkpoints, OfAnotherTrainingAreRefused) {
  const auto keep = [](Safetensors&) {};
  auto identity = kIdentity;
  identity["mask.top"] = "8";
  EXPECT_EQ(refusal(keep, identity), "is the checkpoint of another training: mask.top is 7 there, 8 now." + kRemedy);
  identity = kIdentity;
  identity["train.step"] = "0.1";
  EXPECT_EQ(refusal(keep, identity),
            "is the checkpoint of another training: train.step is not set there, 0.1 now." + kRemedy);
  identity = kIdentity;
  identity.erase("seed");
  EXPECT_EQ(refusal(keep, identity), "is the checkpoint of another training: seed is 3 there, not set now." + kRemedy);
}

TEST(Checkpoints, OfAnotherVersionAreRefused) {
  EXPECT_EQ(refusal([](Safetensors& file) { file.metadata["version"] = "0.0.9"; }),
            std::string("is the checkpoint of version 0.0.9 of vida, this is ") + kVersion + "." + kRemedy);
  EXPECT_EQ(refusal([](Safetensors& file) { file.metadata["format"] = "vida-checkpoint-2"; }),
            "is no checkpoint that this version reads: its format is \"vida-checkpoint-2\", expected "
            "\"vida-checkpoint-1\"." +
                kRemedy);
  EXPECT_THAT(refusal([](Safetensors& file) { file.metadata.clear(); }), HasSubstr("its format is \"\", expected"));
}

TEST(Checkpoints, ThatAreDamagedAreRefused) {
  EXPECT_EQ(refusal([](Safetensors& file) { file.metadata["step"] = "12x"; }),
            "is damaged: step is \"12x\"." + kRemedy);
  EXPECT_EQ(refusal([](Safetensors& file) { file.metadata.erase("best_after"); }),
            "is damaged: best_after is \"\"." + kRemedy);
  for (const std::string name : {"state.values", "state.numbers", "classifier"})
    EXPECT_EQ(refusal([&](Safetensors& file) {
                Safetensors other;
                other.metadata = file.metadata;
                for (const auto& each : file.names())
                  if (each != name) other.put(each, file.tensor(each));
                file = other;
              }),
              "is damaged: it lacks '" + name + "'." + kRemedy);
  const fs::path path = scratch("cut.safetensors");
  write_checkpoint(path, some_checkpoint());
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_THAT(message_of<FileError>([&] { read_checkpoint(path, kIdentity); }),
              AllOf(HasSubstr("is cut short: tensor '"), HasSubstr("bytes of data." + kRemedy)));
  fs::resize_file(path, 0);
  EXPECT_THAT(message_of<FileError>([&] { read_checkpoint(path, kIdentity); }), HasSubstr("or cut short"));
}

}  // namespace
}  // namespace vida::io
