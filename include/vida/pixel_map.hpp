#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vida {

/// An invertible map of dequantised bytes to numbers whose margins over the training images are standard normal, so
/// that a flow has only the dependence of the pixels left to learn: x = Phi^-1(F(v)), v = byte + U(0, 1), F the
/// distribution function of the pixel, linear within a byte. F is the histogram of the pixel over the training images,
/// to which those of all pixels together add the weight of `smoothing` images, and every byte one 256th of an image: no
/// byte is impossible.
class PixelMap {
 public:
  /// images: [image, pixel] with `size` pixels each. Throws InvalidArgument for no images, a size that does not divide
  /// their bytes, and a smoothing that is not positive.
  PixelMap(std::span<const std::uint8_t> images, int size, double smoothing = 10);

  int size() const { return size_; }
  /// x of v = byte + u, 0 < u < 1.
  double encode(int pixel, int byte, double u) const;
  /// v in [0, 256].
  double decode(int pixel, double x) const;
  /// log dx/dv at v = byte + u with x = encode(pixel, byte, u).
  double log_slope(int pixel, int byte, double x) const;
  double probability(int pixel, int byte) const { return upper(pixel, byte) - upper(pixel, byte + 1); }

 private:
  double lower(int pixel, int byte) const { return lower_[static_cast<std::size_t>(pixel) * 257 + byte]; }
  double upper(int pixel, int byte) const { return upper_[static_cast<std::size_t>(pixel) * 257 + byte]; }

  int size_;
  std::vector<double> lower_,
      upper_;  // [pixel, 257]: F and 1 - F at the lower end of a byte, each without cancellation
};

}  // namespace vida
