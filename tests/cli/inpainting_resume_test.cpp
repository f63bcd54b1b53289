// A training of the job inpainting that is interrupted and goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "cli/inpainting_jobs.hpp"

namespace vida::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Long enough to be interrupted, with a checkpoint whenever one is possible.
const std::vector<std::string> kLong = {"train.epochs=100", "train.checkpoint=0.01"};

std::vector<std::string> with(std::vector<std::string> settings, const std::string& more) {
  settings.push_back(more);
  return settings;
}

/// Runs the job into `r` until it has a checkpoint.
void interrupt(const Workplace& place) {
  write_pictures(place);
  place.write("i.toml", kInpainting);
  const auto answer = place.vida_interrupted(inpainting_words("r", kLong), SIGINT, "checkpoint.safetensors");
  ASSERT_EQ(answer.code, 130) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("the same command goes on from there."));
  EXPECT_THAT(place.files(), AllOf(Contains("r/checkpoint.safetensors"), Not(Contains(HasSubstr(".tmp"))),
                                   Not(Contains("r/result.nc"))));
}

TEST(InpaintingResume, GoesOnAsIfItHadNotStopped) {
  const Workplace place;
  interrupt(place);
  const auto whole = run_inpainting(place, "o", with(kLong, "train.checkpoint=0"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_THAT(whole.err, Not(HasSubstr("went on")));
  const auto resumed = run_inpainting(place, "r", kLong);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("vida: the training went on from step "));
  expect_same_numbers(place, "o", "r");
  for (const char* name : {"steps", "best_after", "bits_per_pixel", "psnr", "class_log_loss"})
    EXPECT_EQ(summary_in(place, "o")[name], summary_in(place, "r")[name]) << name;
  EXPECT_THAT(place.files(), Not(Contains(HasSubstr("checkpoint"))));
}

TEST(InpaintingResume, TheCheckpointOfAnotherTrainingIsRefused) {
  const Workplace place;
  interrupt(place);
  const auto refused = [&](const std::string& setting) {
    const auto answer = run_inpainting(place, "r", with(kLong, setting));
    EXPECT_EQ(answer.code, 2) << setting;
    EXPECT_THAT(place.files(), Contains("r/checkpoint.safetensors"));
    return answer.err;
  };
  const auto message = [](const std::string& difference) {
    return "vida: 'r/checkpoint.safetensors' is the checkpoint of another training: " + difference +
           ". Remove it to begin anew, or name another folder with --out.\n";
  };
  EXPECT_EQ(refused("flow.hidden=16"), message("flow.hidden is 32 there, 16 now"));
  EXPECT_EQ(refused("mask.top=2"), message("mask.top is 3 there, 2 now"));
  EXPECT_EQ(refused("seed=1"), message("seed is 0 there, 1 now"));
  EXPECT_EQ(refused("classifier.epochs=1"), message("classifier.epochs is 20 there, 1 now"));
  place.write("data/train-images-idx3-ubyte", image_file(pictures(1500, 3)));
  EXPECT_THAT(refused("samples.count=10"), HasSubstr("another training: images is 1500 x 10 x 10, CRC-32 "));
}

TEST(InpaintingResume, ACheckpointThatIsCutShortIsRefused) {
  const Workplace place;
  interrupt(place);
  const auto path = place.path("r/checkpoint.safetensors");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const auto answer = run_inpainting(place, "r", kLong);
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, AllOf(StartsWith("vida: 'r/checkpoint.safetensors' is cut short: "),
                                HasSubstr("Remove it to begin anew, or name another folder with --out.")));
}

TEST(InpaintingResume, AFullDiskLeavesNothingBehind) {
  const Workplace place;
  write_pictures(place);
  place.write("i.toml", kInpainting);
  const auto answer = place.vida_on_a_small_disk(inpainting_words("o", {"train.checkpoint=0.01"}), 50000);
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.err, HasSubstr("vida: 'o/.checkpoint.safetensors."));
  EXPECT_THAT(place.files(), Not(Contains(StartsWith("o"))));
}

}  // namespace
}  // namespace vida::test
