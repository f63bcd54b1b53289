// What the job inpainting refuses, and what it says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/inpainting_jobs.hpp"

namespace vida::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
namespace fs = std::filesystem;

class InpaintingInput : public ::testing::Test {
 protected:
  void SetUp() override { write_pictures(place); }
  /// What a run with these settings says, behind "vida: ".
  std::string refusal(const std::vector<std::string>& settings = {}) const {
    const auto answer = run_inpainting(place, "o", settings);
    EXPECT_EQ(answer.code, 2) << ::testing::PrintToString(settings);
    EXPECT_THAT(answer.err, StartsWith("vida: "));
    EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
    EXPECT_THAT(place.files(), Not(Contains(StartsWith("o"))));
    return answer.err.size() < 7 ? "" : answer.err.substr(6, answer.err.size() - 7);
  }
  Workplace place;
};

TEST_F(InpaintingInput, AFolderWithoutImagesIsNamed) {
  fs::rename(place.path("data"), place.path("elsewhere"));
  EXPECT_EQ(refusal(), "data: 'data' is not a folder; expected one with train-images-idx3-ubyte.gz.");
  place.write("data", "");
  EXPECT_EQ(refusal(), "data: 'data' is not a folder; expected one with train-images-idx3-ubyte.gz.");
  fs::remove(place.path("data"));
  fs::create_directory(place.path("data"));
  EXPECT_EQ(refusal(), "data: 'data' holds neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz.");
  for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz"})
    fs::copy(place.path("elsewhere") / name, place.path("data"));
  EXPECT_EQ(refusal(), "data: 'data' holds neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz.");
}

TEST_F(InpaintingInput, TheDefaultFolderComesWithAPackage) {
  const fs::path standard = "/usr/share/datasets/fashion-mnist";
  if (fs::exists(standard)) GTEST_SKIP() << "it is installed";
  place.write("i.toml", "job = 'inpainting'\n");
  const auto answer = place.vida({"run", "i.toml", "--out", "o"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(answer.err,
            "vida: data: '" + standard.string() +
                "' is not a folder; expected one with train-images-idx3-ubyte.gz. Install Debian's "
                "dataset-fashion-mnist, or set data to a folder with MNIST or other images in IDX files.\n");
}

TEST_F(InpaintingInput, DamagedFilesAreNamed) {
  const Pictures training = pictures(1500, 1);
  const std::string images = image_file(training), name = "data/train-images-idx3-ubyte",
                    where = "data: '" + name + "' ";
  place.write(name, images.substr(0, 1000));
  EXPECT_EQ(refusal(), where + "is truncated: it holds 984 of the 150000 bytes that its header tells.");
  place.write(name, images + "x");
  EXPECT_EQ(refusal(), where + "holds more than the 150000 bytes that its header tells: it is damaged.");
  place.write(name, label_file(training));
  EXPECT_EQ(refusal(), where + "is no IDX file of images: it begins with 0x00000801, expected 0x00000803.");
  place.write(name, image_file(pictures(1499, 1)));
  EXPECT_EQ(refusal(), where + "holds 1499 images, but 'data/train-labels-idx1-ubyte.gz' holds 1500 labels.");
  place.write(name, image_file({}));
  write_compressed(place.path("data/train-labels-idx1-ubyte.gz"), label_file({}));
  EXPECT_EQ(refusal(), "data: 'data' holds no train images: 0 of 10 x 10 pixels.");
}

TEST_F(InpaintingInput, ThereAreTestImagesOfTheSameSize) {
  Pictures test = pictures(200, 2);
  write_compressed(place.path("data/t10k-images-idx3-ubyte.gz"), image_file(test, 5, 20));
  EXPECT_EQ(refusal(), "data: the training images have 10 x 10 pixels, but the test images 5 x 20; expected one size.");
  write_compressed(place.path("data/t10k-images-idx3-ubyte.gz"), image_file({}));
  place.write("data/t10k-labels-idx1-ubyte", label_file({}));
  EXPECT_EQ(refusal(), "data: 'data' holds no t10k images: 0 of 10 x 10 pixels.");
}

TEST_F(InpaintingInput, TheMaskLiesInTheImageAndLeavesSome) {
  const std::string remedy =
      ", which do not lie in images of 10 x 10 pixels. Set mask.top, mask.left, mask.height and mask.width (at least "
      "two pixels).";
  EXPECT_EQ(refusal({"mask.top=7"}), "the unknown block has rows 7 .. 10 and columns 3 .. 6" + remedy);
  EXPECT_EQ(refusal({"mask.width=8"}), "the unknown block has rows 3 .. 6 and columns 3 .. 10" + remedy);
  EXPECT_EQ(refusal({"mask.top=0", "mask.left=0", "mask.height=10", "mask.width=10"}),
            "the unknown block is the whole image: nothing is known of it. Make mask.height smaller.");
  EXPECT_EQ(refusal({"mask.height=0"}), "--set: mask.height = 0: expected a whole number of at least 1.");
  EXPECT_EQ(refusal({"mask.top=4294967299"}), "mask.top = 4294967299: expected a whole number, at most 1048576.");
}

TEST_F(InpaintingInput, ExamplesAreTestImages) {
  EXPECT_EQ(refusal({"samples.examples=[0, 200]"}), "samples.examples: there is no test image 200; expected 0 .. 199.");
  EXPECT_EQ(refusal({"images.test=5"}), "samples.examples: there is no test image 5; expected 0 .. 4.");
  EXPECT_EQ(refusal({"samples.examples=[3, 1, 3]"}), "samples.examples names test image 3 twice.");
}

TEST_F(InpaintingInput, ThereAreEnoughTrainingImages) {
  const std::string remedy = ": too few for one train.batch of 64. Make one of the two smaller.";
  EXPECT_EQ(refusal({"images.training=263"}),
            "there are 263 training images, of which train.validation holds 200 out" + remedy);
  EXPECT_EQ(refusal({"train.validation=1500"}),
            "there are 1500 training images, of which train.validation holds 1500 out" + remedy);
}

TEST_F(InpaintingInput, NumbersOfTheTrainingAreChecked) {
  EXPECT_EQ(refusal({"train.dropout=1"}), "train.dropout is 1, expected at least 0 and below 1.");
  EXPECT_EQ(refusal({"train.step=0"}), "--set: train.step = 0: expected a number above 0.");
  EXPECT_EQ(refusal({"classifier.step=-1"}), "--set: classifier.step = -1: expected a number above 0.");
  EXPECT_EQ(refusal({"flow.layers=0"}), "--set: flow.layers = 0: expected a whole number of at least 1.");
  EXPECT_EQ(refusal({"precision=float64"}),
            "--set: precision = \"float64\": expected \"float32\". Did you mean \"float32\"?");
  EXPECT_EQ(refusal({"train.epochs=1000000000"}),
            "train.epochs = 1000000000: expected a whole number, at most 1048576.");
}

TEST_F(InpaintingInput, WeightsOfAnotherMaskAreRefused) {
  ASSERT_EQ(run_inpainting(place, "w", {"train.epochs=1", "mask.top=2"}).code, 0);
  EXPECT_EQ(
      refusal({"weights=w/model.safetensors"}),
      "weights: 'w/model.safetensors' was trained for images of 10 x 10 pixels with a block of 4 x 4 at row 2, column "
      "3; set mask and data to the same.");
  EXPECT_EQ(refusal({"weights=none"}), "weights: 'none' does not exist.");
  EXPECT_THAT(refusal({"weights=data/t10k-labels-idx1-ubyte"}), HasSubstr("is not a safetensors file"));
}

}  // namespace
}  // namespace vida::test
