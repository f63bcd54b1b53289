#include "vida/pixel_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "pack_math.cuh"
#include "vida/error.hpp"

namespace vida {
namespace {

constexpr int kBytes = 256;
using Histogram = std::array<double, kBytes>;

Histogram probabilities(const Histogram& counts, const Histogram& of_all, double smoothing) {
  Histogram result;
  double total = 0;
  for (int b = 0; b < kBytes; ++b) total += result[b] = counts[b] + smoothing * of_all[b] + 1.0 / kBytes;
  for (double& p : result) p /= total;
  return result;
}

}  // namespace

PixelMap::PixelMap(std::span<const std::uint8_t> images, int size, double smoothing) : size_(size) {
  if (size < 1 || images.empty() || images.size() % static_cast<std::size_t>(size) != 0)
    throw InvalidArgument(
        fmt::format("a pixel map needs images: {} bytes are no images of {} pixels.", images.size(), size));
  if (!(smoothing > 0) || !std::isfinite(smoothing))
    throw InvalidArgument(fmt::format("smoothing is {}, expected a positive number of images.", smoothing));
  const std::size_t pixels = static_cast<std::size_t>(size);
  std::vector<Histogram> counts(pixels, Histogram{});
  Histogram of_all{};
  for (std::size_t i = 0; i < images.size(); ++i) ++counts[i % pixels][images[i]];
  for (const Histogram& pixel : counts)
    for (int b = 0; b < kBytes; ++b) of_all[b] += pixel[b] / static_cast<double>(images.size());
  for (const Histogram& pixel : counts) {
    const Histogram p = probabilities(pixel, of_all, smoothing);
    std::array<double, kBytes + 1> below{}, above{};
    for (int b = 0; b < kBytes; ++b) below[b + 1] = below[b] + p[b];
    for (int b = kBytes - 1; b >= 0; --b) above[b] = above[b + 1] + p[b];
    lower_.insert(lower_.end(), below.begin(), below.end());
    upper_.insert(upper_.end(), above.begin(), above.end());
  }
}

double PixelMap::encode(int pixel, int byte, double u) const {
  const double p = probability(pixel, byte), below = lower(pixel, byte) + u * p;
  if (below <= 0.5) return kernels::normal_quantile(below);
  return -kernels::normal_quantile(upper(pixel, byte + 1) + (1 - u) * p);
}

double PixelMap::decode(int pixel, double x) const {
  const auto row = [&](const std::vector<double>& table) { return table.begin() + static_cast<long>(pixel) * 257; };
  if (x <= 0) {
    const double below = kernels::normal_cdf(x);
    const auto next = std::upper_bound(row(lower_) + 1, row(lower_) + kBytes, below);
    const int byte = static_cast<int>(next - row(lower_)) - 1;
    return std::min(byte + (below - lower(pixel, byte)) / probability(pixel, byte), byte + 1.0);
  }
  const double above = kernels::normal_cdf(-x);
  const auto next = std::upper_bound(row(upper_) + 1, row(upper_) + kBytes, above, std::greater<>());
  const int byte = static_cast<int>(next - row(upper_)) - 1;
  return std::clamp(byte + (upper(pixel, byte) - above) / probability(pixel, byte), double(byte), byte + 1.0);
}

double PixelMap::log_slope(int pixel, int byte, double x) const {
  return std::log(probability(pixel, byte)) + 0.5 * x * x + 0.91893853320467274178;  // 1/2 log 2 pi
}

}  // namespace vida
