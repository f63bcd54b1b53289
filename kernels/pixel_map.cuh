#pragma once

// The map of dequantised bytes to numbers of vida/pixel_map.hpp, as kernels and the host evaluate it.

#include "pack_math.cuh"

namespace vida::kernels {

inline constexpr int kByteEdges = 257;

/// x = (Phi^-1(F(v)) - mean) / deviation of each pixel, F linear within a byte.
struct PixelLaws {
  const double *lower, *upper;     // [pixel, kByteEdges]: F and 1 - F at the lower end of a byte
  const double *mean, *deviation;  // [pixel]

  VIDA_FN double probability(int pixel, int byte) const {
    const long at = static_cast<long>(pixel) * kByteEdges + byte;  // from the side where the difference is exact
    return lower[at] <= 0.5 ? lower[at + 1] - lower[at] : upper[at] - upper[at + 1];
  }

  /// x of v = byte + u, 0 < u < 1.
  VIDA_FN double encode(int pixel, int byte, double u) const {
    const long at = static_cast<long>(pixel) * kByteEdges + byte;
    const double p = probability(pixel, byte), below = lower[at] + u * p;
    const double z = below <= 0.5 ? normal_quantile(below) : -normal_quantile(upper[at + 1] + (1 - u) * p);
    return (z - mean[pixel]) / deviation[pixel];
  }

  /// log dx/dv at v = byte + u with x = encode(pixel, byte, u).
  VIDA_FN double log_slope(int pixel, int byte, double x) const {
    const double z = mean[pixel] + deviation[pixel] * x;
    return pack_log(probability(pixel, byte) / deviation[pixel]) + 0.5 * z * z + 0.91893853320467274178;  // log(2 pi)/2
  }

  /// v in [0, 256].
  VIDA_FN double decode(int pixel, double x) const {
    const double z = mean[pixel] + deviation[pixel] * x;
    const bool left = z <= 0;
    const double tail = normal_cdf(left ? z : -z);
    const double* const table = (left ? lower : upper) + static_cast<long>(pixel) * kByteEdges;
    int byte = 0;  // the last one whose lower end is not beyond x
    for (int half = kByteEdges / 2; half > 0; half /= 2)
      if (left ? table[byte + half] <= tail : table[byte + half] >= tail) byte += half;
    const double p = probability(pixel, byte), within = (left ? tail - table[byte] : table[byte] - tail) / p;
    return byte + (within < 0 ? 0 : within > 1 ? 1 : within);
  }
};

}  // namespace vida::kernels
