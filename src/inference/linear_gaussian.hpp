#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vida/array.hpp"

namespace vida {

struct LinearGaussianScore {
  double bits_per_dimension;  ///< of an unknown byte
  double squared_error;       ///< mean over the unknown pixels of (x^ - x)^2, x = byte / 255, x^ the clipped mean
};

/// What the simplest amortised posterior of inpainting can do, which a flow has to beat: q(u | c) = N(W c + b, S),
/// fitted by least squares over training images. u: the unknown pixels, dequantised, (byte + U(0, 1)) / 256; c: all
/// others, byte / 255. The fit takes the mean over the noise exactly. To the diagonals of the covariance of c and of S
/// it adds 1e-6 of their means, so that pixels that never change or repeat each other are no obstacle.
class LinearGaussian {
 public:
  /// images: [image, pixel] with `size` pixels each. unknown: some of the pixels, in any order. seed: of the noise of
  /// scores, a pure function of (seed, image, pixel), so that the order does not matter. Throws InvalidArgument for no
  /// images, and for unknown pixels that are none, all, outside an image or named twice.
  LinearGaussian(std::span<const std::uint8_t> images, int size, std::span<const int> unknown, std::uint64_t seed);

  /// -log2 q(u | c) / unknown pixels + 8, since a byte has the width 1/256 in u, with one draw of noise an image, and
  /// the error of the mean. images: [image, pixel], at least one.
  LinearGaussianScore score(std::span<const std::uint8_t> images) const;

 private:
  int size_;
  std::vector<int> unknown_, context_;
  std::uint64_t seed_;
  Matrix weights_;  // W [unknown, context]; this and what follows in bytes, 256 u and 255 c
  Vector offset_;   // b [unknown]
  Matrix factor_;   // L [unknown, unknown], lower, S = L L'
};

/// Mean over test images and unknown pixels of the squared error, in units of 255, of the mean training image.
double mean_image_error(std::span<const std::uint8_t> training, std::span<const std::uint8_t> test, int size,
                        std::span<const int> unknown);

}  // namespace vida
