#pragma once

// Elementary functions of a Pack (see team.cuh): of one number on the GPU, of each element of a vector on the CPU. They
// use + - * / and integer operations alone, so every backend takes the same path and no branch depends on the data.
// The errors stated here hold with and without contraction; tests/kernels/pack_math_test.cpp measures them in ulp,
// units in the last place of the exact result. NaN gives NaN.

#include <cstdint>
#include <limits>
#include <utility>

#include "team.cuh"

namespace vida::kernels {

template <class P>
struct PackTraits {
  static constexpr bool kScalar = std::is_floating_point_v<P>;
  static auto element() {
    if constexpr (kScalar)
      return P{};
    else
      return std::remove_cvref_t<decltype(std::declval<P&>()[0])>{};
  }
  using Real = decltype(element());
  static constexpr bool kDouble = sizeof(Real) == 8;
  using Integer = std::conditional_t<kDouble, std::int64_t, std::int32_t>;
  static auto integers() {
    if constexpr (kScalar)
      return Integer{};
    else
      return decltype(std::declval<P&>() < std::declval<P&>()){};
  }
  using Integers = decltype(integers());  // as many bits as the element; signed

  static constexpr Integer kSign = std::numeric_limits<Integer>::min();
  static constexpr Real kSmallest = std::numeric_limits<Real>::min(), kLargest = std::numeric_limits<Real>::max();
  static constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
  static constexpr Real kNaN = std::numeric_limits<Real>::quiet_NaN();
  static constexpr int kFractionBits = kDouble ? 52 : 23;
  static constexpr Integer kBias = kDouble ? 1023 : 127;
  /// Added to a number below 2^(kFractionBits - 2), it leaves the nearest integer in the last bits.
  static constexpr Real kRound = kDouble ? Real(0x1.8p52) : Real(0x1.8p23);
};

template <class To, class From>
VIDA_FN To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof(To));
  return to;
}

/// x in every element.
template <class P>
VIDA_FN P broadcast(typename PackTraits<P>::Real x) {
  return P{} + x;
}

/// c0 + x (c1 + x (c2 + ...)), the coefficients in rising order.
template <class P, class Real, class... Rest>
VIDA_FN P polynomial(P x, Real c0, Rest... rest) {
  if constexpr (sizeof...(Rest) == 0)
    return broadcast<P>(c0);
  else
    return polynomial(x, rest...) * x + c0;
}

template <int kFirst, class P, class Real, std::size_t N>
VIDA_FN P every_second(P square, const Real (&coefficients)[N]) {
  constexpr int kLast = kFirst + (static_cast<int>(N) - 1 - kFirst) / 2 * 2;
  P sum = broadcast<P>(coefficients[kLast]);
  VIDA_UNROLL
  for (int i = kLast - 2; i >= kFirst; i -= 2) sum = sum * square + coefficients[i];
  return sum;
}

/// polynomial() in two chains, of the even and of the odd powers: half as long to wait for.
template <class P, class... Numbers>
VIDA_FN P long_polynomial(P x, Numbers... coefficients) {
  const typename PackTraits<P>::Real all[] = {coefficients...};
  const P square = x * x;
  return every_second<1>(square, all) * x + every_second<0>(square, all);
}

/// value without its sign.
template <class P>
VIDA_FN P pack_abs(P value) {
  using T = PackTraits<P>;
  return same_bits<P>(same_bits<typename T::Integers>(value) & ~T::kSign);
}

/// value, which is not negative, with the sign of `of`.
template <class P>
VIDA_FN P with_sign(P value, P of) {
  using T = PackTraits<P>;
  return same_bits<P>(same_bits<typename T::Integers>(value) | (same_bits<typename T::Integers>(of) & T::kSign));
}

/// Square root, correctly rounded.
template <class P>
VIDA_FN P pack_sqrt(P x) {
  if constexpr (PackTraits<P>::kScalar) {
    return std::sqrt(x);
  } else {
    for (std::size_t i = 0; i < sizeof(P) / sizeof(x[0]); ++i) x[i] = std::sqrt(x[i]);
    return x;
  }
}

template <class P>
VIDA_FN P clamped(P x, typename PackTraits<P>::Real low, typename PackTraits<P>::Real high) {
  x = x < low ? broadcast<P>(low) : x;
  return x > high ? broadcast<P>(high) : x;
}

/// 2^n for |n| within the exponents of normal numbers.
template <class P>
VIDA_FN P power_of_two(typename PackTraits<P>::Integers n) {
  using T = PackTraits<P>;
  return same_bits<P>((n + T::kBias) << T::kFractionBits);
}

/// (exp(r) - 1 - r) / r^2, by Taylor's series for |r| <= (ln 2) / 2 and a little: the remainder is below 1e-8 (float)
/// and 1e-17 (double) of exp(r).
template <class P>
VIDA_FN P exp_tail(P r) {
  using Real = typename PackTraits<P>::Real;
  if constexpr (PackTraits<P>::kDouble)
    return long_polynomial(r, Real(0.5), Real(1.0 / 6), Real(1.0 / 24), Real(1.0 / 120), Real(1.0 / 720),
                           Real(1.0 / 5040), Real(1.0 / 40320), Real(1.0 / 362880), Real(1.0 / 3628800),
                           Real(1.0 / 39916800), Real(1.0 / 479001600), Real(1.0 / 6227020800));
  else
    return polynomial(r, Real(0.5), Real(1.0 / 6), Real(1.0 / 24), Real(1.0 / 120), Real(1.0 / 720), Real(1.0 / 5040));
}

/// x + low = n ln 2 + r with |r| <= (ln 2) / 2 and a little. low is a small part of x, or 0.
template <class P>
struct ExpArgument {
  typename PackTraits<P>::Integers n;
  P r;

  VIDA_FN ExpArgument(P x, P low) {
    using T = PackTraits<P>;
    using Real = typename T::Real;
    const P rounded = x * Real(1.4426950408889634) + T::kRound;
    n = same_bits<typename T::Integers>(rounded) - same_bits<typename T::Integers>(broadcast<P>(T::kRound));
    const P whole = rounded - T::kRound;
    // The high part has so few bits that its product with n is exact.
    if constexpr (T::kDouble)
      r = (x - whole * Real(0x1.62e42feep-1)) - whole * Real(1.9082149292705877e-10) + low;
    else
      r = (x - whole * Real(0.693359375)) - whole * Real(-2.1219444e-4) + low;
  }
};

/// exp(x + low), low a small part of x. In two halves, since 2^n itself may lie outside the normal numbers.
template <class P>
VIDA_FN P exp_of_sum(P x, P low) {
  using Real = typename PackTraits<P>::Real;
  x = PackTraits<P>::kDouble ? clamped(x, Real(-746), Real(710)) : clamped(x, Real(-104), Real(89));
  const ExpArgument<P> argument(x, low);
  const P r = argument.r, exp_r = r * r * exp_tail(r) + r + Real(1);
  const auto half = argument.n >> 1;
  return exp_r * power_of_two<P>(half) * power_of_two<P>(argument.n - half);
}

/// Exponential: 2 ulp where the result is a normal number, the smallest subnormal below that; overflows to infinity.
template <class P>
VIDA_FN P pack_exp(P x) {
  return exp_of_sum(x, P{});
}

/// Exponential for |x| <= (ln 2) / 2: 2 ulp.
template <class P>
VIDA_FN P pack_exp_near_zero(P x) {
  return x * x * exp_tail(x) + x + typename PackTraits<P>::Real(1);
}

/// exp(x) - 1 for 0 <= x <= 80: 3 ulp.
template <class P>
VIDA_FN P pack_expm1_positive(P x) {
  using Real = typename PackTraits<P>::Real;
  const ExpArgument<P> argument(x, P{});
  const P r = argument.r, power = power_of_two<P>(argument.n);
  return power * (r * r * exp_tail(r) + r) + (power - Real(1));
}

/// Hyperbolic tangent: 4 ulp.
template <class P>
VIDA_FN P pack_tanh(P x) {
  using Real = typename PackTraits<P>::Real;
  const P twice = Real(2) * clamped(pack_abs(x), Real(0), PackTraits<P>::kDouble ? Real(20) : Real(10));
  const P e = pack_expm1_positive(twice);
  return with_sign(e / (e + Real(2)), x);
}

/// Natural logarithm: 2 ulp. log(0) = -infinity, NaN below.
template <class P>
VIDA_FN P pack_log(P x) {
  using T = PackTraits<P>;
  using Real = typename T::Real;
  constexpr int kUp = T::kFractionBits + 1;
  const P grown = x * (T::kDouble ? Real(0x1p53) : Real(0x1p24));
  const auto subnormal = x < T::kSmallest;
  const auto bits = same_bits<typename T::Integers>(pack_abs(subnormal ? grown : x));  // below 0 they do not count
  // m in [1/sqrt(2), sqrt(2)): the bits of 1/sqrt(2) are taken off before the exponent is read
  constexpr typename T::Integer kRoot =
      T::kDouble ? static_cast<typename T::Integer>(0x3fe6a09e667f3bcd) : static_cast<typename T::Integer>(0x3f3504f3);
  const typename T::Integers exponent = (bits - kRoot) >> T::kFractionBits;
  const P m = same_bits<P>(bits - (exponent << T::kFractionBits));
  const P whole = same_bits<P>(exponent + same_bits<typename T::Integers>(broadcast<P>(T::kRound))) - T::kRound -
                  (subnormal ? broadcast<P>(Real(kUp)) : P{});
  // log m = f - (f^2 / 2 - s (f^2 / 2 + R)),  f = m - 1, s = f / (2 + f), R = 2 s^2 / 3 + 2 s^4 / 5 + ...
  const P f = m - Real(1), s = f / (Real(2) + f), z = s * s, half_square = Real(0.5) * f * f;
  P series;
  if constexpr (T::kDouble)
    series = z * polynomial(z, Real(2.0 / 3), Real(2.0 / 5), Real(2.0 / 7), Real(2.0 / 9), Real(2.0 / 11),
                            Real(2.0 / 13), Real(2.0 / 15), Real(2.0 / 17), Real(2.0 / 19), Real(2.0 / 21));
  else
    series = z * polynomial(z, Real(2.0 / 3), Real(2.0 / 5), Real(2.0 / 7), Real(2.0 / 9));
  const P high = whole * (T::kDouble ? Real(0x1.62e42feep-1) : Real(0.693359375));
  const P low = whole * (T::kDouble ? Real(1.9082149292705877e-10) : Real(-2.1219444e-4));
  P result = high - ((half_square - (s * (half_square + series) + low)) - f);
  result = x > T::kLargest ? x : result;
  result = x == Real(0) ? broadcast<P>(-T::kInfinity) : result;
  return x >= Real(0) ? result : broadcast<P>(T::kNaN);
}

/// sin and cos of 2 pi x, |x| <= 2^20 (float) or 2^48 (double): 2 ulp of the result or, close to a zero of it that is
/// not at x = 0, one of pi |distance|. The whole turns are taken off exactly.
template <class P>
struct SinCos {
  P sin, cos;
};

template <class P>
VIDA_FN SinCos<P> sincos_turns(P x) {
  using T = PackTraits<P>;
  using Real = typename T::Real;
  using Integers = typename T::Integers;
  const P rounded = x * Real(4) + T::kRound;
  const Integers quarter = same_bits<Integers>(rounded);
  const P angle = (x - (rounded - T::kRound) * Real(0.25)) * Real(6.283185307179586);  // within pi / 4
  const P z = angle * angle;
  P sin, cos;
  if constexpr (T::kDouble) {
    sin = polynomial(z, Real(-1.0 / 6), Real(1.0 / 120), Real(-1.0 / 5040), Real(1.0 / 362880), Real(-1.0 / 39916800),
                     Real(1.0 / 6227020800), Real(-1.0 / 1307674368000), Real(1.0 / 355687428096000));
    cos = polynomial(z, Real(1.0 / 24), Real(-1.0 / 720), Real(1.0 / 40320), Real(-1.0 / 3628800),
                     Real(1.0 / 479001600), Real(-1.0 / 87178291200), Real(1.0 / 20922789888000));
  } else {
    sin = polynomial(z, Real(-1.0 / 6), Real(1.0 / 120), Real(-1.0 / 5040), Real(1.0 / 362880));
    cos = polynomial(z, Real(1.0 / 24), Real(-1.0 / 720), Real(1.0 / 40320), Real(-1.0 / 3628800));
  }
  sin = angle + angle * z * sin;
  cos = Real(1) - (Real(0.5) * z - z * z * cos);
  const auto odd = (quarter & 1) != 0;
  const auto second_half = (quarter & 2) != 0, left_half = ((quarter + 1) & 2) != 0;
  const P of_sin = odd ? cos : sin, of_cos = odd ? sin : cos;
  return {second_half ? -of_sin : of_sin, left_half ? -of_cos : of_cos};
}

/// exp(-z^2 / 2) for 0 <= z <= 40. z^2 is split so that its rounding, up to 700 times that of z, does not reach the
/// result.
template <class P>
VIDA_FN P gaussian_bell(P z) {
  using T = PackTraits<P>;
  using Real = typename T::Real;
  constexpr typename T::Integer kMask = T::kDouble ? static_cast<typename T::Integer>(~std::int64_t{0x7ffffff})
                                                   : static_cast<typename T::Integer>(~std::int32_t{0xfff});
  const P high = same_bits<P>(same_bits<typename T::Integers>(z) & kMask);
  return exp_of_sum(high * high * Real(-0.5), (high - z) * (high + z) * Real(0.5));
}

/// Density of the standard normal distribution: 3 ulp where it is a normal number.
template <class P>
VIDA_FN P normal_density(P x) {
  using Real = typename PackTraits<P>::Real;
  return gaussian_bell(clamped(pack_abs(x), Real(0), Real(40))) * Real(0.3989422804014327);
}

/// Distribution function of the standard normal distribution: 8 ulp, in the left tail too, where it is a normal number.
/// Phi(-z) = exp(-z^2/2) G(t) / (z + K), t = (z - K) / (z + K), with a polynomial for G on [-1, 1] (the mapping of
/// Shepherd and Laframboise 1981; coefficients from tests/data/normal_cdf.py).
template <class P>
VIDA_FN P normal_cdf(P x) {
  using T = PackTraits<P>;
  using Real = typename T::Real;
  const P z = clamped(pack_abs(x), Real(0), Real(40));
  constexpr Real kK = T::kDouble ? Real(5) : Real(3.5);
  const P q = Real(1) / (z + kK), t = (z - kK) * q;
  P G;
  if constexpr (T::kDouble)
    G = long_polynomial(t, Real(0.76919304975006296), Real(-0.66538250289005768), Real(0.49530561596997679),
                        Real(-0.31353315667121377), Real(0.16502036617034281), Real(-0.069118638708814328),
                        Real(0.020795066800941615), Real(-0.00299337673822322), Real(-0.00079786940948080635),
                        Real(0.00054489883090093001), Real(-5.9375673286488656e-5), Real(-4.9761771189792182e-5),
                        Real(1.6681099115863467e-5), Real(3.9779126405932422e-6), Real(-2.7693378710438542e-6),
                        Real(-3.310698071526862e-7), Real(4.3402625948297753e-7), Real(3.5818400515432234e-8),
                        Real(-6.7825553132911554e-8), Real(-5.0156499398578569e-9), Real(9.4468275196773665e-9),
                        Real(5.0373021263798561e-10), Real(-8.1661926244289863e-10));
  else
    G = long_polynomial(t, Real(0.744416075), Real(-0.565561909), Real(0.315425058), Real(-0.116049045),
                        Real(0.0174060587), Real(0.00646523408), Real(-0.0031789859), Real(-0.000417768598),
                        Real(0.00045269392), Real(3.46352008e-5), Real(-4.97668894e-5));
  const P tail = gaussian_bell(z) * (q * G);
  return x > Real(0) ? Real(1) - tail : tail;
}

/// Quantile of the standard normal distribution, the x with Phi(x) = p: 8 ulp for p in (0, 1/2], where the tail is told
/// without rounding; above, use -normal_quantile(1 - p). Rational functions of Wichura 1988 (AS 241); 0 and 1 give
/// infinities, what lies outside NaN.
template <class P>
VIDA_FN P normal_quantile(P p) {
  using T = PackTraits<P>;
  using Real = typename T::Real;
  const P q = p - Real(0.5), tail = p < Real(0.5) ? p : Real(1) - p;
  const P r = Real(0.180625) - q * q;
  const P center =
      q * (polynomial(r, Real(3.3871328727963666080e0), Real(1.3314166789178437745e+2), Real(1.9715909503065514427e+3),
                      Real(1.3731693765509461125e+4), Real(4.5921953931549871457e+4), Real(6.7265770927008700853e+4),
                      Real(3.3430575583588128105e+4), Real(2.5090809287301226727e+3)) /
           polynomial(r, Real(1), Real(4.2313330701600911252e+1), Real(6.8718700749205790830e+2),
                      Real(5.3941960214247511077e+3), Real(2.1213794301586595867e+4), Real(3.9307895800092710610e+4),
                      Real(2.8729085735721942674e+4), Real(5.2264952788528545610e+3)));
  const P depth = pack_sqrt(-pack_log(tail)), near = depth - Real(1.6), far = depth - Real(5);
  const P side =
      polynomial(near, Real(1.42343711074968357734e0), Real(4.63033784615654529590e0), Real(5.76949722146069140550e0),
                 Real(3.64784832476320460504e0), Real(1.27045825245236838258e0), Real(2.41780725177450611770e-1),
                 Real(2.27238449892691845833e-2), Real(7.74545014278341407640e-4)) /
      polynomial(near, Real(1), Real(2.05319162663775882187e0), Real(1.67638483018380384940e0),
                 Real(6.89767334985100004550e-1), Real(1.48103976427480074590e-1), Real(1.51986665636164571966e-2),
                 Real(5.47593808499534494600e-4), Real(1.05075007164441684324e-9));
  const P end =
      polynomial(far, Real(6.65790464350110377720e0), Real(5.46378491116411436990e0), Real(1.78482653991729133580e0),
                 Real(2.96560571828504891230e-1), Real(2.65321895265761230930e-2), Real(1.24266094738807843860e-3),
                 Real(2.71155556874348757815e-5), Real(2.01033439929228813265e-7)) /
      polynomial(far, Real(1), Real(5.99832206555887937690e-1), Real(1.36929880922735805310e-1),
                 Real(1.48753612908506148525e-2), Real(7.86869131145613259100e-4), Real(1.84631831751005468180e-5),
                 Real(1.42151175831644588870e-7), Real(2.04426310338993978564e-15));
  const P outside =
      tail > Real(0) ? (depth < Real(5) ? side : end) : (tail == Real(0) ? P{} + T::kInfinity : P{} + T::kNaN);
  return pack_abs(q) < Real(0.425) ? center : (q < Real(0) ? -outside : outside);
}

}  // namespace vida::kernels
