#pragma once

// Forward maps G of inverse problems y = G(u) + N(0, s^2 I), u ~ N(0, I_d), one draw per vector element:
//
//   template <class Pack> void forward(const Pack* u, Pack* g) const;                      g = G(u)
//   template <class Pack> void adjoint(const Pack* u, const Pack* w, Pack* u_bar) const;   u_bar = G'(u)' w
//
// and densities without data, known up to a constant.

#include "pack_math.cuh"
#include "team.cuh"

namespace vida::kernels {

/// Biochemical oxygen demand at times 1 .. 5: G_t = A (1 - exp(-B t)) with A = 0.4 + 0.8 Phi(u_1),
/// B = 0.01 + 0.30 Phi(u_2).
template <class RealType>
struct OxygenDemand {
  using Real = RealType;
  static constexpr int kMaxDimension = 2, kMaxObservations = 5;
  VIDA_BOTH int dimension() const { return 2; }
  VIDA_BOTH int observations() const { return 5; }

  template <class Pack>
  VIDA_FN void forward(const Pack* u, Pack* g) const {
    const Pack A = amplitude(u), decay = pack_exp_near_zero(-rate(u));
    Pack e = decay;
    VIDA_UNROLL
    for (int t = 0; t < 5; ++t, e = e * decay) g[t] = A * (Real(1) - e);
  }

  template <class Pack>
  VIDA_FN void adjoint(const Pack* u, const Pack* w, Pack* u_bar) const {
    const Pack A = amplitude(u), decay = pack_exp_near_zero(-rate(u));
    Pack e = decay, A_bar = {}, rate_bar = {};
    VIDA_UNROLL
    for (int t = 0; t < 5; ++t, e = e * decay) {
      A_bar += w[t] * (Real(1) - e);
      rate_bar += w[t] * (Real(t + 1) * e);
    }
    u_bar[0] = A_bar * (Real(0.8) * normal_density(u[0]));
    u_bar[1] = rate_bar * A * (Real(0.3) * normal_density(u[1]));
  }

 private:
  template <class Pack>
  VIDA_FN static Pack amplitude(const Pack* u) {
    return Real(0.4) + Real(0.8) * normal_cdf(u[0]);
  }
  /// 0.01 .. 0.31
  template <class Pack>
  VIDA_FN static Pack rate(const Pack* u) {
    return Real(0.01) + Real(0.3) * normal_cdf(u[1]);
  }
};

/// G(u) = A u for any matrix A.
template <class RealType>
struct LinearMap {
  using Real = RealType;
  static constexpr int kMaxDimension = 64, kMaxObservations = 64;
  int d, p;
  const Real* A;  // [p, d]
  VIDA_BOTH int dimension() const { return d; }
  VIDA_BOTH int observations() const { return p; }

  template <class Pack>
  VIDA_FN void forward(const Pack* u, Pack* g) const {
    for (int i = 0; i < p; ++i) {
      Pack sum = {};
      for (int k = 0; k < d; ++k) sum += A[i * d + k] * u[k];
      g[i] = sum;
    }
  }

  template <class Pack>
  VIDA_FN void adjoint(const Pack*, const Pack* w, Pack* u_bar) const {
    for (int k = 0; k < d; ++k) {
      Pack sum = {};
      for (int i = 0; i < p; ++i) sum += A[i * d + k] * w[i];
      u_bar[k] = sum;
    }
  }
};

/// log N(y; G(u), s^2 I) + log N(u; 0, I), normalised in y and u: its integral over u is the evidence of y.
template <class Map>
struct GaussianPosterior {
  using Real = typename Map::Real;
  static constexpr int kMaxDimension = Map::kMaxDimension;
  Map map;
  Real noise_precision;  // 1 / s^2
  Real constant;         // -(p log(2 pi s^2) + d log(2 pi)) / 2
  VIDA_BOTH int dimension() const { return map.dimension(); }
  VIDA_BOTH int observations() const { return map.observations(); }

  template <class Pack>
  VIDA_FN Pack log_density(const Pack* u, const Real* y, Pack* gradient) const {
    Pack residual[Map::kMaxObservations];
    map.forward(u, residual);
    Pack squares = {};
    for (int t = 0; t < map.observations(); ++t) {
      const Pack r = y[t] - residual[t];
      squares += r * r;
      residual[t] = noise_precision * r;
    }
    map.adjoint(u, residual, gradient);
    Pack norm = {};
    for (int k = 0; k < map.dimension(); ++k) {
      norm += u[k] * u[k];
      gradient[k] = gradient[k] - u[k];
    }
    return constant - Real(0.5) * (noise_precision * squares + norm);
  }
};

/// u_1 ~ N(0, s^2), u_2 given u_1 ~ N(b (u_1^2 - s^2), 1), normalised (Haario et al. 1999).
template <class RealType>
struct Banana {
  using Real = RealType;
  static constexpr int kMaxDimension = 2;
  Real width, bend, constant;  // s, b, -log(2 pi s)
  VIDA_BOTH int dimension() const { return 2; }
  VIDA_BOTH int observations() const { return 0; }

  template <class Pack>
  VIDA_FN Pack log_density(const Pack* u, const Real*, Pack* gradient) const {
    const Pack scaled = u[0] * (Real(1) / width);
    const Pack r = u[1] - bend * (u[0] * u[0] - width * width);
    gradient[0] = Real(2) * bend * u[0] * r - scaled * (Real(1) / width);
    gradient[1] = -r;
    return constant - Real(0.5) * (scaled * scaled + r * r);
  }
};

/// -((|u| - 2) / 0.4)^2 / 2 + log(exp(-((u_1 - 2) / 0.6)^2 / 2) + exp(-((u_1 + 2) / 0.6)^2 / 2)), not normalised
/// (Rezende and Mohamed 2015).
template <class RealType>
struct TwoMoons {
  using Real = RealType;
  static constexpr int kMaxDimension = 2;
  VIDA_BOTH int dimension() const { return 2; }
  VIDA_BOTH int observations() const { return 0; }

  template <class Pack>
  VIDA_FN Pack log_density(const Pack* u, const Real*, Pack* gradient) const {
    const Real steep = Real(1) / Real(0.36);  // 1 / 0.6^2
    const Pack radius = pack_sqrt(u[0] * u[0] + u[1] * u[1] + Real(1e-12));
    const Pack ring = (radius - Real(2)) * Real(2.5);
    // log(e^a + e^-a) = |a| + log(1 + e^(-2 |a|)) with a = 2 u_1 / 0.36; its derivative in a is tanh a
    const Pack a = Real(2) * steep * u[0];
    const Pack e = pack_exp(Real(-2) * pack_abs(a));
    const Pack tanh_a = with_sign((Real(1) - e) / (Real(1) + e), a);
    const Pack pull = ring * Real(-2.5) / radius;
    gradient[0] = pull * u[0] - steep * u[0] + Real(2) * steep * tanh_a;
    gradient[1] = pull * u[1];
    return Real(-0.5) * (ring * ring + steep * (u[0] * u[0] + Real(4))) + pack_abs(a) + pack_log(Real(1) + e);
  }
};

/// y = G(u) + s z for every draw.
template <class Map>
struct ForwardDraws {
  using Real = typename Map::Real;
  Map map;
  const Real* points;  // u [d, stride]
  const Real* noise;   // z [p, stride]
  Real* observations;  // y [p, stride]
  Real deviation;      // s
  long stride;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    Pack u[Map::kMaxDimension], g[Map::kMaxObservations];
    for (int k = 0; k < map.dimension(); ++k) u[k] = load<Pack>(points + k * stride + lanes.first());
    map.forward(u, g);
    for (int t = 0; t < map.observations(); ++t) {
      const long at = t * stride + lanes.first();
      store(observations + at, g[t] + deviation * load<Pack>(noise + at));
    }
  }
};

/// Log density and gradient of every draw of every problem.
template <class Density>
struct EvaluateDensity {
  using Real = typename Density::Real;
  Density density;
  const Real* points;        // [problem, d, stride]
  const Real* observations;  // [problem, p]
  Real* log_density;         // [problem, stride]
  Real* gradient;            // [problem, d, stride]
  long stride;               // draws of a problem, a multiple of the pack width

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    const long problem = lanes.first() / stride, draw = lanes.first() % stride;
    const int d = density.dimension();
    const long base = problem * d * stride + draw;
    Pack u[Density::kMaxDimension], slope[Density::kMaxDimension];
    for (int k = 0; k < d; ++k) u[k] = load<Pack>(points + base + k * stride);
    const Pack value = density.log_density(u, observations + problem * density.observations(), slope);
    store(log_density + problem * stride + draw, value);
    for (int k = 0; k < d; ++k) store(gradient + base + k * stride, slope[k]);
  }
};

}  // namespace vida::kernels
