#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vida {

struct PixelMapOptions {
  int smoothing = 9;    ///< bytes of the box that smooths the histogram of 1 .. 255, odd, 1 .. 255 (1: none)
  double temper = 0.6;  ///< exponent of the probabilities, in (0, 1]
};

/// An invertible map of dequantised bytes to numbers on the whole line, one pixel at a time, so that a flow has mostly
/// the dependence of the pixels left to learn:
///
///   x = (Phi^-1(F(v)) - mean) / deviation,   v = byte + U(0, 1),
///
/// F the distribution function of a law of the pixel, linear within a byte. That law is the histogram of the pixel over
/// the training images, with bytes 1 .. 255 smoothed by a box (reflected at 1 and at 255) and byte 0 left alone: its
/// mass is a spike of background, not the end of the ink's law. The law of all pixels together is mixed in by .009 and
/// the flat one by .001, so that no byte is impossible, and then p <- p^temper, normalised.
///
/// Untempered (temper = 1), x would have standard normal margins, but a spike that holds most of the mass of a pixel
/// would fill the half line below some x: a flow on x would spend its reach on telling apart values of v within byte 0,
/// which mean nothing, and the ink would be squeezed into a tail. Tempering leaves the ink more of the line; the map
/// stays invertible and its slope known, so densities stay exact. The margins are then no longer centred or of unit
/// width: mean and deviation (at least .05) are those of Phi^-1(F(v)) over the training images, so that x starts a flow
/// at mean 0 and variance 1 in each pixel.
class PixelMap {
 public:
  /// images: [image, pixel] with `size` pixels each. Throws InvalidArgument for no images, a size that does not divide
  /// their bytes, and options outside their ranges.
  PixelMap(std::span<const std::uint8_t> images, int size, const PixelMapOptions& options = {});
  /// The map with these tables, as the functions of the same names gave them. Throws InvalidArgument for sizes that
  /// differ from those below, for tables of no distribution function and for deviations that are not positive.
  PixelMap(int size, std::vector<double> lower, std::vector<double> upper, std::vector<double> mean,
           std::vector<double> deviation);

  int size() const { return size_; }
  /// x of v = byte + u, 0 < u < 1.
  double encode(int pixel, int byte, double u) const;
  /// v in [0, 256].
  double decode(int pixel, double x) const;
  /// log dx/dv at v = byte + u with x = encode(pixel, byte, u).
  double log_slope(int pixel, int byte, double x) const;
  /// Mass of a byte under F.
  double probability(int pixel, int byte) const;

  /// [pixel, 257]: F and 1 - F at the lower end of a byte, each without cancellation.
  const std::vector<double>& lower() const { return lower_; }
  const std::vector<double>& upper() const { return upper_; }
  /// [pixel]: of Phi^-1(F(v)) over the training images.
  const std::vector<double>& mean() const { return mean_; }
  const std::vector<double>& deviation() const { return deviation_; }

 private:
  static std::size_t entry(int pixel, int byte) { return static_cast<std::size_t>(pixel) * 257 + byte; }
  double lower(int pixel, int byte) const { return lower_[entry(pixel, byte)]; }
  double upper(int pixel, int byte) const { return upper_[entry(pixel, byte)]; }
  double edge(int pixel, int byte) const;  // Phi^-1(F) at the lower end of a byte

  int size_;
  std::vector<double> lower_, upper_, mean_, deviation_;
};

}  // namespace vida
