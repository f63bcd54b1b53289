#include "vida/diagnostics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "inference/diagnostics/incomplete_gamma.hpp"
#include "messages.hpp"
#include "near.hpp"
#include "vida/random.hpp"

namespace vida {
namespace {

using ::testing::HasSubstr;
using testing::relative_error;
using vida::testing::message_of;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Log weights u^-k at u = frac(i / golden ratio): as evenly spread as draws can be, the same in any language.
std::vector<double> pareto_log_weights(int draws, double k) {
  std::vector<double> values(draws);
  for (int i = 0; i < draws; ++i) values[i] = -k * std::log(std::fmod((i + 1) * 0.6180339887498949, 1.0));
  return values;
}

double largest(const ParetoSmoothed& result) {
  return *std::max_element(result.log_weights.begin(), result.log_weights.end());
}

/// Found by arviz 0.21.0, psislw(log_weights), an independent implementation, for the log weights above.
struct SmoothingCase {
  int draws;
  double k, k_hat;
  double largest, first;  // smoothed log weights: the largest, and the one of draw 0
  double effective_draws;
  long tail;
};

class Smoothing : public ::testing::TestWithParam<SmoothingCase> {};

// The two programs differ in rounding only. k-hat comes from sums of M <= 949 logarithms near 1 that are then
// differenced; 1e-10 leaves room for a condition of 1e5.
TEST_P(Smoothing, EqualsAnIndependentImplementation) {
  const SmoothingCase& expected = GetParam();
  const ParetoSmoothed found = pareto_smoothed(pareto_log_weights(expected.draws, expected.k));
  EXPECT_NEAR(found.k_hat, expected.k_hat, 1e-10);
  EXPECT_NEAR(largest(found), expected.largest, 1e-10);
  EXPECT_NEAR(found.log_weights[0], expected.first, 1e-10);
  EXPECT_LE(relative_error(effective_sample_size(found.log_weights), expected.effective_draws), 1e-9);
  EXPECT_EQ(found.tail, expected.tail);
}

INSTANTIATE_TEST_SUITE_P(
    Arviz, Smoothing,
    ::testing::Values(
        SmoothingCase{25, 0.3, 0.527025920755814, -2.5051702334038035, -3.3713515185110836, 23.15060861567948, 5},
        SmoothingCase{25, 1.2, 0.7138492421075082, -1.2906399940345978, -4.154236351206441, 8.65308917227886, 5},
        SmoothingCase{1000, -0.5, -0.8367251072985241, -6.502758900103467, -6.743138209365126, 888.9695888769376, 95},
        SmoothingCase{1000, 0.3, 0.29672634063255093, -5.096686446265325, -7.117776111509369, 842.1239056754237, 95},
        SmoothingCase{1000, 0.7, 0.6364921845962482, -2.956815883828451, -7.672691769397886, 164.05467930318932, 95},
        SmoothingCase{1000, 1.2, 1.0623846928590976, -1.226890461088418, -9.20087022179304, 9.809006301267615, 95},
        SmoothingCase{100000, 0.7, 0.6883950462442532, -4.2743876252958595, -12.35874585547683, 2457.0309153496237,
                      949},
        SmoothingCase{100000, 1.2, 1.1790775953909347, -1.1861612997797293, -15.045061122947107, 9.314867084859324,
                      949}));

// Every third weight zero, and weights rounded to a grid so that many are equal: by the same program.
TEST(ParetoSmoothing, TakesZeroAndEqualWeights) {
  auto values = pareto_log_weights(1000, 0.7);
  for (std::size_t i = 0; i < values.size(); i += 3) values[i] = -kInfinity;
  const ParetoSmoothed zeros = pareto_smoothed(values);
  EXPECT_NEAR(zeros.k_hat, 0.6022472278917311, 1e-10);
  EXPECT_NEAR(largest(zeros), -3.1784005995515616, 1e-10);
  EXPECT_EQ(zeros.log_weights[0], -kInfinity);

  values = pareto_log_weights(1000, 0.7);
  for (double& value : values) value = std::floor(20 * value) / 20;
  const ParetoSmoothed equal = pareto_smoothed(values);
  EXPECT_NEAR(equal.k_hat, 0.6013525659545063, 1e-10);
  EXPECT_NEAR(largest(equal), -2.9815185801459565, 1e-10);
}

// A law with tail k known exactly: u^-k has shape k; u^(1/2) ends at 1 where its density does not vanish, which is the
// uniform law's shape, -1. 949 random tail draws would know it to (1 + k) / sqrt 949 < 0.07; these are more even.
TEST(ParetoSmoothing, FindsTheTailOfAKnownLaw) {
  for (double k : {0.1, 0.3, 0.5, 0.7, 1.2}) EXPECT_NEAR(pareto_smoothed(pareto_log_weights(100000, k)).k_hat, k, 0.05);
  EXPECT_NEAR(pareto_smoothed(pareto_log_weights(100000, -0.5)).k_hat, -1, 0.05);
}

// Halving the variance of a Gaussian makes weights with P(w > t) ~ 1 / t^2, so k = 1/2. Three deviations of 0.05.
TEST(ParetoSmoothing, FindsTheTailOfANarrowGaussian) {
  std::vector<double> values(100000);
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    const double x = std::sqrt(0.5) * standard_normal({.seed = 5}, i);
    values[i] = 0.5 * x * x;
  }
  EXPECT_NEAR(pareto_smoothed(values).k_hat, 0.5, 0.15);
}

TEST(ParetoSmoothing, FollowsAPermutationOfTheDraws) {
  const auto values = pareto_log_weights(1000, 0.7);
  std::vector<double> reversed(values.rbegin(), values.rend());
  const ParetoSmoothed one = pareto_smoothed(values), other = pareto_smoothed(reversed);
  EXPECT_EQ(one.k_hat, other.k_hat);  // the tail is sorted before anything is summed
  for (long i = 0; i < 1000; ++i) EXPECT_NEAR(one.log_weights[i], other.log_weights[999 - i], 1e-12);
}

// The shift costs the log weights their last digits: 1e3 x 1e-16.
TEST(ParetoSmoothing, ForgetsTheScaleOfTheWeights) {
  const auto values = pareto_log_weights(1000, 0.7);
  for (double shift : {-1000.0, 1000.0}) {
    auto shifted = values;
    for (double& value : shifted) value += shift;
    EXPECT_NEAR(pareto_smoothed(shifted).k_hat, pareto_smoothed(values).k_hat, 1e-10);
    EXPECT_LE(relative_error(pareto_smoothed(shifted).log_weights, pareto_smoothed(values).log_weights), 1e-12);
    EXPECT_LE(relative_error(effective_sample_size(shifted), effective_sample_size(values)), 1e-11);
    EXPECT_NEAR(log_evidence(shifted).value, log_evidence(values).value + shift, 1e-11);
  }
}

TEST(ParetoSmoothing, SumsToOneAndStaysBelowTheLargestRawWeight) {
  for (double k : {0.3, 1.2, 3.0}) {
    const auto values = pareto_log_weights(1000, k);
    const ParetoSmoothed found = pareto_smoothed(values);
    double sum = 0;
    for (double value : found.log_weights) sum += std::exp(value);
    EXPECT_NEAR(sum, 1, 1e-13);
    // draw 0 is not in the tail: its weight tells the normalisation
    const double highest = *std::max_element(values.begin(), values.end()) - values[0] + found.log_weights[0];
    EXPECT_LE(largest(found), highest + 1e-12);
  }
}

TEST(ParetoSmoothing, SaysWhenThereIsNoTail) {
  const ParetoSmoothed equal = pareto_smoothed(std::vector<double>(100, 3.0));
  EXPECT_EQ(equal.k_hat, -kInfinity);
  EXPECT_NEAR(equal.log_weights[7], -std::log(100.0), 1e-13);
  std::vector<double> few(100, -kInfinity);
  few[3] = few[5] = 1;
  EXPECT_EQ(pareto_smoothed(few).k_hat, kInfinity);
  EXPECT_NEAR(pareto_smoothed(few).log_weights[5], -std::log(2.0), 1e-13);
}

TEST(ParetoSmoothing, SaysWhatIsWrong) {
  EXPECT_THAT(message_of([] { pareto_smoothed(std::vector<double>(24, 0.0)); }),
              HasSubstr("log_weights holds 24 draws; at least 25 are needed"));
  std::vector<double> values(30, 0.0);
  values[4] = NAN;
  EXPECT_THAT(message_of([&] { pareto_smoothed(values); }),
              HasSubstr("log_weights[4] is nan; it must be finite, or -inf"));
  values[4] = kInfinity;
  EXPECT_THAT(message_of([&] { effective_sample_size(values); }), HasSubstr("log_weights[4] is inf"));
  EXPECT_THAT(message_of([] { log_evidence(std::vector<double>(30, -kInfinity)); }),
              HasSubstr("all 30 are -inf; no draw lies in the support"));
}

TEST(Importance, EqualsTheNumbersWorkedByHand) {
  const std::vector<double> log_weights{std::log(1.0), std::log(3.0)};
  EXPECT_NEAR(effective_sample_size(log_weights), 1.6, 1e-14);
  EXPECT_NEAR(log_evidence(log_weights).value, std::log(2.0), 1e-15);
  EXPECT_NEAR(log_evidence(log_weights).standard_error, 0.5, 1e-15);
  EXPECT_NEAR(evidence_lower_bound(log_weights).value, std::log(3.0) / 2, 1e-15);
  EXPECT_NEAR(evidence_lower_bound(log_weights).standard_error, std::log(3.0) / 2, 1e-15);
  const Estimate mean = importance_expectation(log_weights, std::vector<double>{0, 4});
  EXPECT_NEAR(mean.value, 3, 1e-14);
  EXPECT_NEAR(mean.standard_error, std::sqrt(18.0 / 16), 1e-14);
  Matrix draws({2, 2});
  draws(0, 0) = 1, draws(1, 0) = 5, draws(1, 1) = -2;
  const ImportanceMoments moments = importance_moments(log_weights, draws);
  EXPECT_NEAR(moments.mean[0], 4, 1e-14);
  EXPECT_NEAR(moments.mean[1], -1.5, 1e-14);
  EXPECT_NEAR(moments.covariance(0, 0), 3, 1e-14);
  EXPECT_NEAR(moments.covariance(0, 1), -1.5, 1e-14);
  EXPECT_EQ(moments.covariance(0, 1), moments.covariance(1, 0));
}

TEST(Importance, IgnoresDrawsOfWeightZero) {
  const std::vector<double> log_weights{0, -kInfinity, 0};
  EXPECT_NEAR(effective_sample_size(log_weights), 2, 1e-14);
  EXPECT_NEAR(importance_expectation(log_weights, std::vector<double>{1, NAN, 3}).value, 2, 1e-14);
  Matrix draws({3, 1});
  draws(0, 0) = 1, draws(1, 0) = kInfinity, draws(2, 0) = 3;
  EXPECT_NEAR(importance_moments(log_weights, draws).covariance(0, 0), 1, 1e-14);
  EXPECT_EQ(evidence_lower_bound(log_weights).value, -kInfinity);
  EXPECT_EQ(evidence_lower_bound(log_weights).standard_error, kInfinity);
}

// Target e^2.5 N(0, I_2), proposal N(0, s^2 I_2), s = 1.5. Weights are bounded, E w = e^2.5, (E w)^2 / E w^2 =
// (2 s^2 - 1) / s^4, E log w = 2.5 - (s^2 - 1 - log s^2). Four standard errors for 1e5 draws.
TEST(Importance, KnowsAGaussianByAWiderOne) {
  constexpr int kDraws = 100000;
  const double s = 1.5, ratio = (2 * s * s - 1) / (s * s * s * s);
  std::vector<double> log_weights(kDraws), squares(kDraws);
  Matrix draws({kDraws, 2});
  for (int i = 0; i < kDraws; ++i) {
    const auto index = static_cast<std::uint32_t>(2 * i);
    draws(i, 0) = s * standard_normal({.seed = 3}, index);
    draws(i, 1) = s * standard_normal({.seed = 3}, index + 1);
    squares[i] = draws(i, 0) * draws(i, 0) + draws(i, 1) * draws(i, 1);
    log_weights[i] = 2.5 + 2 * std::log(s) - 0.5 * squares[i] * (1 - 1 / (s * s));
  }
  const ImportanceReport report = importance_report(log_weights, draws);
  EXPECT_NEAR(report.log_evidence.value, 2.5, 4 * report.log_evidence.standard_error);
  EXPECT_LE(relative_error(report.log_evidence.standard_error, std::sqrt((1 / ratio - 1) / kDraws)), 0.02);
  EXPECT_NEAR(report.elbo.value, 2.5 - (s * s - 1 - std::log(s * s)), 4 * report.elbo.standard_error);
  EXPECT_LE(relative_error(effective_sample_size(log_weights) / kDraws, ratio), 0.01);
  EXPECT_LE(relative_error(report.effective_draws / kDraws, ratio), 0.01);
  EXPECT_LT(report.k_hat, 0);
  // the error of a mean is 1 / sqrt(effective draws) = 0.004 here, that of a variance sqrt 2 more
  for (int a = 0; a < 2; ++a) {
    EXPECT_NEAR(report.moments.mean[a], 0, 0.016);
    for (int b = 0; b < 2; ++b) EXPECT_NEAR(report.moments.covariance(a, b), a == b ? 1 : 0, 0.023);
  }
  const Estimate square = importance_expectation(log_weights, squares);
  EXPECT_NEAR(square.value, 2, 4 * square.standard_error);
  // E_q w^2 (f - 2)^2 / S: by moments of chi-square(2), f / v with v = s^2 / (2 s^2 - 1) under w^2 q
  const double v = s * s / (2 * s * s - 1);
  EXPECT_LE(relative_error(square.standard_error, std::sqrt((8 * v * v - 8 * v + 4) / ratio / kDraws)), 0.02);
}

TEST(Importance, SaysWhatIsWrong) {
  const std::vector<double> log_weights(30, 0.0);
  EXPECT_THAT(message_of([&] { importance_expectation(log_weights, std::vector<double>(3)); }),
              HasSubstr("values holds 3 numbers, log_weights 30"));
  EXPECT_THAT(message_of([&] {
                importance_report(log_weights, Matrix({29, 2}));
              }),
              HasSubstr("draws has shape [29, 2], expected [30, d]"));
  EXPECT_THAT(message_of([] { evidence_lower_bound(std::vector<double>{1}); }), HasSubstr("holds 1 draw; at least 2"));
}

/// Ranks of u ~ N(0, 1) in draws of the posterior of u given y = u + N(0, 1), N(y / 2, 1 / 2), whose deviation is
/// multiplied by `width`. Two parameters that are the same problem with other draws.
Array<long, 2> gaussian_ranks(double width) {
  constexpr int kReplications = 1000, kDraws = 99;
  Matrix truth({kReplications, 2});
  Array<double, 3> draws({kReplications, kDraws, 2});
  for (std::uint32_t r = 0; r < kReplications; ++r)
    for (std::uint32_t p = 0; p < 2; ++p) {
      truth(r, p) = standard_normal({.seed = 11, .problem = r}, p);
      const double y =
          truth(r, p) + standard_normal({.seed = 11, .stream = Stream::observation_noise, .problem = r}, p);
      for (std::uint32_t i = 0; i < kDraws; ++i)
        draws(r, i, p) = y / 2 + width * std::sqrt(0.5) *
                                     standard_normal({.seed = 11, .stream = Stream::filter, .problem = r}, 2 * i + p);
    }
  return calibration_ranks(truth, draws);
}

// With the exact posterior p is uniform: below 0.001 once in a thousand seeds. Coverage: four binomial errors.
TEST(Calibration, PassesAnExactPosterior) {
  const auto ranks = gaussian_ranks(1);
  const UniformityTest test = rank_uniformity(ranks, 99);
  const Coverage coverage = central_coverage(ranks, 99, 0.9);
  EXPECT_DOUBLE_EQ(coverage.nominal, 0.9);
  EXPECT_DOUBLE_EQ(coverage.standard_error, std::sqrt(0.9 * 0.1 / 1000));
  for (int p = 0; p < 2; ++p) {
    EXPECT_GT(test.p_value[p], 0.001);
    EXPECT_NEAR(coverage.observed[p], 0.9, 4 * coverage.standard_error);
  }
}

// Deviations of 0.7 of the truth: the 90 % interval holds it with probability P(|z| < 0.7 x 1.645) = 0.7505, and the
// ranks pile up at both ends. Four errors sqrt(.75 .25 / 1000), and the quantiles of 99 draws, 0.01.
TEST(Calibration, CatchesANarrowPosterior) {
  const auto ranks = gaussian_ranks(0.7);
  const UniformityTest test = rank_uniformity(ranks, 99);
  const Coverage coverage = central_coverage(ranks, 99, 0.9);
  for (int p = 0; p < 2; ++p) {
    EXPECT_LT(test.p_value[p], 1e-9);
    EXPECT_NEAR(coverage.observed[p], 0.7505, 0.065);
  }
}

TEST(Calibration, EqualsTheNumbersWorkedByHand) {
  Matrix truth({1, 2});
  truth(0, 0) = 0.5, truth(0, 1) = 2;
  Array<double, 3> draws({1, 3, 2});
  draws(0, 0, 0) = 0, draws(0, 1, 0) = 1, draws(0, 2, 0) = 0.4;
  draws(0, 0, 1) = 3, draws(0, 1, 1) = 2, draws(0, 2, 1) = 4;
  const auto ranks = calibration_ranks(truth, draws);
  EXPECT_EQ(ranks(0, 0), 2);
  EXPECT_EQ(ranks(0, 1), 0);  // equal is not below

  // Ranks 0 .. 4 in two bins hold three and two values: of 20, 12 and 8 are expected. Found 10 and 10.
  Array<long, 2> many({20, 1});
  for (long r = 0; r < 20; ++r) many(r, 0) = r < 10 ? r % 3 : 3 + r % 2;
  const UniformityTest test = rank_uniformity(many, 4, 2);
  EXPECT_NEAR(test.statistic[0], 4.0 / 12 + 4.0 / 8, 1e-13);
  EXPECT_NEAR(test.p_value[0], std::erfc(std::sqrt(test.statistic[0] / 2)), 1e-13);  // one degree of freedom
  const Coverage coverage = central_coverage(many, 4, 0.6);                          // ranks 1, 2, 3
  EXPECT_NEAR(coverage.nominal, 0.6, 1e-15);
  EXPECT_NEAR(coverage.observed[0], 11.0 / 20, 1e-13);
}

TEST(Calibration, SaysWhatIsWrong) {
  Array<long, 2> ranks({30, 1});
  EXPECT_THAT(message_of([&] { rank_uniformity(ranks, 99); }), HasSubstr("leaves 1.5 of 30 replications to a bin"));
  EXPECT_THAT(message_of([&] { rank_uniformity(ranks, 9, 11); }), HasSubstr("9 draws give 10 ranks, so 2 .. 10 bins"));
  EXPECT_THAT(message_of([&] { central_coverage(ranks, 9, 1.0); }), HasSubstr("level is 1;"));
  ranks(4, 0) = 10;
  EXPECT_THAT(message_of([&] { rank_uniformity(ranks, 9, 2); }), HasSubstr("ranks[4, 0] is 10; ranks among 9 draws"));
  EXPECT_THAT(message_of([&] { central_coverage(Array<long, 2>(), 9, 0.5); }), HasSubstr("at least one replication"));
  EXPECT_THAT(message_of([] {
                calibration_ranks(Matrix({3, 2}), Array<double, 3>({3, 9, 1}));
              }),
              HasSubstr("draws has shape [3, 9, 1], expected [3, draw, 2]"));
  EXPECT_THAT(message_of([] {
                calibration_ranks(Matrix({3, 1}, NAN), Array<double, 3>({3, 9, 1}));
              }),
              HasSubstr("truth holds nan at position 0"));
}

// By scipy.special.gammaincc (SciPy 1.17.1), on both sides of the switch between series and fraction.
TEST(IncompleteGamma, EqualsAnIndependentImplementation) {
  EXPECT_LE(relative_error(upper_incomplete_gamma(2.5, 5), 0.07523524614651217), 1e-13);
  EXPECT_LE(relative_error(upper_incomplete_gamma(0.5, 0.001), 0.9643294082703201), 1e-13);
  EXPECT_LE(relative_error(upper_incomplete_gamma(9.5, 9.5), 0.45683612559196224), 1e-13);
  EXPECT_LE(relative_error(upper_incomplete_gamma(9.5, 30), 3.869826300664181e-06), 1e-13);
  EXPECT_LE(relative_error(upper_incomplete_gamma(0.5, 30), 9.485737571073857e-15), 1e-13);
  EXPECT_LE(relative_error(upper_incomplete_gamma(100, 90), 0.84177901081357), 1e-12);
  EXPECT_EQ(upper_incomplete_gamma(3, 0), 1);
}

}  // namespace
}  // namespace vida
