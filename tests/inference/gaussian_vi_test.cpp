#include <gmock/gmock.h>

#include <cmath>

#include "backends.hpp"
#include "golden.hpp"
#include "messages.hpp"
#include "near.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

/// Observations and the exact optima of both families (quadrature in 60 digits' worth of panels, 5 to 6 digits kept).
struct Known {
  const char* name;
  double y[5];
  double mean_field_elbo, full_elbo;
  double mean[2], covariance[3];  // of the full family: 11, 12, 22
};
constexpr Known kKnown[] = {
    {"reference",
     {.1615, .1868, .3949, .3728, .4177},
     3.673579,
     4.392499,
     {-.55710, .77165},
     {.05352, -.07590, .13449}},
    {"low", {-.0072, .0427, .0505, .0638, .0729}, 8.737777, 9.271546, {-.39480, -1.70021}, {.87950, -.24096, .11356}},
    {"high", {.20, .40, .60, .75, .85}, 4.129203, 4.466250, {1.67606, .79140}, {.11956, -.03457, .02054}},
    {"literature", {.18, .32, .42, .49, .54}, 7.941332, 8.592729, {-.09056, .96442}, {.02826, -.04827, .11029}}};

Matrix known_observations() {
  Matrix y({4, 5});
  for (long i = 0; i < 4; ++i)
    for (long t = 0; t < 5; ++t) y(i, t) = kKnown[i].y[t];
  return y;
}

class GaussianVi : public OnEveryBackend {
 protected:
  /// Beside the shim, sanitizers watch: fewer steps then.
  bool is_short() const { return kOnShim; }
};
VIDA_ON_EVERY_BACKEND(GaussianVi);

TEST_P(GaussianVi, LossAndGradientMatchTheGoldenFile) {
  const Golden golden("flow_d2.nc");
  const GaussianLoss loss = gaussian_loss(device(), *oxygen_demand(), std::vector(kKnown[0].y, kKnown[0].y + 5),
                                          golden.vector("gauss_mean"), golden.matrix("gauss_chol"), golden.matrix("z"));
  // the golden loss leaves out the entropy's constant
  EXPECT_LE(relative_error(loss.value + 1 + std::log(2 * M_PI), golden.scalar("gauss_loss")), 1e-10);
  EXPECT_LE(relative_error(loss.mean_gradient, golden.vector("gauss_grad_mean")), 1e-10);
  EXPECT_LE(relative_error(loss.factor_gradient, golden.matrix("gauss_grad_chol")), 1e-10);
}

TEST_P(GaussianVi, FindsTheBestGaussianForEveryObservation) {
  if (is_short()) GTEST_SKIP() << "4,000 steps: on the CPU and on a GPU";
  const auto target = oxygen_demand();
  const auto full = fit_gaussian(device(), *target, known_observations());
  const auto mean_field = fit_gaussian(device(), *target, known_observations(), {.family = GaussianFamily::mean_field});
  for (std::size_t i = 0; i < 4; ++i) {
    const Known& known = kKnown[i];
    EXPECT_NEAR(full[i].elbo, known.full_elbo, 1e-4) << known.name;
    EXPECT_NEAR(mean_field[i].elbo, known.mean_field_elbo, 1e-4) << known.name;
    const Matrix covariance = vida::covariance(full[i]);
    for (long k = 0; k < 2; ++k) EXPECT_NEAR(full[i].mean[k], known.mean[k], 1e-4) << known.name;
    EXPECT_NEAR(covariance(0, 0), known.covariance[0], 5e-4) << known.name;
    EXPECT_NEAR(covariance(0, 1), known.covariance[1], 5e-4) << known.name;
    EXPECT_NEAR(covariance(1, 1), known.covariance[2], 5e-4) << known.name;
    EXPECT_EQ(mean_field[i].factor(1, 0), 0);
    EXPECT_EQ(full[i].flagged_at, -1);
  }
}

TEST_P(GaussianVi, MonteCarloStepsReachItToo) {
  if (is_short()) GTEST_SKIP() << "4,000 steps: on the CPU and on a GPU";
  const auto target = oxygen_demand();
  const auto fits =
      fit_gaussian(device(), *target, known_observations(), {.expectation = GaussianExpectation::monte_carlo});
  for (std::size_t i = 0; i < 4; ++i) {
    const Known& known = kKnown[i];
    for (long k = 0; k < 2; ++k) EXPECT_NEAR(fits[i].mean[k], known.mean[k], .01) << known.name;
    EXPECT_NEAR(fits[i].elbo, known.full_elbo, 4 * fits[i].elbo_error) << known.name;
    // the ELBO of the result, without the noise of its own draws
    const QuadratureRule rule = gauss_hermite(32, 2);
    double elbo = 1 + std::log(2 * M_PI) + std::log(fits[i].factor(0, 0) * fits[i].factor(1, 1));
    Matrix u({rule.weights.size(), 2});
    for (long s = 0; s < u.extent(0); ++s)
      for (long k = 0; k < 2; ++k) {
        u(s, k) = fits[i].mean[k];
        for (long c = 0; c <= k; ++c) u(s, k) += fits[i].factor(k, c) * rule.nodes(s, c);
      }
    const auto values = log_density(device(), *target, u, known.y);
    for (long s = 0; s < u.extent(0); ++s) elbo += rule.weights[s] * values[static_cast<std::size_t>(s)];
    EXPECT_NEAR(elbo, known.full_elbo, 1e-3) << known.name;
  }
}

TEST_P(GaussianVi, IsExactForALinearGaussianProblem) {
  const long d = is_short() ? 3 : 62, p = d + 2;
  Matrix A({p, d}), y({2, p});
  for (long i = 0; i < A.size(); ++i)
    A.data()[i] = std::sin(1.3 * static_cast<double>(i * i)) / std::sqrt(static_cast<double>(d));
  for (long i = 0; i < y.size(); ++i) y.data()[i] = std::cos(3.1 * static_cast<double>(i));
  GaussianViOptions options{.expectation = d > 3 ? GaussianExpectation::monte_carlo : GaussianExpectation::quadrature,
                            .nodes = 2,
                            .draws = 128,
                            .steps = is_short() ? 600 : 3000};
  options.step = is_short() ? 0.1 : 0.02;
  const auto fits = fit_gaussian(device(), *linear_gaussian(A, 0.5), y, options);
  for (long i = 0; i < 2; ++i) {
    const auto truth = linear_gaussian_posterior(A, 0.5, {&y(i, 0), static_cast<std::size_t>(p)});
    const GaussianFit& fit = fits[static_cast<std::size_t>(i)];
    // at the exact posterior log pi~ - log q is constant: the draws leave no noise in the optimum
    EXPECT_LE(relative_error(fit.mean, truth.mean), 0.02);
    EXPECT_LE(relative_error(covariance(fit), truth.covariance), 0.05);
    EXPECT_LE(fit.elbo, truth.log_evidence + 4 * fit.elbo_error + 1e-9) << "the ELBO is a lower bound";
  }
}

TEST_P(GaussianVi, OfAProblemDoesNotDependOnItsBatch) {
  const auto target = oxygen_demand();
  const Matrix y = simulate(Device::cpu(1), *target, 37, 3).y;
  for (const auto precision : {Precision::float32, Precision::float64}) {
    const GaussianViOptions options{.expectation = GaussianExpectation::monte_carlo,
                                    .precision = precision,
                                    .draws = 20,
                                    .steps = is_short() ? 5 : 60};
    const auto all = fit_gaussian(device(2), *target, y, options);
    for (const long i : {0L, 17L, 36L}) {
      Matrix one({1, 5});
      std::copy_n(&y(i, 0), 5, one.begin());
      const auto alone = fit_gaussian(device(1), *target, one, options).front();
      const GaussianFit& fit = all[static_cast<std::size_t>(i)];
      EXPECT_EQ(alone.mean, fit.mean);
      EXPECT_EQ(alone.factor, fit.factor);
      EXPECT_EQ(alone.elbo, fit.elbo);
    }
  }
}

TEST_P(GaussianVi, AProblemThatFailsStopsAtItsLastGoodParameters) {
  // a cliff: beyond u = 0.5 the density of the second problem is not a number
  const auto target = user_target("cliff", 1, 1, [](auto u, auto y, auto gradient) {
    gradient[0] = y[0] > 0 && u[0] > 3 ? NAN : 2 - u[0];
    return y[0] > 0 && u[0] > 3 ? NAN : -0.5 * (u[0] - 2) * (u[0] - 2);
  });
  Matrix y({2, 1});
  y(0, 0) = -1, y(1, 0) = 1;
  const GaussianViOptions options{.nodes = 5, .steps = 200, .keep_losses = true};
  const auto fits = fit_gaussian(device(), *target, y, options);
  EXPECT_EQ(fits[0].flagged_at, -1);
  EXPECT_NEAR(fits[0].mean[0], 2, 1e-3);
  EXPECT_NEAR(fits[0].factor(0, 0), 1, 1e-3);
  ASSERT_GE(fits[1].flagged_at, 1);
  EXPECT_TRUE(std::isfinite(fits[1].elbo)) << "the result is where the loss was last finite";
  EXPECT_TRUE(std::isfinite(fits[1].losses[static_cast<std::size_t>(fits[1].flagged_at) - 1]));
  EXPECT_FALSE(std::isfinite(fits[1].losses[static_cast<std::size_t>(fits[1].flagged_at)]));
}

TEST(GaussianViProgress, CountsUpAndCanStop) {
  std::vector<double> shares;
  const auto target = oxygen_demand();
  fit_gaussian(Device::cpu(1), *target, known_observations(), {.steps = 200}, [&](double share) {
    shares.push_back(share);
    return shares.size() < 2;
  });
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_LT(shares[0], shares[1]);
  EXPECT_LT(shares[1], 1);
}

TEST(GaussianViProgress, EndsAtOneOnAnyNumberOfThreads) {
  const auto target = oxygen_demand();
  const Matrix y = simulate(Device::cpu(1), *target, 50, 3).y;
  for (const int threads : {1, 2, 3}) {
    std::vector<double> shares{0};
    fit_gaussian(Device::cpu(threads), *target, y, {.nodes = 4, .steps = 130}, [&](double share) {
      EXPECT_GE(share, shares.back());
      shares.push_back(share);
      return true;
    });
    EXPECT_EQ(shares.back(), 1);
    EXPECT_LT(shares[shares.size() - 2], 1) << "said once";
  }
}

TEST(BadGaussianVi, IsRefusedWithAReason) {
  const auto target = oxygen_demand();
  const auto fit = [&](const Matrix& y, const GaussianViOptions& options) {
    return message_of<InvalidArgument>([&] { fit_gaussian(Device::cpu(1), *target, y, options); });
  };
  Matrix gap = known_observations();
  gap(2, 3) = NAN;
  EXPECT_THAT(fit(gap, {}), HasSubstr("observation 3 of problem 2 is nan"));
  EXPECT_THAT(fit(Matrix({4, 3}), {}),
              HasSubstr("observations have shape [4, 3]; target oxygen-demand needs [problem, 5]"));
  EXPECT_THAT(fit(known_observations(), {.steps = 0}), HasSubstr("steps is 0"));
  EXPECT_THAT(fit(known_observations(), {.step = -1}), HasSubstr("step is -1"));
  EXPECT_THAT(fit(known_observations(), {.nodes = 1}), HasSubstr("nodes is 1"));
  EXPECT_THAT(fit(known_observations(), {.expectation = GaussianExpectation::monte_carlo, .draws = 0}),
              HasSubstr("draws is 0"));
  EXPECT_THAT(message_of<InvalidArgument>([&] {
                fit_gaussian(Device::cpu(1), *linear_gaussian(Matrix({2, 5}, 1.0), 1), Matrix({1, 2}));
              }),
              HasSubstr("at most 3 dimensions, target linear-gaussian has 5"));
  Matrix singular = scaled_identity(2, 1.0);
  singular(1, 1) = 0;
  EXPECT_THAT(message_of<InvalidArgument>([&] {
                gaussian_loss(Device::cpu(1), *target, {&gap(0, 0), 5}, Vector({2}), singular, Matrix({1, 2}));
              }),
              HasSubstr("factor[1, 1] is 0: the covariance is singular"));
}

}  // namespace
}  // namespace vida
