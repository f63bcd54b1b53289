#pragma once

// Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019) for a batch of problems, each with
// its own parameters, rate and fate. A step is three launches without a look from the host, so that it can be recorded:
// GradientSquares, AdamControl, AdamUpdate; AdvanceClock ends it.

#include "flow.cuh"

namespace vida::kernels {

inline constexpr long kAdamBlock = 4096;  // parameters of an item

/// Sums of the squared gradient over blocks of parameters. Item: (problem, block).
template <class Real>
struct GradientSquares {
  const Real* gradient;  // [problem, count]
  Real* squares;         // [problem, blocks]
  long count, blocks;

  static std::size_t scratch_bytes() { return sizeof(Real) * kFlowPartials; }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>, kPacks = kFlowPartials / W;
    Real* partials = team.template scratch<Real>();
    const long begin = item % blocks * kAdamBlock;
    const long size = count - begin < kAdamBlock ? count - begin : kAdamBlock;
    const Real* g = gradient + item / blocks * count + begin;
    for (int part = team.rank(); part < kPacks; part += team.size()) {
      Pack sum = {};
      for (long i = part * W; i + W <= size; i += kFlowPartials) {
        const Pack here = load<Pack>(g + i);
        sum += here * here;
      }
      store(partials + part * W, sum);
    }
    if constexpr (W > 1)  // what fills no pack
      for (long i = size / W * W; i < size; ++i) partials[i % kFlowPartials] += g[i] * g[i];
    team.sync();
    if (team.rank() == 0) squares[item] = sum_of_partials(partials);
  }
};

/// What a problem does in a step.
enum AdamAction : int { kAdamStep = 0, kAdamRestore = 1, kAdamHold = 2 };

/// A step's numbers that the schedule fixes: bias corrections folded into rate and epsilon.
template <class Real>
struct AdamRates {
  Real step;     // schedule sqrt(1 - beta2^t) / (1 - beta1^t)
  Real epsilon;  // eps sqrt(1 - beta2^t)
  Real plain;    // schedule, for the decay
};

/// Keeps the loss and decides what each problem does: one whose loss or gradient is not finite goes back to its last
/// good parameters and stays there. Item: problem.
template <class Real>
struct AdamControl {
  const Real* sums;     // [problem, shards], of the loss
  const Real* squares;  // [problem, blocks], of the gradient
  const std::uint32_t* clock;
  Real* losses;     // [problem, steps]
  int* flagged_at;  // [problem], -1 while all is well
  const int* held;  // [problem], 1: stopped by the host
  int* actions;     // [problem], AdamAction
  Real* scales;     // [problem], factor of the gradient
  long shards, blocks, steps;
  Real weight;  // 1 / samples
  Real clip;    // largest norm of a gradient; 0: any

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    if (team.rank() != 0) return;
    Real loss = Real(0), square = Real(0);
    for (long s = 0; s < shards; ++s) loss += sums[item * shards + s];
    for (long b = 0; b < blocks; ++b) square += squares[item * blocks + b];
    loss = loss * weight;
    const Real norm = std::sqrt(square);
    const bool good = loss - loss == Real(0) && square - square == Real(0);
    const bool working = flagged_at[item] < 0 && !held[item];
    losses[item * steps + *clock] = loss;
    actions[item] = !working ? kAdamHold : good ? kAdamStep : kAdamRestore;
    if (working && !good) flagged_at[item] = static_cast<int>(*clock);
    scales[item] = clip > Real(0) && norm > clip ? clip / norm : Real(1);
  }
};

/// theta -= rate (step m / (sqrt(v) + epsilon) + plain decay theta). Item: (problem, block of parameters).
template <class Real>
struct AdamUpdate {
  Real *parameters, *last_good, *first, *second;  // [problem, count] each
  const Real* gradient;                           // [problem, count]
  const Real *rates, *scales;                     // [problem]
  const int* actions;                             // [problem]
  const AdamRates<Real>* schedule;                // [step]
  const std::uint32_t* clock;
  long count, blocks;
  Real beta1, beta2, decay;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const long problem = item / blocks, begin = problem * count + item % blocks * kAdamBlock;
    const long rest = (problem + 1) * count - begin, end = begin + (rest < kAdamBlock ? rest : kAdamBlock);
    Real *const theta = parameters, *const m = first, *const v = second, *const kept = last_good;
    if (actions[problem] == kAdamRestore)
      for (long i = begin + team.rank(); i < end; i += team.size()) theta[i] = kept[i];
    if (actions[problem] != kAdamStep) return;
    const AdamRates<Real> now = schedule[*clock];
    const Real* const g = gradient;
    const Real b1 = beta1, b2 = beta2, rate = rates[problem] * now.step, eps = now.epsilon, factor = scales[problem];
    const Real shrink = rates[problem] * now.plain * decay;
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#endif
    for (long i = begin + team.rank(); i < end; i += team.size()) {
      const Real slope = factor * g[i], old = theta[i];
      m[i] = b1 * m[i] + (Real(1) - b1) * slope;
      v[i] = b2 * v[i] + (Real(1) - b2) * slope * slope;
      kept[i] = old;
      theta[i] = old - (rate * m[i] / (std::sqrt(v[i]) + eps) + shrink * old);
    }
  }
};

/// The step after this one. Item: one.
template <class Real>
struct AdvanceClock {
  std::uint32_t* clock;

  template <class Team>
  VIDA_FN void operator()(Team team, long) const {
    if (team.rank() == 0) ++*clock;
  }
};

/// to <- from for the problems that are marked. Item: (problem, block of parameters).
template <class Real>
struct CopyMarked {
  Real* to;          // [problem, count]
  const Real* from;  // the same
  const int* marks;  // [problem]
  long count, blocks;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const long problem = item / blocks, begin = problem * count + item % blocks * kAdamBlock;
    const long rest = (problem + 1) * count - begin, end = begin + (rest < kAdamBlock ? rest : kAdamBlock);
    if (!marks[problem]) return;
    for (long i = begin + team.rank(); i < end; i += team.size()) to[i] = from[i];
  }
};

/// Joint draws for every flow of a batch: input <- u, context <- (y - shift) scale. Item: (problem, block of draws).
template <class Real>
struct SpreadJointDraws {
  const Real *u, *y;          // [d, stride], [p, stride]
  const Real *shift, *scale;  // [p]
  Real *input, *context;      // [problem, d, stride], [problem, p, stride]
  long stride, count, blocks;
  int d, p;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const long problem = item / blocks, begin = item % blocks * kFlowBlock;
    const int size = static_cast<int>(stride - begin < kFlowBlock ? stride - begin : kFlowBlock);
    for_pairs(team, d + p, size, [&](int k, int i) {
      const long draw = begin + i;
      const bool real = draw < count;  // the padding is zero
      if (k < d)
        input[(problem * d + k) * stride + draw] = real ? u[k * stride + draw] : Real(0);
      else
        context[(problem * p + k - d) * stride + draw] =
            real ? (y[(k - d) * stride + draw] - shift[k - d]) * scale[k - d] : Real(0);
    });
  }
};

}  // namespace vida::kernels
