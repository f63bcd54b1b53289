#include "vida/pixel_map.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "messages.hpp"
#include "vida/error.hpp"

namespace vida {
namespace {

constexpr double kRounding = 1e-13;  // of a mass: a sum of 257 numbers up to 1
constexpr PixelMapOptions kExact{.smoothing = 1, .temper = 1};

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

/// Share of each byte in a pixel of the images.
std::vector<double> shares(int pixel) {
  const auto data = images();
  std::vector<double> result(256);
  for (std::size_t i = static_cast<std::size_t>(pixel); i < data.size(); i += 3) ++result[data[i]];
  for (double& share : result) share /= 4000;
  return result;
}

double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * std::acos(-1.0)); }

/// The integral of f(u) over (0, 1) by the double exponential rule u = 1 / (1 + exp(-pi sinh s)), which no power of
/// u or 1 - u at the ends disturbs.
template <class F>
double integral(F f) {
  constexpr double kStep = 1.0 / 32, kPi = 3.14159265358979323846;
  double sum = 0;
  for (double s = -3; s <= 3; s += kStep) {
    const double u = 1 / (1 + std::exp(-kPi * std::sinh(s))), rest = 1 / (1 + std::exp(kPi * std::sinh(s)));
    sum += kStep * kPi * std::cosh(s) * u * rest * f(u);
  }
  return sum;
}

class AnyPixelMap : public ::testing::TestWithParam<PixelMapOptions> {
 protected:
  const PixelMap map{images(), 3, GetParam()};
};

std::string name_of(const ::testing::TestParamInfo<PixelMapOptions>& info) {
  return std::array{"Default", "Exact", "Flattened"}[info.index];
}

INSTANTIATE_TEST_SUITE_P(Options, AnyPixelMap,
                         ::testing::Values(PixelMapOptions{}, kExact, PixelMapOptions{.smoothing = 5, .temper = 0.3}),
                         name_of);

/// A byte has a mass of 4e-6 at least, and F a rounding of a few 1e-16: 1e-10 of a byte.
TEST_P(AnyPixelMap, DecodesWhatItEncodes) {
  for (int pixel = 0; pixel < 3; ++pixel)
    for (int byte = 0; byte < 256; ++byte)
      for (const double u : {1e-6, 0.25, 0.5, 0.999999}) {
        const double x = map.encode(pixel, byte, u);
        ASSERT_TRUE(std::isfinite(x));
        EXPECT_NEAR(map.decode(pixel, x), byte + u, 1e-9) << pixel << " " << byte << " " << u;
      }
}

TEST_P(AnyPixelMap, EncodesWhatItDecodes) {
  for (int pixel = 0; pixel < 3; ++pixel)
    for (double x = -3; x <= 3; x += 0.01) {
      const double v = map.decode(pixel, x), byte = std::floor(v);
      EXPECT_NEAR(map.encode(pixel, static_cast<int>(byte), v - byte), x, 1e-9) << pixel << " " << x;
    }
}

TEST_P(AnyPixelMap, Rises) {
  for (int pixel = 0; pixel < 3; ++pixel) {
    double before = -INFINITY;
    for (int byte = 0; byte < 256; ++byte)
      for (const double u : {0.01, 0.5, 0.99}) {
        const double x = map.encode(pixel, byte, u);
        EXPECT_GT(x, before);
        before = x;
      }
    double v_before = 0;
    for (double x = -60; x <= 60; x += 0.125) {
      const double v = map.decode(pixel, x);
      EXPECT_TRUE(v >= v_before && v <= 256) << pixel << " " << x << ": " << v;
      v_before = v;
    }
    EXPECT_EQ(map.decode(pixel, -INFINITY), 0);
    EXPECT_EQ(map.decode(pixel, INFINITY), 256);
  }
}

TEST_P(AnyPixelMap, TheSlopeIsTheDerivative) {
  for (int pixel = 0; pixel < 3; ++pixel)
    for (const int byte : {0, 7, 100, 255}) {
      constexpr double kStep = 1e-4;
      const double difference =
          (map.encode(pixel, byte, 0.5 + kStep) - map.encode(pixel, byte, 0.5 - kStep)) / (2 * kStep);
      EXPECT_NEAR(std::exp(map.log_slope(pixel, byte, map.encode(pixel, byte, 0.5))), difference, 1e-6 * difference);
    }
}

TEST_P(AnyPixelMap, TrainingImagesHaveMeanZeroAndVarianceOne) {
  for (int pixel = 0; pixel < 3; ++pixel) {
    const auto share = shares(pixel);
    double mean = 0, square = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const auto x = [&](double u) { return map.encode(pixel, byte, u); };
      mean += share[byte] * integral(x), square += share[byte] * integral([&](double u) { return x(u) * x(u); });
    }
    EXPECT_NEAR(mean, 0, 1e-9) << pixel;
    EXPECT_NEAR(square, 1, 1e-9) << pixel;
  }
}

/// The map reaches the whole line: a density of x holds mass 1 over v too. The rule stops 1e-13 before the ends of v,
/// where the density of v may grow like the inverse root: 1e-6 of its mass.
TEST_P(AnyPixelMap, CarriesTheWholeMassOfADensity) {
  for (int pixel = 0; pixel < 3; ++pixel) {
    double mass = 0;
    for (int byte = 0; byte < 256; ++byte)
      mass += integral([&](double u) {
        const double x = map.encode(pixel, byte, u);
        return normal_density(x) * std::exp(map.log_slope(pixel, byte, x));
      });
    EXPECT_NEAR(mass, 1, 2e-6) << pixel;
  }
}

TEST_P(AnyPixelMap, IsRestoredFromItsTables) {
  const PixelMap restored(3, map.lower(), map.upper(), map.mean(), map.deviation());
  EXPECT_EQ(restored.size(), 3);
  for (int pixel = 0; pixel < 3; ++pixel)
    for (const int byte : {0, 7, 255}) {
      const double x = map.encode(pixel, byte, 0.3);
      EXPECT_EQ(restored.encode(pixel, byte, 0.3), x);
      EXPECT_EQ(restored.decode(pixel, x), map.decode(pixel, x));
      EXPECT_EQ(restored.log_slope(pixel, byte, x), map.log_slope(pixel, byte, x));
    }
}

/// Untempered, the bits of a byte under a standard normal Phi^-1(F) are those of its histogram, for any u.
TEST(PixelMap, MarginsCostTheBitsOfTheHistogram) {
  const PixelMap map(images(), 3, kExact);
  const std::array own{shares(0), shares(1), shares(2)};
  for (int pixel = 0; pixel < 3; ++pixel) {
    double all = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const double p = map.probability(pixel, byte), of_all = (own[0][byte] + own[1][byte] + own[2][byte]) / 3;
      EXPECT_NEAR(p, 0.99 * own[pixel][byte] + 0.009 * of_all + 0.001 / 256, kRounding);
      all += p;
      for (const double u : {0.1, 0.9}) {
        const double x = map.encode(pixel, byte, u), z = map.mean()[pixel] + map.deviation()[pixel] * x;
        const double log_mass = std::log(normal_density(z) * map.deviation()[pixel]) + map.log_slope(pixel, byte, x);
        EXPECT_NEAR(log_mass, std::log(p), 1e-10);
      }
    }
    EXPECT_NEAR(all, 1, 1e-12);
  }
}

TEST(PixelMap, SmoothsInkAndNotTheBackground) {
  const auto law_of = [](std::uint8_t byte) {
    return PixelMap(std::vector(5, byte), 1, {.smoothing = 9, .temper = 1});
  };
  const double flat = 0.001 / 256;
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_NEAR(law_of(0).probability(0, byte), (byte == 0 ? 0.999 : 0) + flat, kRounding);
    EXPECT_NEAR(law_of(100).probability(0, byte), (std::abs(byte - 100) <= 4 ? 0.999 / 9 : 0) + flat, kRounding);
    const double reflected = byte >= 1 && byte <= 4 ? 2 : byte == 5 ? 1 : 0;  // ninths of a pixel that is always 1
    EXPECT_NEAR(law_of(1).probability(0, byte), 0.999 * reflected / 9 + flat, kRounding);
    EXPECT_NEAR(law_of(255).probability(0, byte == 0 ? 0 : 256 - byte), 0.999 * reflected / 9 + flat, kRounding);
  }
}

TEST(PixelMap, TemperIsAnExponent) {
  const PixelMap plain(images(), 3, {.smoothing = 9, .temper = 1}), tempered(images(), 3);
  for (int pixel = 0; pixel < 3; ++pixel)
    for (int byte = 1; byte < 256; ++byte)
      EXPECT_NEAR(std::log(tempered.probability(pixel, byte) / tempered.probability(pixel, 0)),
                  0.6 * std::log(plain.probability(pixel, byte) / plain.probability(pixel, 0)), 1e-9);
  EXPECT_LT(tempered.probability(0, 0), plain.probability(0, 0) / 2);  // the ink gains what the spike loses
}

/// A pixel that is always 100, spread over 255 bytes, has a deviation of 0.003 / sqrt(12) in Phi^-1(F).
TEST(PixelMap, KeepsItsDeviationFromZero) {
  const PixelMap map(std::vector<std::uint8_t>(5, 100), 1, {.smoothing = 255, .temper = 1});
  EXPECT_EQ(map.deviation()[0], 0.05);
}

TEST(BadPixelMap, IsNamed) {
  const auto message = [](std::size_t bytes, int size, PixelMapOptions options) {
    const std::vector<std::uint8_t> data(bytes);
    return testing::message_of<InvalidArgument>([&] { PixelMap(data, size, options); });
  };
  EXPECT_EQ(message(7, 3, {}), "a pixel map needs images: 7 bytes are no images of 3 pixels.");
  EXPECT_EQ(message(0, 3, {}), "a pixel map needs images: 0 bytes are no images of 3 pixels.");
  EXPECT_EQ(message(6, 3, {.smoothing = 4}), "smoothing is 4, expected an odd number of bytes in 1 .. 255.");
  EXPECT_EQ(message(6, 3, {.smoothing = 257}), "smoothing is 257, expected an odd number of bytes in 1 .. 255.");
  EXPECT_EQ(message(6, 3, {.temper = 0}), "temper is 0, expected an exponent in (0, 1].");
  EXPECT_EQ(message(6, 3, {.temper = NAN}), "temper is nan, expected an exponent in (0, 1].");
}

TEST(BadPixelMapTables, AreNamed) {
  const PixelMap map(images(), 3);
  const auto message = [&](auto change) {
    std::array tables{map.lower(), map.upper(), map.mean(), map.deviation()};
    change(tables);
    return testing::message_of<InvalidArgument>([&] { PixelMap(3, tables[0], tables[1], tables[2], tables[3]); });
  };
  using Tables = std::array<std::vector<double>, 4>;
  EXPECT_EQ(message([](Tables&) {}), "");
  EXPECT_EQ(message([](Tables& t) { t[1].pop_back(); }), "a pixel map's upper holds 770 numbers, expected 771.");
  EXPECT_EQ(message([](Tables& t) { t[2].clear(); }), "a pixel map's mean holds 0 numbers, expected 3.");
  const std::string no_law =
      "a pixel map's lower and upper of pixel 1: expected F rising from 0 to 1, and 1 - F falling to 0.";
  EXPECT_EQ(message([](Tables& t) { std::swap(t[0][300], t[0][301]); }), no_law);
  EXPECT_EQ(message([](Tables& t) { t[1][400] = NAN; }), no_law);
  EXPECT_EQ(message([](Tables& t) { t[0][257] = 1e-9; }), no_law);
  EXPECT_EQ(message([](Tables& t) { t[3][2] = 0; }).substr(0, 47), "a pixel map's mean and deviation of pixel 2 are");
  EXPECT_EQ(testing::message_of<InvalidArgument>([] { PixelMap(0, {}, {}, {}, {}); }),
            "a pixel map of 0 pixels: expected at least one.");
}

}  // namespace
}  // namespace vida
