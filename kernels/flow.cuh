#pragma once

// What a RealNVP flow (Dinh et al. 2017) needs beside matrix products. Samples run along the last axis of every array,
// padded to a stride; the padding holds finite numbers and its gradients are exactly zero, so that no sum sees it.

#include <cstdint>

#include "pack_math.cuh"
#include "random.cuh"

namespace vida::kernels {

inline constexpr int kFlowStride = 32;    // strides are multiples of this many samples
inline constexpr int kFlowRows = 16;      // rows of activations that an item works
inline constexpr int kFlowPartials = 16;  // strided partial sums of a shard, for every backend
inline constexpr int kFlowShard = 256;    // samples whose sum is one fixed tree; shards are added in index order
inline constexpr int kFlowBlock = 256;    // draws of an item

/// partial[0] + .. + partial[kFlowPartials - 1], by halving.
template <class Real>
VIDA_FN Real sum_of_partials(const Real* partial) {
  Real sum[kFlowPartials];
  for (int i = 0; i < kFlowPartials; ++i) sum[i] = partial[i];
  for (int half = kFlowPartials / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) sum[i] += sum[i + half];
  return sum[0];
}

/// values <- leaky(values + bias) with slope 0.01 below 0, or another: 0 for a ReLU, 1 for a sum. Item: (problem, net,
/// block of rows).
template <class Real>
struct BiasLeakyRelu {
  Real* values;      // [problem, 2, rows, stride]
  const Real* bias;  // [rows] of a net
  long stride, bias_of_problem, bias_of_net;
  int rows, blocks;
  Real slope = Real(0.01);

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const int first = static_cast<int>(item % blocks) * kFlowRows;
    const long net = item / blocks, problem = net / 2;
    const Real* b = bias + problem * bias_of_problem + net % 2 * bias_of_net;
    const int count = rows - first < kFlowRows ? rows - first : kFlowRows;
    for_pairs(team, count, static_cast<int>(stride / W), [&](int r, int c) {
      Real* at = values + (net * rows + first + r) * stride + c * W;
      const Pack x = load<Pack>(at) + b[first + r];
      store(at, x > Real(0) ? x : slope * x);
    });
  }
};

/// deltas <- deltas * leaky'(activations), and their sums over the samples, which are the gradient of the bias. Where
/// dropout has scaled the activations that it kept, so it does the deltas. Item: (problem, net, block of rows).
template <class Real>
struct LeakyReluBackward {
  Real* deltas;             // [problem, 2, rows, stride]
  const Real* activations;  // the same, after leaky; null: deltas stay as they are
  Real* bias_gradient;      // laid out as the bias; null: not wanted
  long stride, bias_of_problem, bias_of_net;
  int rows, blocks;
  bool accumulate;  // add to bias_gradient
  Real slope = Real(0.01), scale = Real(1);

  static std::size_t scratch_bytes() { return sizeof(Real) * kFlowRows * kFlowPartials; }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>, kPacks = kFlowPartials / W;
    Real* partials = team.template scratch<Real>();  // [kFlowRows, kFlowPartials]
    const int first = static_cast<int>(item % blocks) * kFlowRows;
    const long net = item / blocks, problem = net / 2;
    const int count = rows - first < kFlowRows ? rows - first : kFlowRows;
    for (long shard = 0; shard < stride; shard += kFlowShard) {
      if (shard) team.sync();  // the sums of the shard before are read
      const long end = shard + kFlowShard < stride ? shard + kFlowShard : stride;
      for_pairs(team, count, kPacks, [&](int r, int part) {
        const long row = (net * rows + first + r) * stride;
        Pack sum = {};
        for (long s = shard + part * W; s < end; s += kFlowPartials) {
          Pack delta = load<Pack>(deltas + row + s);
          if (activations) {
            delta = load<Pack>(activations + row + s) > Real(0) ? scale * delta : slope * delta;
            store(deltas + row + s, delta);
          }
          sum += delta;
        }
        store(partials + r * kFlowPartials + part * W, sum);
      });
      if (!bias_gradient) continue;
      team.sync();
      Real* to = bias_gradient + problem * bias_of_problem + net % 2 * bias_of_net + first;
      for (int r = team.rank(); r < count; r += team.size())
        to[r] = (accumulate || shard ? to[r] : Real(0)) + sum_of_partials(partials + r * kFlowPartials);
    }
  }
};

/// One coupling layer on the outputs of its two nets. Coordinates parity, parity + 2, ... move:
///   forward  x' = x exp(b) + a, log_det += sum of b;   inverse  x' = (x - a) exp(-b), log_det -= sum of b;
/// b = limit tanh(scale net + bias), a = shift net + bias. Lane: a sample of a problem.
template <class RealType>
struct CouplingLayer {
  using Real = RealType;
  const Real* from;  // [problem, d, stride]
  Real* to;          // the same
  Real* nets;        // [problem, 2, moved, stride]: scale net, overwritten by its tanh, and shift net
  const Real *scale_bias, *shift_bias;  // [moved] of a problem
  Real* log_det;                        // [problem, stride]
  long stride, bias_of_problem;
  int d, parity, moved;
  Real limit;
  bool inverse;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    const long problem = lanes.first() / stride, sample = lanes.first() % stride;
    const Real* x = from + problem * d * stride + sample;
    Real* y = to + problem * d * stride + sample;
    Real* scale = nets + problem * 2 * moved * stride + sample;
    const Real* shift = scale + moved * stride;
    for (int k = 1 - parity; k < d; k += 2) store(y + k * stride, load<Pack>(x + k * stride));
    Pack total = {};
    for (int j = 0; j < moved; ++j) {
      const long row = (parity + 2 * j) * stride;
      const Pack t = pack_tanh(load<Pack>(scale + j * stride) + scale_bias[problem * bias_of_problem + j]);
      const Pack a = load<Pack>(shift + j * stride) + shift_bias[problem * bias_of_problem + j];
      const Pack b = limit * t, here = load<Pack>(x + row);
      store(scale + j * stride, t);
      store(y + row, inverse ? (here - a) * pack_exp(-b) : here * pack_exp(b) + a);
      total += b;
    }
    Real* log_det_at = log_det + lanes.first();
    const Pack before = load<Pack>(log_det_at);
    store(log_det_at, inverse ? before - total : before + total);
  }
};

/// Adjoint of CouplingLayer for a loss that falls by weight * log_det: takes the gradient with respect to its result to
/// the one with respect to its argument, as far as the moved coordinates go, and to the outputs of the nets. With p =
/// x exp(b) forward, p = x' inverse, g = d loss / d x':
///   forward  d/da = g, d/dx = g exp(b);   inverse  d/dx = g exp(-b), d/da = -d/dx;
///   d/db = +-(g p - weight), d/d(scale net) = d/db limit (1 - tanh^2).   Lane: a sample of a problem.
template <class RealType>
struct CouplingBackward {
  using Real = RealType;
  Real* gradient;       // [problem, d, stride]
  const Real* state;    // [problem, d, stride]: before the layer when forward, after it when inverse
  const Real* nets;     // [problem, 2, moved, stride], as CouplingLayer left them
  Real* deltas;         // the same shape: d loss / d nets
  const Real* weights;  // [stride] of the samples, 0 in the padding; null: the loss has no log_det
  long stride;
  int d, parity, moved;
  Real limit;
  bool inverse;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    const long problem = lanes.first() / stride, sample = lanes.first() % stride;
    const Pack weight = weights ? load<Pack>(weights + sample) : Pack{};
    const long at = problem * d * stride + sample, out = problem * 2 * moved * stride + sample;
    for (int j = 0; j < moved; ++j) {
      const long row = at + (parity + 2 * j) * stride, scale = out + j * stride, shift = scale + moved * stride;
      const Pack t = load<Pack>(nets + scale), g = load<Pack>(gradient + row), x = load<Pack>(state + row);
      const Pack e = pack_exp(inverse ? -limit * t : limit * t), passed = g * e;
      const Pack b = inverse ? weight - g * x : passed * x - weight;
      store(deltas + scale, b * (limit * (Real(1) - t * t)));
      store(deltas + shift, inverse ? -passed : g);
      store(gradient + row, passed);
    }
  }
};

/// Weight of each sample in a mean over `total` of them: 1 / total, and 0 from `count` on. Item: block of samples.
template <class Real>
struct SampleWeights {
  Real* weights;  // [stride]
  long stride, count;
  Real weight;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const long begin = item * kFlowShard, end = begin + kFlowShard < stride ? begin + kFlowShard : stride;
    for (long s = begin + team.rank(); s < end; s += team.size()) weights[s] = s < count ? weight : Real(0);
  }
};

/// What the latent side z of an inverse pass is worth: values = 1/2 |z|^2 - log_det + constant (the negative log
/// density for constant = d/2 log 2 pi) and gradient = weight z. Lane: a sample of a problem.
template <class RealType>
struct LatentTerms {
  using Real = RealType;
  const Real *z, *log_det, *weights;  // [problem, d, stride], [problem, stride] or null, [stride]
  Real *values, *gradient;            // [problem, stride], [problem, d, stride]; either may be null
  long stride;
  int d;
  Real constant;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    const long problem = lanes.first() / stride, sample = lanes.first() % stride, at = problem * d * stride + sample;
    Pack squares = {};
    for (int k = 0; k < d; ++k) {
      const Pack here = load<Pack>(z + at + k * stride);
      squares += here * here;
      if (gradient) store(gradient + at + k * stride, load<Pack>(weights + sample) * here);
    }
    if (values) store(values + lanes.first(), Real(0.5) * squares + constant - load<Pack>(log_det + lanes.first()));
  }
};

/// What the points x of a forward pass are worth: values = -(log_density + log_det), and gradient = -weight d
/// log_density / dx minus, when sticking to the landing, the gradient of -log q that `gradient` holds.
/// Lane: a sample of a problem.
template <class RealType>
struct TargetTerms {
  using Real = RealType;
  const Real *log_density, *slope;  // [problem, stride], [problem, d, stride]
  const Real *log_det, *weights;    // [problem, stride], [stride]
  Real *values, *gradient;          // [problem, stride], [problem, d, stride]
  long stride;
  int d;
  bool subtract;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    const long problem = lanes.first() / stride, sample = lanes.first() % stride, at = problem * d * stride + sample;
    const Pack weight = load<Pack>(weights + sample);
    for (int k = 0; k < d; ++k) {
      const Pack old = subtract ? load<Pack>(gradient + at + k * stride) : Pack{};
      // the padding's slope has no meaning and may be infinite
      store(gradient + at + k * stride,
            weight > Real(0) ? -old - weight * load<Pack>(slope + at + k * stride) : Pack{});
    }
    store(values + lanes.first(), -(load<Pack>(log_density + lanes.first()) + load<Pack>(log_det + lanes.first())));
  }
};

/// sums[problem, shard] = sum of the first `count` values. Item: (problem, shard).
template <class Real>
struct ShardSums {
  const Real* values;  // [problem, stride]
  Real* sums;          // [problem, shards]
  long stride, count, shards;

  static std::size_t scratch_bytes() { return sizeof(Real) * kFlowPartials; }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    Real* partials = team.template scratch<Real>();
    const long problem = item / shards, begin = item % shards * kFlowShard;
    const long end = begin + kFlowShard < count ? begin + kFlowShard : count;
    for (int part = team.rank(); part < kFlowPartials; part += team.size()) {
      Real sum = Real(0);
      for (long s = begin + part; s < end; s += kFlowPartials) sum += values[problem * stride + s];
      partials[part] = sum;
    }
    team.sync();
    if (team.rank() == 0) sums[item] = sum_of_partials(partials);
  }
};

/// z[problem, k, i] = standard normal number k of draw first + i: a pure function of (seed, stream, problem, draw, k).
/// With a clock, clock x count draws are skipped, so that a recorded launch draws anew each time. The padding is zero.
/// Item: (problem, block of draws).
template <class Real>
struct LatentDraws {
  Real* z;                       // [problem, d, stride]
  const std::uint32_t* numbers;  // [problem]
  long stride, count, blocks, first;
  std::uint64_t seed;
  std::uint32_t stream;
  int d;
  const std::uint32_t* clock = nullptr;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const long skipped = first + (clock ? static_cast<long>(*clock) * count : 0);
    const long problem = item / blocks, begin = item % blocks * kFlowBlock;
    const int size = static_cast<int>(stride - begin < kFlowBlock ? stride - begin : kFlowBlock);
    for_pairs(team, d, size, [&](int k, int i) {
      const long draw = begin + i;
      z[(problem * d + k) * stride + draw] =
          draw < count
              ? standard_normal<Real>(seed, stream, numbers[problem], static_cast<std::uint32_t>(skipped + draw),
                                      static_cast<std::uint32_t>(k))
              : Real(0);
    });
  }
};

}  // namespace vida::kernels
