#include "inference/linear_gaussian.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "messages.hpp"
#include "near.hpp"
#include "vida/random.hpp"

namespace vida {
namespace {

using testing::relative_error;
using Bytes = std::vector<std::uint8_t>;

constexpr int kImages = 16384;

/// Bits of a Gaussian number of this variance in bytes, to a whole byte.
double bits(double variance) { return 0.5 * std::log2(2 * std::numbers::pi * std::numbers::e * variance); }

std::uint8_t to_byte(double value) { return static_cast<std::uint8_t>(std::clamp(std::round(value), 0.0, 255.0)); }

/// Images of five pixels that obey a linear-Gaussian law, far from the ends of a byte:
///   pixels 1, 2 and 4 = N(128, 20^2),  pixel 0 = 128 + 0.8 (pixel 1 - 128) - 0.5 (pixel 4 - 128) + 12 e,
///   pixel 3 = 100 + 0.5 (pixel 2 - 128) + 10 (0.6 e + 0.8 f).
Bytes linear_images(std::uint32_t set) {
  Bytes images;
  for (std::uint32_t i = 0; i < kImages; ++i) {
    const auto normal = [&](std::uint32_t k) { return standard_normal({.seed = 3, .problem = i, .step = set}, k); };
    const std::array<double, 3> context{std::round(128 + 20 * normal(0)), std::round(128 + 20 * normal(1)),
                                        std::round(128 + 20 * normal(2))};
    const double e = normal(3), f = normal(4);
    images.push_back(to_byte(128 + 0.8 * (context[0] - 128) - 0.5 * (context[2] - 128) + 12 * e));
    images.push_back(to_byte(context[0]));
    images.push_back(to_byte(context[1]));
    images.push_back(to_byte(100 + 0.5 * (context[1] - 128) + 10 * (0.6 * e + 0.8 * f)));
    images.push_back(to_byte(context[2]));
  }
  return images;
}

/// Images of six independent pixels with every byte equally often.
Bytes flat_images(std::uint32_t set) {
  Bytes images;
  for (std::uint32_t i = 0; i < 6 * kImages; ++i) {
    const double normal = standard_normal({.seed = 5, .problem = i, .step = set}, 0);
    images.push_back(static_cast<std::uint8_t>(std::min(255.0, 128 * std::erfc(-normal / std::numbers::sqrt2))));
  }
  return images;
}

const std::vector<int> kUnknown{0, 3};

/// 16384 images leave 0.004 of a bit to chance: sqrt(d / 2) / (d ln 2) an image with d = 2. Four of these.
constexpr double kChance = 0.017;

TEST(LinearGaussian, ReachesTheEntropyOfALinearGaussianLaw) {
  const LinearGaussian model(linear_images(0), 5, kUnknown, 1);
  const auto score = model.score(linear_images(1));
  // rounding to a byte and the noise add 1/12 each
  const double first = 144 + 1.0 / 6, second = 100 + 1.0 / 6, across = 72;
  EXPECT_NEAR(score.bits_per_dimension, bits(std::sqrt(first * second - across * across)), kChance);
  // a mean of squares of 2 x 16384 numbers: 0.8 % of chance
  EXPECT_NEAR(score.squared_error * 255 * 255, 122 + 1.0 / 12, 4 * 0.008 * 122);
}

TEST(LinearGaussian, PredictsTheMeanOfIndependentPixels) {
  const Bytes training = flat_images(0), test = flat_images(1);
  const std::vector<int> unknown{5, 1, 2};
  const auto score = LinearGaussian(training, 6, unknown, 1).score(test);
  EXPECT_NEAR(score.bits_per_dimension, bits(256.0 * 256 / 12), kChance);
  // what three weights learn from chance costs 3 / 16384
  EXPECT_LE(relative_error(score.squared_error, mean_image_error(training, test, 6, unknown)), 1e-3);
  EXPECT_NEAR(score.squared_error, 1.0 / 12, 1e-3);
}

/// A pixel that never changes is known up to its noise: 0.25 bits, what a Gaussian loses to the uniform law.
TEST(LinearGaussian, PixelsThatNeverChangeCostTheirNoise) {
  for (const int byte : {0, 9, 255}) {
    const Bytes images(kImages * 4, static_cast<std::uint8_t>(byte));
    const auto score = LinearGaussian(images, 4, kUnknown, 1).score(images);
    EXPECT_NEAR(score.bits_per_dimension, bits(1.0 / 12), kChance) << byte;
    EXPECT_NEAR(score.squared_error, 0, 1e-20) << byte;
  }
}

/// A pixel that repeats another one is known too, and leaves the weights of the two undetermined.
TEST(LinearGaussian, RepeatedPixelsAreNoObstacle) {
  Bytes images;
  for (int i = 0; i < 4096; ++i) images.insert(images.end(), 4, static_cast<std::uint8_t>(i * 37 % 256));
  const auto score = LinearGaussian(images, 4, kUnknown, 1).score(images);
  EXPECT_NEAR(score.bits_per_dimension, bits(1.0 / 12), 2 * kChance);  // of 4096 images
  EXPECT_LE(std::sqrt(score.squared_error) * 255, 1e-6 * 128);         // the ridge
}

TEST(LinearGaussian, TheOrderOfTheUnknownPixelsDoesNotMatter) {
  const Bytes training = linear_images(0), test = linear_images(1);
  const auto one = LinearGaussian(training, 5, std::vector{4, 0, 3}, 1).score(test);
  const auto other = LinearGaussian(training, 5, std::vector{0, 3, 4}, 1).score(test);
  EXPECT_LE(relative_error(one.bits_per_dimension, other.bits_per_dimension), 1e-10);
  EXPECT_LE(relative_error(one.squared_error, other.squared_error), 1e-10);
}

TEST(LinearGaussian, TheOrderOfTheImagesChangesTheNoiseOnly) {
  const Bytes training = linear_images(0), test = linear_images(1);
  const auto reversed = [](const Bytes& images) {
    Bytes result;
    for (std::size_t i = images.size() / 5; i-- > 0;)
      result.insert(result.end(), images.begin() + static_cast<long>(5 * i),
                    images.begin() + static_cast<long>(5 * i + 5));
    return result;
  };
  const LinearGaussian model(training, 5, kUnknown, 1);
  const auto score = model.score(test), other = model.score(reversed(test));
  EXPECT_LE(relative_error(other.squared_error, score.squared_error), 1e-12);
  EXPECT_NE(other.bits_per_dimension, score.bits_per_dimension);
  EXPECT_NEAR(other.bits_per_dimension, score.bits_per_dimension, 1e-3);
  const auto refitted = LinearGaussian(reversed(training), 5, kUnknown, 1).score(test);
  EXPECT_EQ(refitted.bits_per_dimension, score.bits_per_dimension);  // sums of whole numbers
  EXPECT_EQ(refitted.squared_error, score.squared_error);
}

TEST(LinearGaussian, ASeedGivesOneScore) {
  const Bytes images = linear_images(0);
  const auto score = [&](std::uint64_t seed) {
    return LinearGaussian(images, 5, kUnknown, seed).score(images).bits_per_dimension;
  };
  EXPECT_EQ(score(1), score(1));
  EXPECT_NE(score(1), score(2));
  EXPECT_NEAR(score(1), score(2), 1e-3);
}

TEST(LinearGaussian, TheErrorOfTheMeanImageIsExact) {
  const Bytes training{0, 10, 10, 30}, test{7, 25, 8, 10};
  EXPECT_DOUBLE_EQ(mean_image_error(training, test, 2, std::vector{1}), (25.0 + 100.0) / (2 * 255 * 255));
}

TEST(BadLinearGaussian, IsNamed) {
  const auto message = [](std::size_t bytes, int size, std::vector<int> unknown) {
    return testing::message_of<InvalidArgument>([&] { LinearGaussian(Bytes(bytes), size, unknown, 1); });
  };
  EXPECT_EQ(message(0, 3, {1}), "a linear-Gaussian model needs images: 0 bytes are no images of 3 pixels.");
  EXPECT_EQ(message(7, 3, {1}), "a linear-Gaussian model needs images: 7 bytes are no images of 3 pixels.");
  EXPECT_EQ(message(6, 3, {3}), "unknown pixel 3 is not in an image of 3 pixels.");
  EXPECT_EQ(message(6, 3, {-1}), "unknown pixel -1 is not in an image of 3 pixels.");
  EXPECT_EQ(message(6, 3, {1, 1}), "unknown pixel 1 is named twice.");
  EXPECT_EQ(message(6, 3, {}), "0 of 3 pixels are unknown, expected some and not all.");
  EXPECT_EQ(message(6, 3, {2, 0, 1}), "3 of 3 pixels are unknown, expected some and not all.");
  const LinearGaussian model(Bytes(6), 3, std::vector{1}, 1);
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] { model.score(Bytes(4)); }),
            "a linear-Gaussian model needs images: 4 bytes are no images of 3 pixels.");
  EXPECT_EQ(testing::message_of<InvalidArgument>([&] { mean_image_error(Bytes(6), {}, 3, std::vector{1}); }),
            "a linear-Gaussian model needs images: 0 bytes are no images of 3 pixels.");
}

}  // namespace
}  // namespace vida
