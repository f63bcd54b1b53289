#pragma once

// The law of a number as a mixture of logistic laws, in the log domain: no term underflows, however far x lies out.

#include "pack_math.cuh"

namespace vida::kernels {

inline constexpr double kMixtureScaleLimit = 2.5;  ///< bound of |log scale|

/// log F, log (1 - F) and log f at x of the mixture sum_k w_k sigma((x - mean_k) rate_k). The numbers of component k
/// lie k steps behind those of the first, log weights, means and rates (1 / scale) in three blocks one behind the
/// other.
template <class P>
struct LogisticMixture {
  using Real = typename PackTraits<P>::Real;
  P log_below, log_above, log_density;

  VIDA_FN static P log_weight(const Real* at, long step, long, int k) { return load<P>(at + k * step); }
  VIDA_FN static P mean(const Real* at, long step, long block, int k) { return load<P>(at + block + k * step); }
  VIDA_FN static P rate(const Real* at, long step, long block, int k) { return load<P>(at + 2 * block + k * step); }

  VIDA_FN LogisticMixture(const Real* at, long step, long block, int components, P x) {
    P below = broadcast<P>(-PackTraits<P>::kLargest), above = below, density = below;  // the largest exponents
    for (int k = 0; k < components; ++k) {
      const P u = (x - mean(at, step, block, k)) * rate(at, step, block, k), w = log_weight(at, step, block, k);
      const P low = w + (u < Real(0) ? u : P{}), high = w - (u > Real(0) ? u : P{}), middle = w - pack_abs(u);
      below = low > below ? low : below;
      above = high > above ? high : above;
      density = middle > density ? middle : density;
    }
    P F = {}, G = {}, f = {};
    for (int k = 0; k < components; ++k) {
      const P q = rate(at, step, block, k), u = (x - mean(at, step, block, k)) * q, w = log_weight(at, step, block, k);
      const P share = Real(1) / (Real(1) + pack_exp(-pack_abs(u)));
      F += pack_exp(w + (u < Real(0) ? u : P{}) - below) * share;
      G += pack_exp(w - (u > Real(0) ? u : P{}) - above) * share;
      f += q * pack_exp(w - pack_abs(u) - density) * share * share;
    }
    log_below = below + pack_log(F);
    log_above = above + pack_log(G);
    log_density = density + pack_log(f);
  }

  VIDA_FN P logit() const { return log_below - log_above; }
  /// log of d logit / dx.
  VIDA_FN P log_slope() const { return log_density - log_below - log_above; }
};

}  // namespace vida::kernels
