#include "vida/quadrature.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "inference/diagnostics/density_box.hpp"
#include "messages.hpp"
#include "near.hpp"

namespace vida {
namespace {

using ::testing::HasSubstr;
using vida::testing::message_of;

constexpr double kLogTwoPi = 1.8378770664093454836;

Matrix square(std::initializer_list<double> values, long n) {
  Matrix result({n, n});
  std::copy(values.begin(), values.end(), result.begin());
  return result;
}

Vector vector(std::initializer_list<double> values) {
  Vector result({std::ssize(values)});
  std::copy(values.begin(), values.end(), result.begin());
  return result;
}

/// Biochemical oxygen demand at times 1 .. 5 with noise variance 1e-3 and prior N(0, I_2), both normalised.
double oxygen_log_density(std::span<const double> u, const std::array<double, 5>& y) {
  const auto phi = [](double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); };
  const double A = 0.4 + 0.8 * phi(u[0]), B = 0.01 + 0.30 * phi(u[1]), variance = 1e-3;
  double value = -0.5 * (u[0] * u[0] + u[1] * u[1]) - kLogTwoPi;
  for (int t = 1; t <= 5; ++t) {
    const double residual = y[t - 1] - A * (1 - std::exp(-B * t));
    value -= 0.5 * (residual * residual / variance + kLogTwoPi + std::log(variance));
  }
  return value;
}

/// The published truth of one observation, to the digits given, and the best Gaussian approximations.
struct OxygenCase {
  const char* name;
  std::array<double, 5> y;
  double log_evidence;
  std::array<double, 2> mean, variance;
  double covariance;
  std::array<double, 2> skewness, kurtosis;
  double mean_field_elbo, full_elbo;
  std::array<double, 2> full_mean;
  std::array<double, 3> full_covariance;  // 11, 12, 22
  std::array<double, 2> mean_field_mean, mean_field_variance;
};

const OxygenCase kOxygen[] = {
    {"reference",
     {.1615, .1868, .3949, .3728, .4177},
     4.877902,
     {-.39338, .72449},
     {.26436, .46935},
     -.29101,
     {1.7231, .5609},
     {7.3087, 3.2344},
     3.673579,
     4.392499,
     {-.55710, .77165},
     {.05352, -.07590, .13449},
     {-.74634, 1.17588},
     {.01111, .07968}},
    {"low",
     {-.0072, .0427, .0505, .0638, .0729},
     9.372754,
     {-.38507, -1.72319},
     {.98141, .16181},
     -.27425,
     {.1737, -.7642},
     {3.0654, 4.3246},
     8.737777,
     9.271546,
     {-.39480, -1.70021},
     {.87950, -.24096, .11356},
     {-.36516, -1.76766},
     {.40896, .04757}},
    {"high",
     {.20, .40, .60, .75, .85},
     4.766403,
     {1.65819, .85883},
     {.27099, .07528},
     -.09866,
     {.7117, 2.2529},
     {3.6144, 11.8108},
     4.129203,
     4.466250,
     {1.67606, .79140},
     {.11956, -.03457, .02054},
     {1.81624, .73879},
     {.09077, .00952}},
    {"literature",
     {.18, .32, .42, .49, .54},
     9.088253,
     {.04364, .92651},
     {.16928, .39952},
     -.20601,
     {2.0118, .6415},
     {9.0610, 3.3996},
     7.941332,
     8.592729,
     {-.09056, .96442},
     {.02826, -.04827, .11029},
     {-.22065, 1.30021},
     {.00657, .07121}},
};

class OxygenDemand : public ::testing::TestWithParam<OxygenCase> {
 protected:
  static double log_density(std::span<const double> u) { return oxygen_log_density(u, GetParam().y); }

  /// E log pi~ + entropy of N(mean, L L'), by a Gauss-Hermite rule.
  static double elbo(const std::array<double, 2>& mean, double c11, double c12, double c22) {
    const double l11 = std::sqrt(c11), l21 = c12 / l11, l22 = std::sqrt(c22 - l21 * l21);
    const QuadratureRule rule = gauss_hermite(64, 2);
    double value = 1 + kLogTwoPi + std::log(l11 * l22);
    for (long i = 0; i < rule.weights.extent(0); ++i) {
      const double z1 = rule.nodes(i, 0), z2 = rule.nodes(i, 1);
      value += rule.weights[i] * log_density(std::array{mean[0] + l11 * z1, mean[1] + l21 * z1 + l22 * z2});
    }
    return value;
  }
};

// The published numbers are rounded: half a unit of the last digit, and the error of ours (1e-8) is far below.
TEST_P(OxygenDemand, HasThePublishedMoments) {
  const OxygenCase& expected = GetParam();
  const DensityQuadrature posterior(log_density, 2);
  const DensityMoments& found = posterior.moments();
  EXPECT_NEAR(found.log_evidence, expected.log_evidence, 5.1e-7);
  EXPECT_NEAR(found.covariance(0, 1), expected.covariance, 5.1e-6);
  EXPECT_EQ(found.covariance(0, 1), found.covariance(1, 0));
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(found.mean[i], expected.mean[i], 5.1e-6);
    EXPECT_NEAR(found.covariance(i, i), expected.variance[i], 5.1e-6);
    EXPECT_NEAR(found.skewness[i], expected.skewness[i], 5.1e-5);
    EXPECT_NEAR(found.kurtosis[i], expected.kurtosis[i], 5.1e-5);
  }
  const double mean_square = posterior.expectation([](std::span<const double> u) { return u[0] * u[0]; });
  EXPECT_NEAR(mean_square, found.covariance(0, 0) + found.mean[0] * found.mean[0], 1e-7);
}

// The parameters are rounded to 5e-6, which the ELBO feels only to second order because it is largest there: the
// relative change of the smallest variance, squared, 5e-4^2 = 2.5e-7, beside half a unit of the last digit.
TEST_P(OxygenDemand, HasThePublishedElboAtTheBestGaussians) {
  const OxygenCase& best = GetParam();
  EXPECT_NEAR(elbo(best.full_mean, best.full_covariance[0], best.full_covariance[1], best.full_covariance[2]),
              best.full_elbo, 1e-6);
  EXPECT_NEAR(elbo(best.mean_field_mean, best.mean_field_variance[0], 0, best.mean_field_variance[1]),
              best.mean_field_elbo, 1e-6);
}

void PrintTo(const OxygenCase& one, std::ostream* out) { *out << one.name; }

INSTANTIATE_TEST_SUITE_P(Published, OxygenDemand, ::testing::ValuesIn(kOxygen),
                         [](const auto& info) { return info.param.name; });

/// A Gaussian with precision P that is not normalised: log Z = d/2 log 2 pi - 1/2 log det P.
PointFunction gaussian(Vector mean, Matrix precision) {
  return [=](std::span<const double> x) {
    const double *m = mean.data(), *P = precision.data();
    double value = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x.size(); ++j) value -= 0.5 * (x[i] - m[i]) * P[i * x.size() + j] * (x[j] - m[j]);
    return value;
  };
}

// Two refinements that agree to 1e-8 are exponentially better than that; what is left is the rounding of the sums.
TEST(DensityQuadrature, IsExactForGaussians) {
  for (double scale : {1e-4, 1.0, 50.0}) {
    SCOPED_TRACE(scale);
    const double inverse = 1 / (scale * scale);
    const auto line = quadrature_moments(gaussian(vector({2.5}), square({inverse}, 1)), 1);
    EXPECT_NEAR(line.log_evidence, 0.5 * kLogTwoPi + std::log(scale), 1e-10);
    EXPECT_NEAR(line.mean[0], 2.5, 1e-10 * scale);
    EXPECT_NEAR(line.covariance(0, 0), scale * scale, 1e-10 * scale * scale);
    EXPECT_NEAR(line.skewness[0], 0, 1e-9);
    EXPECT_NEAR(line.kurtosis[0], 3, 1e-9);
  }
}

/// (x, 3 y) about a point have deviations of 1 and this correlation.
PointFunction ridge(double correlation) {
  const double diagonal = 1 / (1 - correlation * correlation), off = -3 * correlation * diagonal;
  return gaussian(vector({-0.37, 0.81}), square({diagonal, off, off, 9 * diagonal}, 2));
}

// 14 times longer than wide, across the box.
TEST(DensityQuadrature, FollowsANarrowRidge) {
  for (double correlation : {-0.99, 0.99}) {
    const auto found = quadrature_moments(ridge(correlation), 2);
    EXPECT_NEAR(found.log_evidence, kLogTwoPi + 0.5 * std::log((1 - correlation * correlation) / 9), 1e-8);
    EXPECT_NEAR(found.covariance(0, 0), 1, 1e-8);
    EXPECT_NEAR(found.covariance(0, 1), correlation / 3, 1e-8);
  }
}

// exp(-60) is reached at sqrt 120 = 10.95 deviations. 450 times longer than wide, the ridge passes between the nodes of
// the scan.
TEST(DensityBox, HoldsARidgeThatTheScanCannotSee) {
  const Matrix box = find_box(ridge(0.99999), Vector({2}), Vector({2}, 1.0));
  EXPECT_LT(box(0, 0), -0.37 - 10.95);
  EXPECT_GT(box(0, 1), -0.37 + 10.95);
  EXPECT_LT(box(1, 0), 0.81 - 10.95 / 3);
  EXPECT_GT(box(1, 1), 0.81 + 10.95 / 3);
  EXPECT_LT(box(0, 1) - box(0, 0), 50);
}

TEST(DensityQuadrature, WorksInThreeDimensions) {
  // P = L L' with L = [1 0 0; .5 1 0; -.3 .4 2]: log det P = 2 log 2.
  const Matrix precision = square({1, .5, -.3, .5, 1.25, .25, -.3, .25, 4.25}, 3);
  const auto found = quadrature_moments(gaussian(vector({.5, -1, 2}), precision), 3);
  EXPECT_NEAR(found.log_evidence, 1.5 * kLogTwoPi - std::log(2.0), 1e-8);
  Matrix product({3, 3});
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) product(i, j) += precision(i, k) * found.covariance(k, j);
  EXPECT_LE(testing::relative_error(product, scaled_identity(3, 1)), 1e-7);
  EXPECT_NEAR(found.mean[2], 2, 1e-8);
}

TEST(DensityQuadrature, SeesBothOfTwoModes) {
  const auto two = [](std::span<const double> x) {
    const auto one = [&](double at) { return std::exp(-0.5 * (x[0] - at) * (x[0] - at) / 0.04); };
    return std::log(one(-4) + 3 * one(4) + 1e-300);
  };
  const auto found = quadrature_moments(two, 1);
  EXPECT_NEAR(found.mean[0], 2, 1e-8);
  EXPECT_NEAR(found.covariance(0, 0), 0.04 + 12, 1e-7);
}

// Gamma(3): Z = 2, mean 3, variance 3, skewness 2 / sqrt 3, kurtosis 5. Zero below 0, where a given box begins.
TEST(DensityQuadrature, TakesAGivenBoxAsItIs) {
  const auto gamma = [](std::span<const double> x) { return 2 * std::log(x[0]) - x[0]; };
  Matrix box({1, 2});
  box(0, 1) = 80;
  const auto found = quadrature_moments(gamma, 1, {.box = box});
  EXPECT_NEAR(found.log_evidence, std::log(2.0), 1e-9);
  EXPECT_NEAR(found.mean[0], 3, 1e-8);
  EXPECT_NEAR(found.skewness[0], 2 / std::sqrt(3.0), 1e-8);
  EXPECT_NEAR(found.kurtosis[0], 5, 1e-7);
  EXPECT_NEAR(quadrature_expectation([](std::span<const double> x) { return 1 / x[0]; }, gamma, 1, {.box = box}), 0.5,
              1e-8);
}

TEST(DensityQuadrature, FindsADensityFarFromTheCentre) {
  const auto far = gaussian(vector({40, -25}), square({4, 0, 0, 100}, 2));
  const auto found = quadrature_moments(far, 2);
  EXPECT_NEAR(found.mean[0], 40, 1e-8);
  EXPECT_NEAR(found.mean[1], -25, 1e-8);
}

TEST(DensityQuadrature, SaysWhatIsWrong) {
  const PointFunction normal = [](std::span<const double> x) { return -0.5 * x[0] * x[0]; };
  EXPECT_THAT(message_of([&] { quadrature_moments(normal, 4); }),
              HasSubstr("dimension is 4; quadrature works in 1 to 3"));
  EXPECT_THAT(message_of([&] {
                quadrature_moments(normal, 1, {.centre = vector({1, 2})});
              }),
              HasSubstr("centre has shape [2], expected [1]"));
  EXPECT_THAT(message_of([&] { quadrature_moments(normal, 1, {.scale = vector({0})}); }),
              HasSubstr("scale holds 0; it must be positive"));
  EXPECT_THAT(message_of([&] {
                quadrature_moments(normal, 1, {.box = Matrix({1, 2})});
              }),
              HasSubstr("box[0] is [0, 0]; a lower and a greater upper bound"));
  EXPECT_THAT(message_of([&] { quadrature_moments(normal, 1, {.tolerance = NAN}); }), HasSubstr("tolerance is nan"));
  EXPECT_THAT(message_of([&] { quadrature_moments(normal, 1, {.max_evaluations = 10}); }),
              HasSubstr("max_evaluations is 10; two refinements need 128"));
  EXPECT_THAT(message_of([&] { quadrature_moments([](auto) { return NAN; }, 1); }),
              HasSubstr("log_density is nan at [-8]"));
  EXPECT_THAT(message_of([&] { quadrature_moments([](auto) { return -INFINITY; }, 1); }),
              HasSubstr("zero everywhere within 8 scales"));
  EXPECT_THAT(message_of([&] { quadrature_moments([](auto) { return 0.0; }, 2); }),
              HasSubstr("does not fall below exp(-60) of its mode"));
  // a jump inside the box: each doubling only halves the error
  EXPECT_THAT(message_of([&] {
                quadrature_moments([](auto x) { return x[0] > 0.3 ? -x[0] : -INFINITY; }, 1,
                                   {.max_evaluations = 1 << 14});
              }),
              HasSubstr("did not converge"));
  EXPECT_THAT(message_of([&] {
                quadrature_expectation([](auto x) { return x[0] > 0.3 ? 1.0 : 0.0; }, normal, 1,
                                       {.max_evaluations = 1 << 14});
              }),
              HasSubstr("the expectation still changes"));
}

// E z^(2k) = (2k - 1)!!, exact up to degree 2n - 1. A rounding of a node is magnified by the degree in its power: 40 x
// 2e-16, and the sum is of positive terms for even degrees.
TEST(GaussHermite, IntegratesPolynomialsExactly) {
  for (int order : {1, 2, 5, 20}) {
    const QuadratureRule rule = gauss_hermite(order);
    double factorial = 1;
    for (int degree = 0; degree <= 2 * order - 1; ++degree) {
      double moment = 0;
      for (long i = 0; i < order; ++i) moment += rule.weights[i] * std::pow(rule.nodes(i, 0), degree);
      if (degree % 2 == 0) {
        if (degree > 0) factorial *= degree - 1;
        EXPECT_NEAR(moment / factorial, 1, 1e-12) << "order " << order << " degree " << degree;
      } else {
        EXPECT_NEAR(moment / factorial, 0, 1e-12) << "order " << order << " degree " << degree;
      }
    }
  }
}

TEST(GaussHermite, ReachesItsLargestOrder) {
  const QuadratureRule rule = gauss_hermite(200);
  double total = 0, cosine = 0;
  for (long i = 0; i < 200; ++i) {
    total += rule.weights[i];
    cosine += rule.weights[i] * std::cos(3 * rule.nodes(i, 0));
  }
  EXPECT_NEAR(total, 1, 1e-13);
  EXPECT_NEAR(cosine, std::exp(-4.5), 1e-13);  // the characteristic function at 3
}

TEST(GaussHermite, IsATensorRule) {
  const QuadratureRule rule = gauss_hermite(7, 3);
  ASSERT_EQ(rule.nodes.extents(), (Extents<2>{343, 3}));
  double total = 0, mixed = 0, odd = 0;
  for (long i = 0; i < 343; ++i) {
    total += rule.weights[i];
    mixed +=
        rule.weights[i] * std::pow(rule.nodes(i, 0), 2) * std::pow(rule.nodes(i, 1), 4) * std::pow(rule.nodes(i, 2), 6);
    odd += rule.weights[i] * rule.nodes(i, 0) * rule.nodes(i, 1);
  }
  EXPECT_NEAR(total, 1, 1e-14);
  EXPECT_NEAR(mixed, 1 * 3 * 15, 1e-11);
  EXPECT_NEAR(odd, 0, 1e-14);
}

// Three nodes by hand: 0 and +-sqrt(3/5) with weights 8/9 and 5/9.
TEST(GaussLegendre, EqualsTheRuleWorkedByHand) {
  const QuadratureRule rule = gauss_legendre(3);
  EXPECT_NEAR(rule.nodes(0, 0), -std::sqrt(0.6), 1e-15);
  EXPECT_EQ(rule.nodes(1, 0), 0);
  EXPECT_NEAR(rule.weights[0], 5.0 / 9, 1e-15);
  EXPECT_NEAR(rule.weights[1], 8.0 / 9, 1e-15);
  const QuadratureRule fine = gauss_legendre(64);
  double integral = 0;
  for (long i = 0; i < 64; ++i) integral += fine.weights[i] * std::exp(fine.nodes(i, 0));
  EXPECT_NEAR(integral, std::exp(1.0) - std::exp(-1.0), 1e-14);
}

TEST(GaussRules, RefuseWhatTheyCannotDo) {
  EXPECT_THAT(message_of([] { gauss_hermite(0); }), HasSubstr("order is 0; a Gauss rule has 1 .. 200 nodes"));
  EXPECT_THAT(message_of([] { gauss_hermite(4, 4); }), HasSubstr("dimension is 4"));
  EXPECT_THAT(message_of([] { gauss_legendre(201); }), HasSubstr("order is 201"));
}

}  // namespace
}  // namespace vida
