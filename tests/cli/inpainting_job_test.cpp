// The job inpainting, run as a user would.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/inpainting_jobs.hpp"

namespace vida::test {
namespace {

using io::NetcdfReader;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;
using Json = nlohmann::json;

constexpr long kImages = 200, kUnknown = 16, kSamples = 40;

/// Of a float below 256, rounded: 2^-17.
constexpr double kRounding = 1e-5;

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// Two bits a pixel and two decibels are far beyond the standard errors of 200 images, 0.1 and 0.5. The pixels of an
/// image lie inside or outside together: with four that do not, a coverage of 0.9 has a standard error of 0.01.
void expect_good_scores(const Json& summary) {
  EXPECT_LT(summary["bits_per_pixel"], summary["linear_gaussian_bits_per_pixel"].get<double>() - 2);
  EXPECT_GT(summary["psnr"], summary["linear_gaussian_psnr"].get<double>() + 2);
  EXPECT_GT(summary["linear_gaussian_psnr"], summary["mean_image_psnr"].get<double>() + 2);
  EXPECT_GT(summary["class_accuracy"], 0.95);
  EXPECT_LT(summary["class_log_loss"], 0.2);
  EXPECT_GT(summary["classifier_accuracy"], 0.95);
  EXPECT_NEAR(summary["coverage_90"], summary["coverage_90_nominal"], 0.05);
  EXPECT_NEAR(summary["coverage_50"], summary["coverage_50_nominal"], 0.1);
  EXPECT_EQ(summary["coverage_90_nominal"], 37.0 / 41);
  EXPECT_EQ(summary["coverage_50_nominal"], 21.0 / 41);
}

void expect_shapes(const NetcdfReader& result) {
  using Shape = std::vector<long>;
  for (const char* name : {"bits", "squared_error", "label"}) EXPECT_EQ(result.shape(name), Shape{kImages}) << name;
  EXPECT_EQ(result.shape("class_probability"), (Shape{kImages, 3}));
  for (const char* name : {"pixel_mean", "pixel_deviation", "rank"})
    EXPECT_EQ(result.shape(name), (Shape{kImages, kUnknown})) << name;
  EXPECT_EQ(result.shape("known"), (Shape{10, 10}));
  for (const char* name : {"truth", "mean", "deviation"}) EXPECT_EQ(result.shape(name), (Shape{2, 10, 10})) << name;
  EXPECT_EQ(result.shape("sample"), (Shape{2, kSamples, 10, 10}));
  EXPECT_EQ(result.shape("example_probability"), (Shape{2, 3}));
  for (long k = 0; k < kUnknown; ++k) {
    EXPECT_EQ(result.slab("pixel_row", {k}, {1})[0], 3 + k / 4);
    EXPECT_EQ(result.slab("pixel_column", {k}, {1})[0], 3 + k % 4);
  }
  EXPECT_EQ(result.values("example"), (std::vector<double>{5, 0}));
  EXPECT_EQ(result.shape("loss"), Shape{800});  // 40 epochs of 1300 / 64 steps
  EXPECT_EQ(result.shape("validation"), Shape{40});
  EXPECT_EQ(result.values("validated_after").back(), 800);
}

/// The summary is made of the numbers of each image.
void expect_agreement(const NetcdfReader& result, const Json& summary) {
  EXPECT_DOUBLE_EQ(summary["bits_per_pixel"], mean_of(result.values("bits")));
  EXPECT_DOUBLE_EQ(summary["psnr"], -10 * std::log10(mean_of(result.values("squared_error"))));
  const auto label = result.values("label");
  const Matrix probability = result.array<2>("class_probability");
  const auto rank = result.values("rank");
  double right = 0, loss = 0;
  for (long i = 0; i < kImages; ++i) {
    const auto p = probability[i];
    const long own = std::lround(label[static_cast<std::size_t>(i)]);
    right += std::max_element(p.begin(), p.end()) - p.begin() == own;
    loss -= std::log(std::max(p[own], 1e-12));
    EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-5) << i;  // single precision
  }
  EXPECT_DOUBLE_EQ(summary["class_accuracy"], right / kImages);
  EXPECT_DOUBLE_EQ(summary["class_log_loss"], loss / kImages);
  EXPECT_THAT(rank, Each(AllOf(Ge(0), Le(kSamples))));
  const auto inside = std::count_if(rank.begin(), rank.end(), [](double r) { return r >= 2 && r <= kSamples - 2; });
  EXPECT_DOUBLE_EQ(summary["coverage_90"], static_cast<double>(inside) / static_cast<double>(rank.size()));
}

/// Samples keep the known pixels of the truth; mean and deviation are theirs.
void expect_example(const NetcdfReader& result, long e, const std::uint8_t* image) {
  const Matrix known = result.array<2>("known");
  const auto truth = result.array<3>("truth"), mean = result.array<3>("mean"), deviation = result.array<3>("deviation");
  const auto sample = result.array<4>("sample");
  for (long row = 0; row < 10; ++row)
    for (long column = 0; column < 10; ++column) {
      const std::string where = fmt::format("example {}, row {}, column {}", e, row, column);
      const bool in_block = row >= 3 && row < 7 && column >= 3 && column < 7;
      EXPECT_EQ(known(row, column), in_block ? 0 : 1) << where;
      EXPECT_EQ(truth(e, row, column), image[10 * row + column]) << where;
      std::vector<double> drawn, squares;
      for (long s = 0; s < kSamples; ++s) drawn.push_back(sample(e, s, row, column));
      if (!in_block) {
        EXPECT_THAT(drawn, Each(truth(e, row, column))) << where;
      }
      const double own_mean = mean_of(drawn);
      for (const double value : drawn) squares.push_back((value - own_mean) * (value - own_mean));
      EXPECT_NEAR(mean(e, row, column), own_mean, kRounding) << where;
      EXPECT_NEAR(deviation(e, row, column), std::sqrt(mean_of(squares) * kSamples / (kSamples - 1)), kRounding)
          << where;
    }
}

TEST(InpaintingJob, KnowsMoreThanALinearGaussianLaw) {
  const Workplace place;
  write_pictures(place);
  const auto answer = run_inpainting(place);
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("bits/pixel"), HasSubstr("linear-Gaussian"), HasSubstr("mean image")));
  EXPECT_THAT(answer.err, HasSubstr("figures were not drawn: gnuplot is not installed."));
  const auto summary = summary_in(place, "o");
  expect_good_scores(summary);
  const NetcdfReader result(place.path("o/result.nc"));
  expect_shapes(result);
  expect_agreement(result, summary);
  const Pictures test = pictures(kImages, 2);
  expect_example(result, 0, &test.pixels[500]);
  expect_example(result, 1, &test.pixels[0]);
  EXPECT_THAT(place.files(), Not(Contains(HasSubstr("checkpoint"))));
}

TEST(InpaintingJob, ThreadsDoNotChangeANumber) {
  const Workplace place;
  write_pictures(place);
  ASSERT_EQ(run_inpainting(place, "one", {"train.epochs=3"}).code, 0);
  ASSERT_EQ(run_inpainting(place, "three", {"train.epochs=3"}, "3").code, 0);
  EXPECT_EQ(summary_in(place, "three")["threads"], 3);
  expect_same_numbers(place, "one", "three");
}

TEST(InpaintingJob, SavedWeightsScoreAsTheirRun) {
  const Workplace place;
  write_pictures(place);
  ASSERT_EQ(run_inpainting(place, "o", {"train.epochs=2"}).code, 0);
  const auto answer = run_inpainting(place, "w", {"weights=o/model.safetensors", "flow.hidden=7"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, Not(HasSubstr("training")));
  expect_same_numbers(place, "o", "w", kScores);
  EXPECT_FALSE(NetcdfReader(place.path("w/result.nc")).has("loss"));
  const auto own = summary_in(place, "o"), again = summary_in(place, "w");
  for (const char* name : {"bits_per_pixel", "bits_per_pixel_error", "psnr", "class_log_loss", "class_accuracy",
                           "coverage_50", "coverage_90", "classifier_log_loss", "classifier_accuracy", "parameters",
                           "linear_gaussian_bits_per_pixel", "linear_gaussian_psnr", "mean_image_psnr"})
    EXPECT_EQ(own[name], again[name]) << name;
  EXPECT_EQ(again["steps"], 0);
  EXPECT_TRUE(again["seconds_training"].is_null());
}

TEST(InpaintingJob, SavedWeightsKeepTheirClasses) {
  const Workplace place;
  write_pictures(place);
  ASSERT_EQ(run_inpainting(place, "o", {"train.epochs=1"}).code, 0);
  Pictures fewer = pictures(1500, 1);
  for (auto& label : fewer.labels) label = std::min<std::uint8_t>(label, 1);
  write_compressed(place.path("data/train-labels-idx1-ubyte.gz"), label_file(fewer));
  const auto answer = run_inpainting(place, "w", {"weights=o/model.safetensors"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  expect_same_numbers(place, "o", "w", kScores);
}

TEST(InpaintingJob, TheExampleConfigurationRuns) {
  const Workplace place;
  write_pictures(place);
  const auto example = place.vida({"init", "inpainting"});
  ASSERT_EQ(example.code, 0) << example.err;
  place.write("i.toml", example.out);
  const auto answer =
      place.vida(inpainting_words("o", {"data=data", "mask.top=3", "mask.left=3", "mask.height=4", "mask.width=4",
                                        "images.training=0", "images.test=20", "train.validation=200", "train.epochs=1",
                                        "classifier.epochs=1", "samples.count=10"}),
                 {"PATH=/nowhere"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(summary_in(place, "o")["training_images"], 1500);
  EXPECT_EQ(NetcdfReader(place.path("o/result.nc")).shape("sample"), (std::vector<long>{4, 10, 10, 10}));
}

TEST(InpaintingJob, DrawsWhatItFound) {
  const Workplace place;
  write_pictures(place);
  auto words = inpainting_words("o", {"train.epochs=1", "samples.examples=[7]"}, "1");
  place.write("i.toml", kInpainting);
  const auto answer = place.vida(words);
  ASSERT_EQ(answer.code, 0) << answer.err;
  const auto files = place.files();
  for (const char* name : {"example_7", "examples", "training"})  // pictures, or texts where gnuplot is missing
    EXPECT_TRUE(std::any_of(files.begin(), files.end(), [&](const auto& file) {
      return file.starts_with(std::string("o/figures/") + name);
    })) << name;
}

}  // namespace
}  // namespace vida::test
