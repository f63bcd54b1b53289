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

const std::vector<double> kReference{.1615, .1868, .3949, .3728, .4177};

class Targets : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Targets);

Matrix points(long count, long d, double scale) {
  Matrix u({count, d});
  for (long i = 0; i < u.size(); ++i) u.data()[i] = scale * std::sin(1.7 * static_cast<double>(i) + 0.3);
  return u;
}

Matrix scattered(long rows, long columns) {
  Matrix A({rows, columns});
  for (long i = 0; i < A.size(); ++i) A.data()[i] = std::sin(12.9898 * static_cast<double>(i + 1));
  return A;
}

TEST_P(Targets, OxygenDemandMatchesTheGoldenFile) {
  const Golden golden("flow_d2.nc");
  EXPECT_LE(relative_error(log_density(device(), *oxygen_demand(), golden.matrix("z"), kReference),
                           golden.vector("bod_log_target")),
            1e-12);
}

/// The gradient that the loss of a narrow Gaussian sees: with one point z = 0 it is that of -log pi~ at the mean.
std::vector<double> gradient_at(const Device& device, const Target& target, const std::vector<double>& y,
                                const Vector& u) {
  const long d = u.size();
  const GaussianLoss loss = gaussian_loss(device, target, y, u, scaled_identity(d, 1.0), Matrix({1, d}));
  std::vector<double> gradient;
  for (const double value : loss.mean_gradient) gradient.push_back(-value);
  return gradient;
}

TEST_P(Targets, GradientsAgreeWithCentralDifferences) {
  struct Case {
    std::shared_ptr<const Target> target;
    std::vector<double> y;
  };
  for (const Case& its : {Case{oxygen_demand(), kReference}, Case{linear_gaussian(scattered(3, 2), 0.4), {.3, -1., .7}},
                          Case{banana(0.7, 1.3), {}}, Case{two_moons(), {}}}) {
    for (long i = 0; i < 20; ++i) {
      const Matrix all = points(20, 2, 1.8);
      Vector u({2});
      u[0] = all(i, 0), u[1] = all(i, 1);
      const auto gradient = gradient_at(device(), *its.target, its.y, u);
      for (long k = 0; k < 2; ++k) {
        const double h = 1e-5;
        Matrix around({2, 2});
        for (long c = 0; c < 2; ++c) around(0, c) = around(1, c) = u[c];
        around(0, k) += h, around(1, k) -= h;
        const auto values = log_density(device(), *its.target, around, its.y);
        // truncation of order h^2 f''', cancellation of order 1e-16 |f| / h; f reaches a few thousand
        EXPECT_NEAR(gradient[static_cast<std::size_t>(k)], (values[0] - values[1]) / (2 * h),
                    1e-5 * (1 + std::abs(gradient[static_cast<std::size_t>(k)])))
            << its.target->name() << " at point " << i << ", component " << k;
      }
    }
  }
}

/// log N(u; mean, C) by a Cholesky factor.
double log_normal(const double* u, const Vector& mean, Matrix C) {
  const long d = mean.size();
  double value = 0;
  std::vector<double> z(static_cast<std::size_t>(d));
  for (long i = 0; i < d; ++i) {
    for (long j = 0; j <= i; ++j) {
      for (long k = 0; k < j; ++k) C(i, j) -= C(i, k) * C(j, k);
      C(i, j) = i == j ? std::sqrt(C(i, i)) : C(i, j) / C(j, j);
    }
    double rest = u[i] - mean[i];
    for (long k = 0; k < i; ++k) rest -= C(i, k) * z[static_cast<std::size_t>(k)];
    z[static_cast<std::size_t>(i)] = rest / C(i, i);
    value -= std::log(C(i, i)) + 0.5 * (std::log(2 * M_PI) + std::pow(rest / C(i, i), 2));
  }
  return value;
}

TEST_P(Targets, LinearGaussianIsItsEvidenceTimesItsPosteriorInAnyDimension) {
  for (const auto& [p, d] : {std::pair{2L, 64L}, {64L, 64L}, {64L, 3L}, {1L, 1L}}) {
    const Matrix A = scattered(p, d), u = points(2, d, 0.7);
    std::vector<double> y;
    for (long i = 0; i < p; ++i) y.push_back(std::cos(2.3 * static_cast<double>(i)));
    const auto truth = linear_gaussian_posterior(A, 0.3, y);
    const auto values = log_density(device(), *linear_gaussian(A, 0.3), u, y);
    for (long i = 0; i < 2; ++i) {
      const double expected = truth.log_evidence + log_normal(&u(i, 0), truth.mean, truth.covariance);
      EXPECT_LE(std::abs(values[static_cast<std::size_t>(i)] - expected), 1e-9 * std::abs(expected)) << p << " " << d;
    }
  }
}

TEST_P(Targets, LinearGaussianHasItsExactPosterior) {
  const Matrix A = scattered(4, 2);
  const std::vector<double> y{.2, -.4, 1.1, .6};
  const auto log_joint = [&](std::span<const double> u) {
    double sum = -2 * std::log(2 * M_PI * 0.3) - std::log(2 * M_PI);
    for (long i = 0; i < 4; ++i)
      sum -= std::pow(y[static_cast<std::size_t>(i)] - A(i, 0) * u[0] - A(i, 1) * u[1], 2) / 0.6;
    return sum - (u[0] * u[0] + u[1] * u[1]) / 2;
  };
  const auto truth = linear_gaussian_posterior(A, 0.3, y);
  const auto moments = quadrature_moments(log_joint, 2);
  EXPECT_NEAR(truth.log_evidence, moments.log_evidence, 1e-7);
  EXPECT_LE(relative_error(truth.mean, moments.mean), 1e-6);
  EXPECT_LE(relative_error(truth.covariance, moments.covariance), 1e-6);
  const Matrix u = points(5, 2, 1.0);
  const auto values = log_density(device(), *linear_gaussian(A, 0.3), u, y);
  for (long i = 0; i < 5; ++i) EXPECT_NEAR(values[static_cast<std::size_t>(i)], log_joint({&u(i, 0), 2}), 1e-12);
}

TEST_P(Targets, ABananaIsNormalised) {
  const auto target = banana(0.8, 1.1);
  const Device on = device();
  const auto moments = quadrature_moments(
      [&](std::span<const double> u) {
        const double r = u[1] - 1.1 * (u[0] * u[0] - 0.64);
        return -0.5 * (u[0] * u[0] / 0.64 + r * r) - std::log(2 * M_PI * 0.8);
      },
      2);
  EXPECT_NEAR(moments.log_evidence, 0, 1e-8);
  const Matrix u = points(3, 2, 1.0);
  const auto values = log_density(on, *target, u, {});
  for (long i = 0; i < 3; ++i) {
    const double r = u(i, 1) - 1.1 * (u(i, 0) * u(i, 0) - 0.64);
    EXPECT_NEAR(values[static_cast<std::size_t>(i)],
                -0.5 * (u(i, 0) * u(i, 0) / 0.64 + r * r) - std::log(2 * M_PI * 0.8), 1e-13);
  }
}

TEST_P(Targets, TwoMoonsFollowTheirFormula) {
  const Matrix u = points(6, 2, 3.0);
  const auto values = log_density(device(), *two_moons(), u, {});
  for (long i = 0; i < 6; ++i) {
    const double x = u(i, 0), ring = (std::hypot(x, u(i, 1)) - 2) / 0.4;
    const double right = (x - 2) / 0.6, left = (x + 2) / 0.6;
    EXPECT_NEAR(values[static_cast<std::size_t>(i)],
                -0.5 * ring * ring + std::log(std::exp(-0.5 * right * right) + std::exp(-0.5 * left * left)), 1e-10);
  }
}

TEST_P(Targets, AUsersTargetEqualsTheBuiltInOne) {
  const auto user = user_target("my banana", 2, 0, [](auto u, auto, auto gradient) {
    const double r = u[1] - (u[0] * u[0] - 1);
    gradient[0] = 2 * u[0] * r - u[0];
    gradient[1] = -r;
    return -0.5 * (u[0] * u[0] + r * r) - std::log(2 * M_PI);
  });
  const Matrix u = points(9, 2, 1.5);
  EXPECT_LE(relative_error(log_density(device(), *user, u, {}), log_density(device(), *banana(), u, {})), 1e-14);
  Vector at({2});
  at[0] = 0.4, at[1] = -1.2;
  EXPECT_LE(relative_error(gradient_at(device(), *user, {}, at), gradient_at(device(), *banana(), {}, at)), 1e-14);
}

TEST_P(Targets, JointDrawsFollowTheModelAndDoNotDependOnTheBatch) {
  const long count = kOnShim && on_cuda() ? 400 : 20000;
  const auto target = oxygen_demand();
  const JointDraws draws = simulate(device(), *target, count, 7);
  double mean = 0, square = 0, noise = 0;
  for (long i = 0; i < count; ++i) {
    mean += draws.u(i, 0) / static_cast<double>(count);
    square += draws.u(i, 1) * draws.u(i, 1) / static_cast<double>(count);
    const double A = 0.4 + 0.4 * std::erfc(-draws.u(i, 0) / std::sqrt(2)),
                 B = 0.01 + 0.15 * std::erfc(-draws.u(i, 1) / std::sqrt(2));
    for (long t = 0; t < 5; ++t)
      noise += std::pow(draws.y(i, t) - A * (1 - std::exp(-B * static_cast<double>(t + 1))), 2) /
               (5 * static_cast<double>(count));
  }
  const double error = 5 / std::sqrt(static_cast<double>(count));  // five standard errors or more
  EXPECT_NEAR(mean, 0, error);
  EXPECT_NEAR(square, 1, 2 * error);
  EXPECT_NEAR(noise, 1e-3, 1e-3 * error);
  const JointDraws later = simulate(device(), *target, 9, 7, 100);
  for (long i = 0; i < 9; ++i) {
    EXPECT_EQ(later.u(i, 0), draws.u(100 + i, 0));
    EXPECT_EQ(later.y(i, 3), draws.y(100 + i, 3));
  }
}

TEST(BadTargets, AreRefusedWithAReason) {
  EXPECT_THAT(message_of<InvalidArgument>([] { oxygen_demand(0); }),
              HasSubstr("the noise variance is 0, expected a positive number"));
  EXPECT_THAT(message_of<InvalidArgument>([] {
                linear_gaussian(Matrix({65, 2}), 1);
              }),
              HasSubstr("A has shape [65, 2]"));
  EXPECT_THAT(message_of<InvalidArgument>([] { linear_gaussian(Matrix({1, 1}, NAN), 1); }), HasSubstr("not finite"));
  EXPECT_THAT(message_of<InvalidArgument>([] { banana(-1, 1); }), HasSubstr("width -1"));
  EXPECT_THAT(message_of<InvalidArgument>([] { user_target("mine", 0, 0, {}); }), HasSubstr("dimension 0"));
  EXPECT_THAT(message_of<InvalidArgument>([] { simulate(Device::cpu(1), *two_moons(), 5, 1); }),
              HasSubstr("no forward map"));
  EXPECT_THAT(message_of<InvalidArgument>([] { simulate(Device::cpu(1), *oxygen_demand(), 0, 1); }),
              HasSubstr("0 draws"));
  EXPECT_THAT(message_of<InvalidArgument>([] {
                log_density(Device::cpu(1), *oxygen_demand(), Matrix({4, 3}), kReference);
              }),
              HasSubstr("takes points [problem, point, 2]"));
}

}  // namespace
}  // namespace vida
