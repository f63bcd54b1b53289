// What a person may ask of a run that was stopped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "cli/inpainting_jobs.hpp"
#include "cli/program.hpp"

namespace vida::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kRemedy = " Add --force to a new 'vida run' to begin anew, or name another folder with --out.\n";

/// Minutes of work.
const char* const kLong = R"(job = "ensemble"
[model]
n = 9
[ensemble]
members = 1000
steps = 100000000
chunk = 1000
)";

/// Starts it in `r` and interrupts it once it has begun.
Answer interrupt(const Workplace& place, int signal = SIGINT) {
  place.write("c.toml", kLong);
  return place.vida_interrupted({"run", "c.toml", "--out", "r", "--checkpoint-steps", "1"}, signal,
                                "checkpoint.safetensors");
}

TEST(Resuming, ASignalEndsARunWithItsCheckpoint) {
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    const Workplace place;
    const auto answer = interrupt(place, signal);
    EXPECT_EQ(answer.code, code);
    EXPECT_THAT(answer.err, EndsWith("vida: interrupted. 'vida run --resume r' goes on.\n"));
    EXPECT_THAT(place.files(), AllOf(Contains("r/checkpoint.safetensors"), Not(Contains(HasSubstr(".tmp")))));
  }
}

TEST(Resuming, ANewRunDoesNotTakeThePlaceOfAStoppedOne) {
  const Workplace place;
  interrupt(place);
  const auto refused = place.vida({"run", "c.toml", "--out", "r"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(
      refused.err,
      "vida: --out 'r' holds the checkpoint of a run that was stopped. Go on with it by 'vida run --resume r', or "
      "add --force to begin anew.\n");
  const auto forced = place.vida({"run", "c.toml", "--out", "r", "--force", "--set", "ensemble.steps=10"});
  EXPECT_EQ(forced.code, 0) << forced.err;
  EXPECT_THAT(place.files(), Not(Contains("r/checkpoint.safetensors")));
}

TEST(Resuming, AnotherConfigurationIsRefusedWithTheDifference) {
  const Workplace place;
  interrupt(place);
  const std::string start = "vida: 'r/checkpoint.safetensors' is the checkpoint of another run: ";
  const auto answer = place.vida({"run", "c.toml", "--resume", "r", "--set", "ensemble.members=7"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(answer.err, start + "ensemble.members is 1000 there, 7 now." + kRemedy);
  place.write("d.toml", "job = \"amortized\"\n");
  EXPECT_THAT(place.vida({"run", "d.toml", "--resume", "r"}).err,
              HasSubstr("job is \"ensemble\" there, \"amortized\" now"));
  EXPECT_THAT(place.vida({"run", "--resume", "r", "--set", "ensemble.members=7"}).err,
              StartsWith("vida: --resume r: --set changes the run. Leave it out"));
  EXPECT_THAT(place.files(), Contains("r/checkpoint.safetensors"));
}

TEST(Resuming, OtherDataAreRefused) {
  const Workplace place;
  write_pictures(place);
  place.write("i.toml", kInpainting);
  const std::vector<std::string> words = {"run", "i.toml", "--resume", "r", "--checkpoint-steps", "1"};
  place.vida_interrupted({"run", "i.toml", "--resume", "r", "--checkpoint-steps", "1", "--set", "train.epochs=4000"},
                         SIGINT, "checkpoint.safetensors");
  ASSERT_THAT(place.files(), Contains("r/checkpoint.safetensors"));
  place.write("data/train-images-idx3-ubyte", image_file(pictures(1500, 3)));
  const auto answer = place.vida({"run", "--resume", "r"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("is the checkpoint of another run: training images is 1500 x 10 x 10, CRC-32 "));
}

TEST(Resuming, FilesThatTheConfigurationNamesMustBeTheSame) {
  const Workplace place;
  Matrix states({1000, 9}, 1.0);
  const auto write_states = [&] {
    io::NetcdfWriter file(place.path("s.nc"));
    file.put("states", {"member", "state"}, states, {"states"});
    file.close();
  };
  write_states();
  place.write("c.toml", "job = \"ensemble\"\n[ensemble]\nfile = \"s.nc\"\nsteps = 100000000\n");
  place.vida_interrupted({"run", "c.toml", "--out", "r", "--checkpoint-steps", "1"}, SIGINT, "checkpoint.safetensors");
  states(3, 4) = 2;
  write_states();
  EXPECT_THAT(place.vida({"run", "--resume", "r"}).err,
              AllOf(HasSubstr("another run: the file of ensemble.file is "), HasSubstr(" bytes, CRC-32 ")));
}

TEST(Resuming, GoesOnFromAnotherFolder) {  // relative paths of the configuration and of --set stay where they led
  const Workplace place;
  write_pictures(place);
  place.write("i.toml", kInpainting);
  const auto stopped = place.vida_interrupted(
      {"run", "i.toml", "--out", "r", "--checkpoint-steps", "1", "--set", "data='data'", "--threads", "1"}, SIGINT,
      "checkpoint.safetensors");
  ASSERT_EQ(stopped.code, 130) << stopped.err;
  std::filesystem::rename(place.path("i.toml"), place.path("gone.toml"));
  const auto answer = place.vida({"run", "--resume", "r", "--threads", "1"}, {"PATH=/nowhere"});
  EXPECT_EQ(answer.code, 0) << answer.err;
}

TEST(Resuming, AFinishedRunIsLeftAsItIs) {
  const Workplace place;
  place.write("c.toml", kSmallJob);
  ASSERT_EQ(place.vida({"run", "c.toml", "--resume", "r"}, {"PATH=/nowhere"}).code, 0);
  const std::string result = place.read("r/result.nc");
  const auto answer = place.vida({"run", "c.toml", "--resume", "r"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.out, "r holds a finished run; there is nothing to go on with.\n");
  EXPECT_EQ(place.read("r/result.nc"), result);
}

TEST(Resuming, NeedsSomethingToGoOnWith) {
  const Workplace place;
  const auto answer = place.vida({"run", "--resume", "nowhere"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(answer.err,
            "vida: --resume 'nowhere': the folder holds no checkpoint.safetensors. Name the folder of a run that was "
            "stopped, or the configuration, too, to begin one there: vida run CONFIG.toml --resume nowhere\n");
  EXPECT_THAT(place.vida({"run"}).err, StartsWith("vida: vida run needs a configuration, or --resume DIR."));
  EXPECT_THAT(place.vida({"run", "--resume", "a", "--out", "b"}).err, HasSubstr("--out excludes --resume"));
}

TEST(Resuming, ADamagedCheckpointIsRefused) {
  const Workplace place;
  interrupt(place);
  const auto path = place.path("r/checkpoint.safetensors");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const auto answer = place.vida({"run", "--resume", "r"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, AllOf(StartsWith("vida: 'r/checkpoint.safetensors' is cut short: "), EndsWith(kRemedy)));
}

TEST(Resuming, ADiskWithoutRoomForStatesDoesNotEndTheRun) {
  const Workplace place;
  place.write("c.toml",
              "job = \"ensemble\"\n[model]\nn = 9\n[ensemble]\nmembers = 4000\nsteps = 400\n"
              "snapshot_every = 50\nsnapshot_members = 2\n");
  const auto answer = place.vida_on_a_small_disk({"run", "c.toml", "--out", "o", "--checkpoint-steps", "1"}, 100000);
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("vida: the run's state cannot be kept: 'o/.checkpoint.safetensors."));
  EXPECT_THAT(place.files(), AllOf(Contains("o/result.nc"), Not(Contains(HasSubstr("checkpoint")))));
}

TEST(Resuming, AnErrorBeforeAnyWorkLeavesNothing) {
  const Workplace place;
  place.write("c.toml", "job = \"ensemble\"\n[ensemble]\nfile = \"nowhere.nc\"\n");
  EXPECT_EQ(place.vida({"run", "c.toml", "--out", "o"}).code, 2);
  EXPECT_THAT(place.files(), Not(Contains(StartsWith("o"))));
}

}  // namespace
}  // namespace vida::test
