#include "vida/evidence.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "backends.hpp"
#include "messages.hpp"
#include "near.hpp"
#include "vida/quadrature.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

class Evidence : public OnEveryBackend {
 protected:
  long problems(long count) const { return kOnShim && on_cuda() ? 3 : count; }
};
VIDA_ON_EVERY_BACKEND(Evidence);

Matrix matrix(long rows, long columns, std::initializer_list<double> values) {
  Matrix result({rows, columns});
  std::copy(values.begin(), values.end(), result.begin());
  return result;
}

Matrix part(const Matrix& all, long first, long count) {
  Matrix result({count, all.extent(1)});
  std::copy_n(&all(first, 0), result.size(), result.begin());
  return result;
}

double by_quadrature(std::shared_ptr<const Target> target, View<const double, 1> y) {
  const int d = target->dimension();
  const std::span<const double> data(y.data(), static_cast<std::size_t>(y.size()));
  return quadrature_moments(log_density_function(std::move(target), data), d, {.tolerance = 1e-7}).log_evidence;
}

TEST_P(Evidence, OxygenDemandHasThePublishedValues) {
  const Matrix y = matrix(4, 5, {.1615, .1868, .3949, .3728, .4177, -.0072, .0427, .0505, .0638, .0729,
                                 .20,   .40,   .60,   .75,   .85,   .18,    .32,   .42,   .49,   .54});
  const double published[] = {4.877902, 9.372754, 4.766403, 9.088253};  // rounded to 5e-7
  const Vector found = log_evidences(device(), *oxygen_demand(), y);
  for (long i = 0; i < 4; ++i) {
    EXPECT_NEAR(found[i], published[i], 1.5e-6);
    if (kOnShim && i > 0) continue;  // quadrature takes a second, and under sanitizers many
    EXPECT_NEAR(found[i], by_quadrature(oxygen_demand(), y.view()[i]), 1e-6);
  }
}

TEST_P(Evidence, AgreesWithQuadratureForSimulatedObservations) {
  const auto target = oxygen_demand();
  const JointDraws draws = simulate(Device::cpu(1), *target, kOnShim ? 1 : 10, 11);
  const Vector found = log_evidences(device(), *target, draws.y);
  for (long i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], by_quadrature(target, draws.y.view()[i]), 1e-6) << i;
}

// Narrow, wide and tilted posteriors: of deviation .01 to 1, with correlations up to .9998.
TEST_P(Evidence, IsExactForLinearGaussianProblems) {
  for (const double noise : {1e-4, 0.01, 1.0}) {
    for (const Matrix& A :
         {matrix(3, 1, {.3, -1, .7}), matrix(3, 2, {.3, .5, -1, .7, .7, -.2}), matrix(3, 2, {1, .99, 1, 1, 1, 1.01})}) {
      const auto target = linear_gaussian(A, noise);
      const Matrix y = simulate(Device::cpu(1), *target, problems(10), 5).y;
      const Vector found = log_evidences(device(), *target, y);
      for (long i = 0; i < y.extent(0); ++i) {
        const auto truth = linear_gaussian_posterior(A, noise, {&y(i, 0), 3});
        EXPECT_NEAR(found[i], truth.log_evidence, 1e-6) << A.extent(1) << " dimensions, noise " << noise;
      }
    }
  }
}

TEST_P(Evidence, OfDensitiesWithoutData) {
  const Matrix none({1, 0});
  EXPECT_NEAR(log_evidences(device(), *banana(0.6, 0.6), none)[0], 0, 1e-6);
  EXPECT_NEAR(log_evidences(device(), *two_moons(), none)[0], by_quadrature(two_moons(), {nullptr, {0}}), 1e-6);
}

TEST_P(Evidence, ATighterToleranceIsMet) {
  const Matrix A = matrix(2, 2, {1, .5, -.3, 2}), y = matrix(1, 2, {.4, -1.2});
  const double truth = linear_gaussian_posterior(A, 0.2, {y.data(), 2}).log_evidence;
  EXPECT_NEAR(log_evidences(device(), *linear_gaussian(A, 0.2), y, {.tolerance = 1e-10})[0], truth, 1e-10);
}

TEST_P(Evidence, ATighterToleranceChangesLessThanTheLooserOne) {
  const auto target = oxygen_demand();
  const Matrix y = simulate(Device::cpu(1), *target, problems(300), 3).y;
  const Vector loose = log_evidences(device(), *target, y), tight = log_evidences(device(), *target, y, {1e-10});
  for (long i = 0; i < y.extent(0); ++i) EXPECT_NEAR(loose[i], tight[i], 1e-6) << i;
}

TEST_P(Evidence, DependsNeitherOnTheBatchNorOnTheThreads) {
  const auto target = oxygen_demand();
  const Matrix y = simulate(Device::cpu(1), *target, problems(60), 2).y;
  const Vector all = log_evidences(device(3), *target, y);
  EXPECT_EQ(all, log_evidences(device(1), *target, y));
  const Vector some = log_evidences(device(2), *target, part(y, 1, 2));
  for (long i = 0; i < 2; ++i) EXPECT_EQ(some[i], all[1 + i]);
  EXPECT_EQ(log_evidences(device(), *target, Matrix({0, 5})).size(), 0);
}

std::shared_ptr<const Target> line(std::function<double(double)> f) {
  return user_target("mine", 1, 1, [f](auto u, auto y, auto) { return f(u[0] - y[0]); });
}

TEST(Evidences, OfAKinkAreRefinedUntilTheyAreRight) {
  const auto laplace = line([](double x) { return -4 * std::abs(x); });  // integral 1/2
  EXPECT_NEAR(log_evidences(Device::cpu(1), *laplace, matrix(1, 1, {.123}))[0], -std::log(2), 1e-6);
}

TEST(Evidences, AreRefusedWithAReason) {
  const Device cpu = Device::cpu(1);
  const Matrix y = matrix(2, 1, {0, .1});
  const auto failure = [&](auto f) { return message_of([&] { log_evidences(cpu, *line(f), y); }); };
  EXPECT_THAT(failure([](double x) { return -std::log1p(x * x); }),
              HasSubstr("problem 0 of target mine: the density does not decay within [-8, 8] along component 0"));
  EXPECT_THAT(failure([](double x) { return x < .05 ? -x * x : NAN; }),
              HasSubstr("problem 0 of target mine: the density is NaN"));
  EXPECT_THAT(failure([](double) { return -INFINITY; }), HasSubstr("the density is zero"));
  EXPECT_THAT(failure([](double x) { return x > 0 ? -x * x : -INFINITY; }), HasSubstr("log Z still changes by"));

  const auto refusal = [&](const Target& target, const Matrix& data, EvidenceOptions options = {}) {
    return message_of<InvalidArgument>([&] { log_evidences(cpu, target, data, options); });
  };
  EXPECT_THAT(refusal(*linear_gaussian(Matrix({1, 3}, 1.), 1), Matrix({1, 1})), HasSubstr("has dimension 3"));
  EXPECT_THAT(refusal(*oxygen_demand(), Matrix({2, 4})),
              HasSubstr("shape [2, 4]; target oxygen-demand needs [problem, 5]"));
  EXPECT_THAT(refusal(*oxygen_demand(), Matrix({2, 5}, NAN)), HasSubstr("observation 0 of problem 0 is nan"));
  EXPECT_THAT(refusal(*oxygen_demand(), Matrix({2, 5}), {.tolerance = 0}), HasSubstr("tolerance is 0"));
}

}  // namespace
}  // namespace vida
