#include "vida/pixel_map.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "messages.hpp"
#include "vida/error.hpp"

namespace vida {
namespace {

/// 4000 images of three pixels: one like a digit's background, one that is always 7, one with every byte.
std::vector<std::uint8_t> images() {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 4000; ++i) {
    pixels.push_back(static_cast<std::uint8_t>(i % 10 < 8 ? 0 : i * 37 % 256));
    pixels.push_back(7);
    pixels.push_back(static_cast<std::uint8_t>(i % 256));
  }
  return pixels;
}

TEST(PixelMap, DecodesWhatItEncodes) {
  const PixelMap map(images(), 3);
  for (int pixel = 0; pixel < 3; ++pixel)
    for (int byte = 0; byte < 256; ++byte)
      for (const double u : {1e-6, 0.25, 0.5, 0.999999}) {
        const double x = map.encode(pixel, byte, u);
        ASSERT_TRUE(std::isfinite(x));
        EXPECT_NEAR(map.decode(pixel, x), byte + u, 1e-7) << pixel << " " << byte << " " << u;
      }
}

TEST(PixelMap, Rises) {
  const PixelMap map(images(), 3);
  double before = -INFINITY;
  for (int byte = 0; byte < 256; ++byte)
    for (const double u : {0.01, 0.5, 0.99}) {
      const double x = map.encode(0, byte, u);
      EXPECT_GT(x, before);
      before = x;
    }
  EXPECT_EQ(map.decode(0, -INFINITY), 0);
  EXPECT_EQ(map.decode(0, INFINITY), 256);
}

TEST(PixelMap, TheSlopeIsTheDerivative) {
  const PixelMap map(images(), 3);
  for (int pixel = 0; pixel < 3; ++pixel)
    for (const int byte : {0, 7, 100, 255}) {
      constexpr double kStep = 1e-4;
      const double difference =
          (map.encode(pixel, byte, 0.5 + kStep) - map.encode(pixel, byte, 0.5 - kStep)) / (2 * kStep);
      EXPECT_NEAR(std::exp(map.log_slope(pixel, byte, map.encode(pixel, byte, 0.5))), difference, 1e-6 * difference);
    }
}

/// Under independent standard normal numbers, the bits of a byte are those of its smoothed histogram, for any u.
TEST(PixelMap, MarginsCostTheBitsOfTheHistogram) {
  const auto data = images();
  const PixelMap map(data, 3, 0.5);
  for (int pixel = 0; pixel < 3; ++pixel) {
    double all = 0, of_all = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const double p = map.probability(pixel, byte);
      all += p;
      for (const double u : {0.1, 0.9}) {
        const double x = map.encode(pixel, byte, u), density = -0.5 * x * x - 0.5 * std::log(2 * std::acos(-1.0));
        EXPECT_NEAR(density + map.log_slope(pixel, byte, x), std::log(p), 1e-10);
      }
    }
    EXPECT_NEAR(all, 1, 1e-12);
    for (std::size_t i = 0; i < data.size(); ++i) of_all += data[i] == 0;
    double own = 0;
    for (std::size_t i = static_cast<std::size_t>(pixel); i < data.size(); i += 3) own += data[i] == 0;
    EXPECT_NEAR(map.probability(pixel, 0), (own + 0.5 * of_all / 12000 + 1.0 / 256) / 4001.5, 1e-12);
  }
}

TEST(PixelMap, MarginsOfTheTrainingImagesAreStandardNormal) {
  const auto data = images();
  const PixelMap map(data, 3, 1e-3);
  for (const int pixel : {0, 2}) {
    std::vector<double> counts(256);
    for (std::size_t i = static_cast<std::size_t>(pixel); i < data.size(); i += 3) counts[data[i]] += 1;
    constexpr int kPoints = 2000;
    double mean = 0, square = 0;
    for (int byte = 0; byte < 256; ++byte)
      for (int k = 0; k < kPoints; ++k) {
        const double x = map.encode(pixel, byte, (k + 0.5) / kPoints), share = counts[byte] / 4000 / kPoints;
        mean += share * x, square += share * x * x;
      }
    EXPECT_NEAR(mean, 0, 5e-4);
    EXPECT_NEAR(square, 1, 2e-3);
  }
}

TEST(BadPixelMap, IsNamed) {
  const auto message = [](std::size_t bytes, int size, double smoothing) {
    const std::vector<std::uint8_t> data(bytes);
    return testing::message_of<InvalidArgument>([&] { PixelMap(data, size, smoothing); });
  };
  EXPECT_EQ(message(7, 3, 1), "a pixel map needs images: 7 bytes are no images of 3 pixels.");
  EXPECT_EQ(message(0, 3, 1), "a pixel map needs images: 0 bytes are no images of 3 pixels.");
  EXPECT_EQ(message(6, 3, 0), "smoothing is 0, expected a positive number of images.");
}

}  // namespace
}  // namespace vida
