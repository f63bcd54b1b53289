#include "vida/pixel_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "pixel_map.cuh"
#include "vida/error.hpp"

namespace vida {
namespace {

constexpr int kBytes = 256;
constexpr double kOfAll = 0.009, kFlat = 0.001;  // shares of the law of all pixels and of the flat one
constexpr double kSmallestDeviation = 0.05;
using Histogram = std::array<double, kBytes>;

/// The mean over a box of `width` bytes in place of bytes 1 .. 255, reflected at both ends: no mass is lost.
Histogram smoothed(const Histogram& counts, int width) {
  Histogram result{};
  result[0] = counts[0];
  for (int b = 1; b < kBytes; ++b)
    for (int i = b - width / 2; i <= b + width / 2; ++i)
      result[b] += counts[i < 1 ? 1 - i : i > 255 ? 511 - i : i] / width;
  return result;
}

Histogram law(const Histogram& own, const Histogram& of_all, double temper) {
  Histogram p;
  double total = 0;
  for (int b = 0; b < kBytes; ++b)
    total += p[b] = std::pow((1 - kOfAll - kFlat) * own[b] + kOfAll * of_all[b] + kFlat / kBytes, temper);
  for (double& probability : p) probability /= total;
  return p;
}

struct Moments {
  double mean = 0, square = 0;
};

/// Of Phi^-1(F) within a byte of mass p between z = low and high, where F is uniform: its density over z is phi(z) / p.
Moments within(double low, double high, double p) {
  const double at_low = kernels::normal_density(low), at_high = kernels::normal_density(high);
  const auto times = [](double z, double density) { return std::isinf(z) ? 0 : z * density; };  // its limit
  return {(at_low - at_high) / p, 1 - (times(high, at_high) - times(low, at_low)) / p};
}

void check(const PixelMapOptions& options) {
  if (options.smoothing < 1 || options.smoothing > 255 || options.smoothing % 2 == 0)
    throw InvalidArgument(
        fmt::format("smoothing is {}, expected an odd number of bytes in 1 .. 255.", options.smoothing));
  if (!(options.temper > 0 && options.temper <= 1))
    throw InvalidArgument(fmt::format("temper is {}, expected an exponent in (0, 1].", options.temper));
}

void check_table(const char* name, std::size_t found, std::size_t expected) {
  if (found != expected)
    throw InvalidArgument(fmt::format("a pixel map's {} holds {} numbers, expected {}.", name, found, expected));
}

/// The map as kernels evaluate it.
kernels::PixelLaws laws_of(const PixelMap& map) {
  return {map.lower().data(), map.upper().data(), map.mean().data(), map.deviation().data()};
}

}  // namespace

PixelMap::PixelMap(std::span<const std::uint8_t> images, int size, const PixelMapOptions& options) : size_(size) {
  if (size < 1 || images.empty() || images.size() % static_cast<std::size_t>(size) != 0)
    throw InvalidArgument(
        fmt::format("a pixel map needs images: {} bytes are no images of {} pixels.", images.size(), size));
  check(options);
  const std::size_t pixels = static_cast<std::size_t>(size);
  const std::size_t of_a_pixel = images.size() / pixels;
  const double count = static_cast<double>(of_a_pixel);
  std::vector<Histogram> raw(pixels, Histogram{}), smooth;
  for (std::size_t i = 0; i < images.size(); ++i) ++raw[i % pixels][images[i]];
  Histogram of_all{};
  for (Histogram& shares : raw) {
    for (double& share : shares) share /= count;
    smooth.push_back(smoothed(shares, options.smoothing));
    for (int b = 0; b < kBytes; ++b) of_all[b] += smooth.back()[b] / size;
  }
  for (int pixel = 0; pixel < size; ++pixel) {
    const std::size_t k = static_cast<std::size_t>(pixel);
    const Histogram p = law(smooth[k], of_all, options.temper);
    std::array<double, kBytes + 1> below{}, above{};
    for (int b = 0; b < kBytes; ++b) below[b + 1] = below[b] + p[b];
    for (int b = kBytes - 1; b >= 0; --b) above[b] = above[b + 1] + p[b];
    lower_.insert(lower_.end(), below.begin(), below.end());
    upper_.insert(upper_.end(), above.begin(), above.end());
    Moments all;
    for (int b = 0; b < kBytes; ++b) {
      const Moments byte = within(edge(pixel, b), edge(pixel, b + 1), p[b]);
      all.mean += raw[k][b] * byte.mean, all.square += raw[k][b] * byte.square;
    }
    mean_.push_back(all.mean);
    deviation_.push_back(
        std::sqrt(std::max(all.square - all.mean * all.mean, kSmallestDeviation * kSmallestDeviation)));
  }
}

PixelMap::PixelMap(int size, std::vector<double> lower, std::vector<double> upper, std::vector<double> mean,
                   std::vector<double> deviation)
    : size_(size),
      lower_(std::move(lower)),
      upper_(std::move(upper)),
      mean_(std::move(mean)),
      deviation_(std::move(deviation)) {
  if (size < 1) throw InvalidArgument(fmt::format("a pixel map of {} pixels: expected at least one.", size));
  const std::size_t pixels = static_cast<std::size_t>(size);
  check_table("lower", lower_.size(), pixels * (kBytes + 1));
  check_table("upper", upper_.size(), pixels * (kBytes + 1));
  check_table("mean", mean_.size(), pixels);
  check_table("deviation", deviation_.size(), pixels);
  for (int pixel = 0; pixel < size; ++pixel) {
    const double* below = &lower_[entry(pixel, 0)];
    const double* above = &upper_[entry(pixel, 0)];
    bool good = below[0] == 0 && above[kBytes] == 0;  // comparisons that NaN fails
    for (int b = 0; b < kBytes; ++b) good = good && below[b] < below[b + 1] && above[b] > above[b + 1];
    for (int b = 0; b <= kBytes; ++b) good = good && std::abs(below[b] + above[b] - 1) < 1e-6;
    if (!good)
      throw InvalidArgument(fmt::format(
          "a pixel map's lower and upper of pixel {}: expected F rising from 0 to 1, and 1 - F falling to 0.", pixel));
    const std::size_t k = static_cast<std::size_t>(pixel);
    if (!std::isfinite(mean_[k]) || !std::isfinite(deviation_[k]) || !(deviation_[k] > 0))
      throw InvalidArgument(fmt::format(
          "a pixel map's mean and deviation of pixel {} are {} and {}, expected numbers, the second positive.", pixel,
          mean_[k], deviation_[k]));
  }
}

double PixelMap::edge(int pixel, int byte) const {
  if (byte == 0 || byte == kBytes)
    return byte == 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  const double below = lower(pixel, byte);
  return below <= 0.5 ? kernels::normal_quantile(below) : -kernels::normal_quantile(upper(pixel, byte));
}

double PixelMap::probability(int pixel, int byte) const { return laws_of(*this).probability(pixel, byte); }
double PixelMap::encode(int pixel, int byte, double u) const { return laws_of(*this).encode(pixel, byte, u); }
double PixelMap::decode(int pixel, double x) const { return laws_of(*this).decode(pixel, x); }
double PixelMap::log_slope(int pixel, int byte, double x) const { return laws_of(*this).log_slope(pixel, byte, x); }

}  // namespace vida
