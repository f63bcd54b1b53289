#pragma once

// Grey images of a byte a pixel, and the flow's numbers for some of their pixels. Samples run along the last axis of
// every array of numbers, padded to a stride; images are [image, pixel].

#include <Random123/philox.h>

#include "pixel_map.cuh"
#include "random.cuh"

namespace vida::kernels {

/// to[j, i] = scale byte + shift of pixel pixels[j] of image i. Item: pixel j.
template <class Real>
struct SpreadPixels {
  const std::uint8_t* images;  // [image, size]
  const int* pixels;
  Real* to;  // [pixels, stride]
  long stride, count;
  int size;
  Real scale, shift;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const std::uint8_t* from = images + pixels[item];
    for (long i = team.rank(); i < stride; i += team.size())
      to[item * stride + i] = i < count ? scale * static_cast<Real>(from[i * size]) + shift : Real(0);
  }
};

/// Numbers of dequantised pixels, v = byte + U(0, 1): x by the pixel map, and log dx/dv. The uniforms are a pure
/// function of (seed, stream, step, number of the image, j). Item: pixel j.
template <class Real>
struct EncodePixels {
  const std::uint8_t* images;  // [image, size]
  const int* pixels;
  PixelLaws laws;
  Real *x, *log_slopes;  // [pixels, stride]
  double* v;             // the same; null: not wanted
  long stride, count, first;
  int size;
  std::uint64_t seed;
  std::uint32_t stream, step;
  const std::uint32_t* clock;  // device memory, added to the step; null: 0

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const int j = static_cast<int>(item), pixel = pixels[item];
    const std::uint32_t now = step + (clock ? *clock : 0);
    const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
    for (long i = team.rank(); i < stride; i += team.size()) {
      const long at = item * stride + i;
      double value = 0, number = 0, slope = 0;
      if (i < count) {
        const auto bits =
            r123::Philox4x32{}(r123::Philox4x32::ctr_type{{static_cast<std::uint32_t>(item),
                                                           static_cast<std::uint32_t>(first + i), now, stream}},
                               key);
        const int byte = images[i * size + pixel];
        const double u = open_uniform<double>(bits[0], bits[1]);
        value = byte + u;
        number = laws.encode(j, byte, u);
        slope = laws.log_slope(j, byte, number);
      }
      x[at] = static_cast<Real>(number);
      log_slopes[at] = static_cast<Real>(slope);
      if (v) v[at] = value;
    }
  }
};

/// Dequantised pixels v of a flow's numbers, by the pixel map. Item: pixel j.
template <class Real>
struct DecodePixels {
  const Real* x;  // [pixels, stride]
  PixelLaws laws;
  Real* v;  // the same, in [0, 256)
  long stride;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    for (long i = team.rank(); i < stride; i += team.size()) {
      const long at = item * stride + i;
      const Real value = static_cast<Real>(laws.decode(static_cast<int>(item), static_cast<double>(x[at])));
      v[at] = value < Real(255.9999) ? value : Real(255.9999);
    }
  }
};

/// Bytes of dequantised pixels as a network takes them, to = scale floor(v) + shift. Item: pixel.
template <class Real>
struct QuantisePixels {
  const Real* v;  // [pixels, stride]
  Real* to;
  long stride;
  Real scale, shift;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    for (long i = item * stride + team.rank(); i < (item + 1) * stride; i += team.size())
      to[i] = scale * std::floor(v[i]) + shift;
  }
};

/// What `repeat` samples of each image say of a pixel: mean and mean square of their bytes, and how many dequantised
/// values lie below the true one. Item: pixel.
template <class Real>
struct PixelTally {
  const Real* v;                    // [pixels, stride], samples of image i in columns i repeat ...
  const double* truth;              // [pixels, truth_stride]
  double *means, *squares, *below;  // [pixels, images]
  long stride, truth_stride, images;
  int repeat;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    for (long i = team.rank(); i < images; i += team.size()) {
      const Real* from = v + item * stride + i * repeat;
      const double true_value = truth[item * truth_stride + i];
      double sum = 0, square = 0, lower = 0;
      for (int s = 0; s < repeat; ++s) {
        const double value = static_cast<double>(from[s]), byte = std::floor(value);
        sum += byte;
        square += byte * byte;
        lower += value < true_value ? 1.0 : 0.0;
      }
      const long at = item * images + i;
      means[at] = sum / repeat, squares[at] = square / repeat, below[at] = lower;
    }
  }
};

/// means[row, i] = mean of the `repeat` samples of image i. Item: row.
template <class Real>
struct GroupMeans {
  const Real* values;  // [rows, stride]
  double* means;       // [rows, images]
  long stride, images;
  int repeat;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    for (long i = team.rank(); i < images; i += team.size()) {
      double sum = 0;
      for (int s = 0; s < repeat; ++s) sum += static_cast<double>(values[item * stride + i * repeat + s]);
      means[item * images + i] = sum / repeat;
    }
  }
};

}  // namespace vida::kernels
