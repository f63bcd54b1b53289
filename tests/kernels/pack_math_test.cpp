// Elementary functions of packs, against long double in units of the last place (ulp) of the exact result.

#include "pack_math.cuh"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "backend/host/team.hpp"

namespace vida::kernels {
namespace {

template <class Real>
double ulps(Real got, long double exact) {
  using Limits = std::numeric_limits<Real>;
  if (std::isnan(got) || std::isnan(exact)) return std::isnan(got) && std::isnan(exact) ? 0 : INFINITY;
  const Real rounded = static_cast<Real>(exact);
  if (std::isinf(got) || std::isinf(rounded)) return got == rounded ? 0 : INFINITY;
  int exponent = 0;
  std::frexp(exact, &exponent);
  const long double ulp = std::ldexp(1.0L, std::max(exponent, Limits::min_exponent) - Limits::digits);
  return static_cast<double>(std::abs(static_cast<long double>(got) - exact) / ulp);
}

template <class P>
class PackMath : public ::testing::Test {
 protected:
  using Real = typename PackTraits<P>::Real;
  static constexpr int kWidth = width<P, Real>;

  /// Numbers of every size: random bits, of which those outside [low, high] are dropped, and as many evenly spread.
  static std::vector<Real> arguments(Real low, Real high, Real center_low, Real center_high) {
    std::mt19937_64 bits(7);
    std::vector<Real> result{low, high, center_low, center_high};
    for (Real special : {Real(0), Real(-0.0), Real(1), Real(-1), std::numeric_limits<Real>::denorm_min()})
      if (special >= low && special <= high) result.push_back(special);
    for (int i = 0; i < 400000; ++i) {
      const auto random = same_bits<Real>(static_cast<typename PackTraits<Real>::Integer>(bits()));
      if (random >= low && random <= high) result.push_back(random);
      const double share = static_cast<double>(bits() >> 11) * 0x1p-53;
      result.push_back(static_cast<Real>(center_low + share * (center_high - center_low)));
    }
    while (result.size() % kWidth) result.push_back(center_low);
    return result;
  }

  template <class Function>
  static std::vector<Real> applied(Function function, const std::vector<Real>& x) {
    std::vector<Real> result(x.size());
    for (std::size_t i = 0; i < x.size(); i += kWidth) store(&result[i], function(load<P>(&x[i])));
    return result;
  }

  template <class Function, class Reference>
  static void expect_ulps(double limit, Function function, Reference exact, const std::vector<Real>& x) {
    const auto got = applied(function, x);
    double worst = 0;
    Real at = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (const double error = ulps(got[i], exact(static_cast<long double>(x[i]))); !(error <= worst))
        worst = error, at = x[i];
    EXPECT_LE(worst, limit) << "at " << at;
    ::testing::Test::RecordProperty("ulps", std::to_string(worst));
  }
  static constexpr Real kInfinity = std::numeric_limits<Real>::infinity(), kMax = std::numeric_limits<Real>::max();
};

using Packs = ::testing::Types<float, double, host::VectorOf<float, 16>::type, host::VectorOf<double, 16>::type,
                               host::Team::Pack<float>, host::Team::Pack<double>>;
TYPED_TEST_SUITE(PackMath, Packs);

TYPED_TEST(PackMath, Exp) {
  using Real = typename TestFixture::Real;
  const auto f = [](auto x) { return pack_exp(x); };
  const auto exact = [](long double x) { return std::exp(x); };
  constexpr bool kDouble = sizeof(Real) == 8;
  this->expect_ulps(2, f, exact,
                    this->arguments(kDouble ? Real(-708.3) : Real(-87.3), this->kMax, Real(-80), Real(88)));
  this->expect_ulps(2, f, exact, this->arguments(-this->kInfinity, this->kInfinity, Real(-104), Real(-87)));
}

TYPED_TEST(PackMath, ExpNearZero) {
  using Real = typename TestFixture::Real;
  const Real end = static_cast<Real>(0.34657359L);
  this->expect_ulps(
      2, [](auto x) { return pack_exp_near_zero(x); }, [](long double x) { return std::exp(x); },
      this->arguments(-end, end, -end, end));
}

TYPED_TEST(PackMath, Expm1) {
  using Real = typename TestFixture::Real;
  this->expect_ulps(
      3, [](auto x) { return pack_expm1_positive(x); }, [](long double x) { return std::expm1(x); },
      this->arguments(Real(0), Real(80), Real(0), Real(3)));
}

TYPED_TEST(PackMath, Tanh) {
  using Real = typename TestFixture::Real;
  this->expect_ulps(
      4, [](auto x) { return pack_tanh(x); }, [](long double x) { return std::tanh(x); },
      this->arguments(-this->kInfinity, this->kInfinity, Real(-4), Real(4)));
}

TYPED_TEST(PackMath, Log) {
  using Real = typename TestFixture::Real;
  this->expect_ulps(
      2, [](auto x) { return pack_log(x); }, [](long double x) { return std::log(x); },
      this->arguments(-this->kInfinity, this->kInfinity, Real(0.5), Real(2)));
}

TYPED_TEST(PackMath, SinAndCosOfTurns) {
  using Real = typename TestFixture::Real;
  constexpr long double kTwoPi = 6.283185307179586476925286766559L;
  const Real far = sizeof(Real) == 8 ? Real(0x1p48) : Real(0x1p20);
  const auto x = this->arguments(-far, far, Real(-1.5), Real(1.5));
  const auto sin = this->applied([](auto p) { return sincos_turns(p).sin; }, x);
  const auto cos = this->applied([](auto p) { return sincos_turns(p).cos; }, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double turns = std::remainder(static_cast<long double>(x[i]), 1.0L);
    const long double quarter = std::nearbyint(4 * turns), angle = kTwoPi * (turns - quarter / 4);  // within pi / 4
    const int k = static_cast<int>(quarter) & 3;
    const long double of_sin = k % 2 ? std::cos(angle) : std::sin(angle),
                      of_cos = k % 2 ? std::sin(angle) : std::cos(angle);
    const long double exact_sin = k >= 2 ? -of_sin : of_sin, exact_cos = k == 1 || k == 2 ? -of_cos : of_cos;
    ASSERT_LE(ulps(sin[i], exact_sin), 2) << "at " << x[i];
    ASSERT_LE(ulps(cos[i], exact_cos), 2) << "at " << x[i];
  }
}

TYPED_TEST(PackMath, NormalDensityAndDistribution) {
  using Real = typename TestFixture::Real;
  const long double root_half = std::sqrt(0.5L), scale = root_half / std::sqrt(3.141592653589793238462643383279503L);
  const Real end = sizeof(Real) == 8 ? Real(37) : Real(13);
  const auto everywhere = this->arguments(-end, end, -end, end), center = this->arguments(-end, end, Real(-4), Real(4));
  const auto density = [](auto x) { return normal_density(x); };
  const auto cdf = [](auto x) { return normal_cdf(x); };
  for (const auto& x : {everywhere, center}) {
    this->expect_ulps(
        3, density, [&](long double z) { return scale * std::exp(-z * z / 2); }, x);
    this->expect_ulps(
        8, cdf, [&](long double z) { return std::erfc(-z * root_half) / 2; }, x);
  }
  const std::vector<Real> far(TestFixture::kWidth, -this->kInfinity), right(TestFixture::kWidth, this->kInfinity);
  EXPECT_EQ(this->applied(cdf, far)[0], Real(0));
  EXPECT_EQ(this->applied(cdf, right)[0], Real(1));
  EXPECT_EQ(this->applied(density, far)[0], Real(0));
}

/// The exact quantile is Newton's correction away: Phi(x) - p is known to long double, relative to p.
TYPED_TEST(PackMath, NormalQuantile) {
  using Real = typename TestFixture::Real;
  const long double root_half = std::sqrt(0.5L), scale = 1 / std::sqrt(2 * std::acos(-1.0L));
  const auto quantile = [](auto p) { return normal_quantile(p); };
  const auto x = this->arguments(std::numeric_limits<Real>::min(), Real(0.5), Real(1e-9), Real(0.5));
  const auto got = this->applied(quantile, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    long double exact = got[i];
    for (int step = 0; step < 3; ++step) {
      const long double density = scale * std::exp(-exact * exact / 2);
      exact -= (std::erfc(-exact * root_half) / 2 - static_cast<long double>(x[i])) / density;
    }
    ASSERT_LE(std::abs(static_cast<long double>(got[i]) - exact),
              8 * std::numeric_limits<Real>::epsilon() * std::max(std::abs(exact), 1e-3L))
        << "at " << x[i];
  }
  const auto at = [&](Real p) { return this->applied(quantile, std::vector<Real>(TestFixture::kWidth, p))[0]; };
  EXPECT_EQ(at(Real(0)), -this->kInfinity);
  EXPECT_EQ(at(Real(1)), this->kInfinity);
  EXPECT_EQ(at(Real(0.5)), Real(0));
  EXPECT_EQ(at(Real(0.75)), -at(Real(0.25)));
  EXPECT_TRUE(std::isnan(at(Real(-0.25))));
  EXPECT_TRUE(std::isnan(at(Real(1.25))));
}

TYPED_TEST(PackMath, NotANumberStaysSo) {
  using Real = typename TestFixture::Real;
  const std::vector<Real> x(TestFixture::kWidth, std::numeric_limits<Real>::quiet_NaN());
  const auto nan_of = [&](auto function) { return std::isnan(this->applied(function, x)[0]); };
  EXPECT_TRUE(nan_of([](auto p) { return pack_exp(p); }));
  EXPECT_TRUE(nan_of([](auto p) { return pack_exp_near_zero(p); }));
  EXPECT_TRUE(nan_of([](auto p) { return pack_log(p); }));
  EXPECT_TRUE(nan_of([](auto p) { return pack_tanh(p); }));
  EXPECT_TRUE(nan_of([](auto p) { return sincos_turns(p).sin; }));
  EXPECT_TRUE(nan_of([](auto p) { return normal_cdf(p); }));
  EXPECT_TRUE(nan_of([](auto p) { return normal_density(p); }));
  EXPECT_TRUE(nan_of([](auto p) { return normal_quantile(p); }));
}

}  // namespace
}  // namespace vida::kernels
