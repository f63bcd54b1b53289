#pragma once

// Gaussian variational inference: q = N(m, L L') with L lower triangular or diagonal, by reparametrised points
// x = m + L z, and one Adam step per launch for every problem of a batch.
//
//   -ELBO = -sum_k log|L_kk| - E log pi~(m + L z) - (d / 2) (1 + log 2 pi)

#include "dense.cuh"

namespace vida::kernels {

/// Parameters of one problem: m [d], then the rows of L, each up to its diagonal (full), or the diagonal alone.
struct GaussianLayout {
  int d;
  int full;

  VIDA_BOTH int factor(int k) const { return d + (full ? k * (k + 1) / 2 : k); }  // first entry of row k of L
  VIDA_BOTH int row(int k) const { return full ? k + 1 : 1; }                     // entries of row k
  VIDA_BOTH int diagonal(int k) const { return factor(k) + row(k) - 1; }
  VIDA_BOTH int parameters() const { return factor(d); }
};

/// x = m + L z for every problem; z is shared.
template <class RealType>
struct GaussianPoints {
  using Real = RealType;
  GaussianLayout layout;
  const Real* parameters;  // [problem, parameters]
  const Real* z;           // [d, stride]
  Real* points;            // [problem, d, stride]
  long stride;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    const long problem = lanes.first() / stride, draw = lanes.first() % stride;
    const Real* theta = parameters + problem * layout.parameters();
    Real* to = points + problem * layout.d * stride + draw;
    for (int k = 0; k < layout.d; ++k, to += stride) {
      const Real* L = theta + layout.factor(k);
      const int first = k + 1 - layout.row(k);
      Pack x = Pack{} + theta[k];
      for (int c = first; c <= k; ++c) x += L[c - first] * load<Pack>(z + c * stride + draw);
      store(to, x);
    }
  }
};

/// What one Adam step needs beside the gradient (Kingma and Ba 2015).
template <class Real>
struct AdamStep {
  Real rate, beta1, beta2, epsilon;
  Real correction1, correction2;  // 1 / (1 - beta^t)
  Real clip;                      // gradients are scaled down to this norm; 0: never

  VIDA_FN Real update(Real gradient, Real& first, Real& second) const {
    first = beta1 * first + (Real(1) - beta1) * gradient;
    second = beta2 * second + (Real(1) - beta2) * gradient * gradient;
    return rate * (first * correction1) / (std::sqrt(second * correction2) + epsilon);
  }
};

/// Loss, gradient and Adam step of one problem; item = problem. A problem whose loss or gradient is not finite goes
/// back to its last good parameters and stays there; the step is noted.
template <class Real>
struct GaussianStep {
  GaussianLayout layout;
  AdamStep<Real> adam;
  const Real* z;            // [d, stride]
  const Real* weights;      // [stride], sum 1, 0 beyond the last point
  const Real* log_density;  // [problem, stride]
  const Real* slope;        // [problem, d, stride], gradient of log_density
  Real* parameters;         // [problem, parameters]
  Real* gradient;           // [problem, parameters], of the loss
  Real* moments;            // [problem, 2, parameters]
  Real* last_good;          // [problem, parameters], where loss and gradient were last found finite
  Real* average;            // [problem, parameters], the sum of the parameters after the steps that count; or null
  Real* losses;             // [problem, steps]
  int* flagged_at;          // [problem], -1 while all is well
  long stride, step, steps;

  /// One row of eight partial sums for the loss and for each parameter, and the sums.
  VIDA_BOTH static std::size_t scratch_bytes(const GaussianLayout& layout) {
    return sizeof(Real) * static_cast<std::size_t>((layout.parameters() + 1) * 9);
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const int count = layout.parameters();
    Real* partial = team.template scratch<Real>();  // [parameters + 1, 8]
    Real* sums = partial + (count + 1) * 8;
    Real* theta = parameters + item * count;
    Real* slope_of = gradient + item * count;
    partial_sums(team, item, partial);
    team.sync();
    for (int e = team.rank(); e <= count; e += team.size()) sums[e] = tree(partial + e * 8);
    team.sync();
    Real loss = -sums[count] - Real(0.5) * Real(layout.d) * Real(2.8378770664093454836);  // 1 + log 2 pi
    Real squares = Real(0);
    for (int k = 0; k < layout.d; ++k) loss -= std::log(std::fabs(theta[layout.diagonal(k)]));
    for (int e = 0; e < count; ++e) squares += sums[e] * sums[e];
    const int seen = flagged_at[item];
    const bool good = seen < 0 && loss - loss == Real(0) && squares - squares == Real(0);
    for (int e = team.rank(); e < count; e += team.size()) slope_of[e] = -sums[e];
    team.sync();
    for (int k = team.rank(); k < layout.d; k += team.size())
      slope_of[layout.diagonal(k)] -= Real(1) / theta[layout.diagonal(k)];
    if (team.rank() == 0) {
      losses[item * steps + step] = loss;
      if (!good && seen < 0) flagged_at[item] = static_cast<int>(step);
    }
    team.sync();
    if (!good) {
      if (seen < 0)
        for (int e = team.rank(); e < count; e += team.size()) theta[e] = last_good[item * count + e];
      return;
    }
    for (int e = team.rank(); e < count; e += team.size()) last_good[item * count + e] = theta[e];
    if (adam.rate == Real(0)) return;
    const Real scale = clip_factor(slope_of, count);
    Real* first = moments + item * 2 * count;
    for (int e = team.rank(); e < count; e += team.size()) {
      theta[e] -= adam.update(scale * slope_of[e], first[e], first[count + e]);
      if (average) average[item * count + e] += theta[e];
    }
  }

 private:
  /// partial[e, k]: over the points congruent to k modulo 8, those congruent modulo 16 first. Entry `parameters` is the
  /// loss.
  template <class Team>
  VIDA_FN void partial_sums(Team team, long item, Real* partial) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int V = width<Pack, Real>, kChains = V == 1 ? 2 : 16 / V, kApart = V == 1 ? 8 : V;
    const Real* values = log_density + item * stride;
    const Real* slopes = slope + item * layout.d * stride;
    const auto sum_up = [&](int entry, const Real* a, const Real* b) {
      for (int k = 0; k < (V == 1 ? 8 : 1); ++k) {  // a lane of a GPU takes one partial sum, a vector all eight
        if constexpr (V == 1)
          if ((entry * 8 + k) % team.size() != team.rank()) continue;
        Pack sum[kChains] = {};
        for (long s = k; s < stride; s += 16) {
          VIDA_UNROLL
          for (int c = 0; c < kChains; ++c) {
            const Pack term = load<Pack>(weights + s + c * kApart) * load<Pack>(a + s + c * kApart);
            sum[c] += b ? term * load<Pack>(b + s + c * kApart) : term;
          }
        }
        if constexpr (V == 1) {
          partial[entry * 8 + k] = sum[0] + sum[1];
        } else {
          Real all[16];
          for (int c = 0; c < kChains; ++c) store(all + c * V, sum[c]);
          for (int e = 0; e < 8; ++e) partial[entry * 8 + e] = all[e] + all[e + 8];
        }
      }
    };
    const Real* none = nullptr;
    for (int k = 0; k < layout.d; ++k) {
      const int first = k + 1 - layout.row(k);
      sum_up(k, slopes + k * stride, none);
      for (int c = first; c <= k; ++c) sum_up(layout.factor(k) + c - first, slopes + k * stride, z + c * stride);
    }
    sum_up(layout.parameters(), values, none);
  }

  VIDA_FN static Real tree(const Real* part) {
    return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  }

  VIDA_FN Real clip_factor(const Real* slope_of, int count) const {
    Real squares = Real(0);
    for (int e = 0; e < count; ++e) squares += slope_of[e] * slope_of[e];
    const Real norm = std::sqrt(squares);
    return adam.clip > Real(0) && norm > adam.clip ? adam.clip / norm : Real(1);
  }
};

}  // namespace vida::kernels
