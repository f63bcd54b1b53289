#pragma once

#include "team.cuh"

namespace vida::kernels {

inline constexpr long kAdamBlock = 4096;  // parameters of an item

/// One step of Adam (Kingma and Ba 2015) on `count` numbers, in place. Item: block of parameters.
/// scale multiplies the gradient first (clipping); step and epsilon hold the bias corrections:
/// theta -= step m / (sqrt(v) + epsilon), step = rate sqrt(1 - beta2^t) / (1 - beta1^t), epsilon = eps sqrt(1 -
/// beta2^t).
template <class Real>
struct AdamUpdate {
  Real *parameters, *first, *second;  // [count] each
  const Real* gradient;               // [count]
  long count;
  Real beta1, beta2, step, epsilon, scale;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const long begin = item * kAdamBlock, end = begin + kAdamBlock < count ? begin + kAdamBlock : count;
    Real *const theta = parameters, *const m = first, *const v = second;
    const Real* const g = gradient;
    const Real b1 = beta1, b2 = beta2, rate = step, eps = epsilon, factor = scale;
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#endif
    for (long i = begin + team.rank(); i < end; i += team.size()) {
      const Real slope = factor * g[i];
      m[i] = b1 * m[i] + (Real(1) - b1) * slope;
      v[i] = b2 * v[i] + (Real(1) - b2) * slope * slope;
      theta[i] -= rate * m[i] / (std::sqrt(v[i]) + eps);
    }
  }
};

}  // namespace vida::kernels
