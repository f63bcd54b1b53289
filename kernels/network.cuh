#pragma once

// What fully connected networks need beside matrix products and the activations of flow.cuh. Samples run along the last
// axis of every array, padded to a stride.

#include "flow.cuh"
#include "pack_math.cuh"
#include "philox.cuh"

namespace vida::kernels {

inline constexpr int kDropoutRows = 8;  // rows that share a Philox block: 16 bits each

/// Dropout (Srivastava et al. 2014): values <- values / (1 - probability) or 0, each with its own 16 bits of Philox as
/// a pure function of (seed, stream, layer, clock, row, sample). The probability is a multiple of 2^-16. Item: block of
/// kDropoutRows rows.
template <class Real>
struct Dropout {
  Real* values;  // [rows, stride]
  long stride;
  int rows;
  std::uint32_t threshold;  // 2^16 probability
  Real scale;               // 1 / (1 - probability)
  std::uint64_t seed;
  std::uint32_t stream, layer;  // layers differ within a network and between networks
  const std::uint32_t* clock;   // device memory: the training step

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    constexpr int W = width<typename Team::template Pack<float>, float>;
    const int first = static_cast<int>(item) * kDropoutRows;
    const int count = rows - first < kDropoutRows ? rows - first : kDropoutRows;
    for (long sample = team.rank() * W; sample < stride; sample += static_cast<long>(team.size()) * W) {
      const PhiloxBlocks<Team, W> bits(seed, static_cast<std::uint32_t>(item), static_cast<std::uint32_t>(sample),
                                       *clock, stream | layer << 8);
      for (int r = 0; r < count; ++r) {
        Real* at = values + (first + r) * stride + sample;
        const std::uint32_t* words = bits.words[r / 2];
        const int shift = 16 * (r % 2);
        for (int i = 0; i < W; ++i) at[i] = (words[i] >> shift & 0xffff) < threshold ? Real(0) : scale * at[i];
      }
    }
  }
};

/// to[row, i] = from[row, i / repeat]: what groups of `repeat` samples share. Item: row.
template <class Real>
struct RepeatColumns {
  const Real* from;  // [rows, from_stride]
  Real* to;          // [rows, stride]
  long from_stride, stride, count;
  int repeat;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const Real* shared = from + item * from_stride;
    Real* each = to + item * stride;
    for (long i = team.rank(); i < stride; i += team.size()) each[i] = i < count ? shared[i / repeat] : Real(0);
  }
};

/// to[j] = from[rows[j]], or with `back` from[rows[j]] += to[j]. Item: block of kFlowRows selected rows.
template <class Real>
struct SelectRows {
  Real* from;       // [any, stride]
  const int* rows;  // [count]
  Real* to;         // [count, stride]
  long stride;
  int count;
  bool back;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const int first = static_cast<int>(item) * kFlowRows, size = count - first < kFlowRows ? count - first : kFlowRows;
    for_pairs(team, size, static_cast<int>(stride / W), [&](int r, int c) {
      Real* whole = from + rows[first + r] * stride + c * W;
      Real* part = to + (first + r) * stride + c * W;
      if (back)
        store(whole, load<Pack>(whole) + load<Pack>(part));
      else
        store(part, load<Pack>(whole));
    });
  }
};

/// sums <- sums + factor sum of rows. Lane: a sample.
template <class RealType>
struct AddRows {
  using Real = RealType;
  const Real* values;  // [rows, stride]
  Real* sums;          // [stride]
  long stride;
  int rows;
  Real factor;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    const long sample = lanes.first();
    Pack total = {};
    for (int r = 0; r < rows; ++r) total += load<Pack>(values + r * stride + sample);
    store(sums + sample, load<Pack>(sums + sample) + factor * total);
  }
};

/// Mean squared error of p = 1 / (1 + exp(-v)), v the values, and its gradient in their place:
///   errors = mean over rows of (p - target)^2,   d/dv = weight 2 / rows (p - target) p (1 - p).   Lane: a sample.
template <class RealType>
struct SigmoidSquares {
  using Real = RealType;
  Real* values;         // [rows, stride]; the gradient afterwards
  const Real* targets;  // [rows, stride]
  const Real* weights;  // [stride], 0 in the padding
  Real* errors;         // [stride]
  long stride;
  int rows;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    const long sample = lanes.first();
    const Real each = Real(1) / static_cast<Real>(rows);
    const Pack weight = load<Pack>(weights + sample) * (Real(2) * each);
    Pack total = {};
    for (int r = 0; r < rows; ++r) {
      const long at = r * stride + sample;
      const Pack p = Real(0.5) + Real(0.5) * pack_tanh(Real(0.5) * load<Pack>(values + at));
      const Pack error = p - load<Pack>(targets + at);
      total += error * error;
      store(values + at, weight * error * p * (Real(1) - p));
    }
    store(errors + sample, total * each);
  }
};

/// Class probabilities softmax(logits), in their place or, with labels, the cross entropy -log p[label] as the values
/// and its gradient weight (p - indicator) in place of the logits. Lane: a sample.
template <class RealType>
struct Softmax {
  using Real = RealType;
  Real* logits;                // [classes, stride]
  const std::int32_t* labels;  // [stride]; null: probabilities
  const Real* weights;         // [stride] with labels
  Real* values;                // [stride] with labels
  long stride;
  int classes;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const long sample = lanes.first();
    Real* at = logits + sample;
    Pack largest = load<Pack>(at), total = {};
    for (int k = 1; k < classes; ++k) {
      const Pack here = load<Pack>(at + k * stride);
      largest = here > largest ? here : largest;
    }
    for (int k = 0; k < classes; ++k) total += pack_exp(load<Pack>(at + k * stride) - largest);
    if (labels) {
      const Pack log_total = largest + pack_log(total);
      Real loss[W];
      store(loss, log_total);
      for (int i = 0; i < W; ++i) loss[i] -= at[labels[sample + i] * stride + i];
      store(values + sample, load<Pack>(loss));
    }
    const Pack scale = (labels ? load<Pack>(weights + sample) : broadcast<Pack>(Real(1))) / total;
    for (int k = 0; k < classes; ++k) store(at + k * stride, scale * pack_exp(load<Pack>(at + k * stride) - largest));
    if (labels)
      for (int i = 0; i < W; ++i) at[labels[sample + i] * stride + i] -= weights[sample + i];
  }
};

}  // namespace vida::kernels
