#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "backends.hpp"
#include "golden.hpp"
#include "near.hpp"
#if VIDA_CUDA_SHIM
#include "shim.hpp"
#endif

namespace vida {
namespace {

using testing::Golden;
using testing::kOnShim;
using testing::relative_error;
using testing::shortened;

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

GainValue evaluate(const Device& device, const FilterProblem& problem, const Matrix& gain,
                   GainObjectiveOptions options = {}) {
  GainObjective objective(device, {&problem, 1}, options);
  return std::move(objective.evaluate({&gain, 1})[0]);
}

class GainTest : public testing::OnEveryBackend {
 protected:
  GainValue evaluate(const FilterProblem& problem, const Matrix& gain, GainObjectiveOptions options = {}) const {
    return vida::evaluate(device(), problem, gain, options);
  }
  /// Golden values belong to all cycles of the reference problem. Where it is shortened, the CPU's answer to the short
  /// problem takes their place.
  bool in_short_form() const { return kOnShim && on_cuda(); }
  FilterProblem short_form(const FilterProblem& problem) const {
    return in_short_form() ? shortened(problem, 12) : problem;
  }
};

class GeneralFilter : public GainTest {
 protected:
  const Golden files_[2] = {Golden("filter_general_n12_p8.nc"), Golden("filter_general_n40_p30.nc")};
};
class ReferenceProblem : public GainTest {};
class GainGradient : public GainTest {};
class MonteCarloObjective : public GainTest {};
class GainObjectiveMemory : public GainTest {};

VIDA_ON_EVERY_BACKEND(GeneralFilter);
VIDA_ON_EVERY_BACKEND(ReferenceProblem);
VIDA_ON_EVERY_BACKEND(GainGradient);
VIDA_ON_EVERY_BACKEND(MonteCarloObjective);
VIDA_ON_EVERY_BACKEND(GainObjectiveMemory);

// Independent float64 programs with automatic differentiation; the agreed tolerance is 1e-9, rounding leaves about
// 1e-12.
TEST_P(GeneralFilter, CostTermsGradientAndStatesMatchTheGoldenFile) {
  for (const Golden& golden : files_) {
    const GainValue value = evaluate(golden.general(), golden.matrix("K"));
    SCOPED_TRACE(value.gradient.extent(0));
    EXPECT_LE(relative_error(value.cost, golden.scalar("cost")), 1e-9);
    EXPECT_LE(relative_error(value.kl, golden.vector("kl")), 1e-9);
    EXPECT_LE(relative_error(value.loglik, golden.vector("loglik")), 1e-9);
    EXPECT_LE(relative_error(value.gradient, golden.matrix("gradient")), 1e-9);
    EXPECT_LE(relative_error(value.analysis_mean, golden.matrix("analysis_mean")), 1e-9);
    EXPECT_LE(relative_error(value.analysis_cov_last, golden.matrix("analysis_cov_last")), 1e-9);
  }
}

TEST_P(GeneralFilter, ExtendedKalmanFilterMatchesTheGoldenFile) {
  for (const Golden& golden : files_) {
    const FilterProblem problem = golden.general();
    SCOPED_TRACE(problem.system.n());
    const auto result = extended_kalman_filter(device(), {&problem, 1});
    EXPECT_LE(relative_error(result[0].analysis_mean, golden.matrix("ekf_mean")), 1e-9);
    EXPECT_LE(relative_error(result[0].analysis_cov_last, golden.matrix("ekf_cov_last")), 1e-9);
  }
}

TEST_P(GeneralFilter, ModelMapAndJacobianMatchTheGoldenFile) {
  for (const Golden& golden : files_) {
    const StateSpaceModel system = golden.general().system;
    SCOPED_TRACE(system.n());
    Matrix state({1, system.n()});
    std::copy(system.initial_mean.begin(), system.initial_mean.end(), state.begin());
    const auto J = jacobian<double>(device(), std::get<Lorenz96>(system.model), state, system.steps_per_cycle);
    advance<double>(device(), std::get<Lorenz96>(system.model), state, system.steps_per_cycle);
    EXPECT_LE(relative_error(state, golden.vector("psi_m0")), 1e-13);
    EXPECT_LE(relative_error(J, golden.matrix("jacobian_m0")), 1e-13);
  }
}

TEST_P(ReferenceProblem, CostTermsAndGradientMatchTheGoldenFile) {
#if VIDA_CUDA_SHIM
  cuda_shim::reset({.log = false});  // the one problem of full size there
#endif
  const Golden golden("learn_gain_l96.nc");
  const GainValue value = evaluate(golden.reference(), scaled_identity(40, 0.4));
  EXPECT_LE(relative_error(value.cost, golden.scalar("cost_initial")), 1e-9);
  EXPECT_LE(relative_error(value.cost, 66654.3120793278), 1e-9);
  EXPECT_LE(relative_error(sum(value.kl), 13054.7584664364), 1e-9);
  EXPECT_LE(relative_error(sum(value.loglik), -53599.553612891395), 1e-9);
  EXPECT_LE(relative_error(value.kl, golden.vector("kl_initial")), 1e-9);
  EXPECT_LE(relative_error(value.loglik, golden.vector("loglik_initial")), 1e-9);
  EXPECT_LE(relative_error(value.gradient, golden.matrix("gradient_initial")), 1e-9);
  const Matrix means = golden.matrix("analysis_mean_initial");
  for (long j = 0; j < means.extent(0); ++j) EXPECT_LE(relative_error(value.analysis_mean[j], means[j]), 1e-9);
}

TEST_P(ReferenceProblem, FirstCovariancesMatchTheGoldenFile) {
  const Golden golden("learn_gain_l96.nc");
  const auto covariances = golden.cube("analysis_cov_initial");
  for (long cycles = 1; cycles <= covariances.extent(0); ++cycles) {
    const GainValue value = evaluate(shortened(golden.reference(), cycles), scaled_identity(40, 0.4));
    EXPECT_LE(relative_error(value.analysis_cov_last, covariances[cycles - 1]), 1e-9);
  }
}

TEST_P(ReferenceProblem, CostAndGradientAtTheLearnedGainMatchTheGoldenFile) {
  const Golden golden("learn_gain_l96.nc");
  const FilterProblem problem = short_form(golden.reference());
  const Matrix gain = golden.matrix("gain_100");
  const GainValue value = evaluate(problem, gain);
  double cost = golden.scalar("cost_100");
  Matrix gradient = golden.matrix("gradient_100");
  if (in_short_form()) {
    const GainValue on_cpu = vida::evaluate(Device::cpu(), problem, gain);
    cost = on_cpu.cost, gradient = on_cpu.gradient;
  }
  EXPECT_LE(relative_error(value.cost, cost), 1e-9);
  EXPECT_LE(relative_error(value.gradient, gradient), 1e-9);
}

TEST_P(ReferenceProblem, ExtendedKalmanFilterMatchesTheGoldenFile) {
  const Golden golden("learn_gain_l96.nc");
  const FilterProblem problem = short_form(golden.reference());
  const auto result = extended_kalman_filter(device(), {&problem, 1});
  const Matrix means = golden.matrix("ekf_mean");
  for (long j = 0; j < problem.data.y.extent(0); ++j)
    EXPECT_LE(relative_error(result[0].analysis_mean[j], means[j]), 1e-9) << "cycle " << j;
  if (in_short_form()) {
    const auto on_cpu = extended_kalman_filter(Device::cpu(), {&problem, 1});
    EXPECT_LE(relative_error(result[0].gain_last, on_cpu[0].gain_last), 1e-9);
    EXPECT_LE(relative_error(result[0].gain_steady, on_cpu[0].gain_steady), 1e-9);
    EXPECT_LE(relative_error(result[0].mse, on_cpu[0].mse), 1e-9);
  } else {
    EXPECT_LE(relative_error(result[0].gain_last, golden.matrix("ekf_gain_last")), 1e-9);
    EXPECT_LE(relative_error(result[0].gain_steady, golden.matrix("ekf_gain_steady")), 1e-9);
    EXPECT_NEAR(result[0].mse, 0.26998, 5e-6);
  }
}

TEST_P(ReferenceProblem, SinglePrecisionStaysWithinItsRounding) {
  const Golden golden("learn_gain_l96.nc");
  const double scale = 4668.29909222773;  // norm of the gradient at K_0
  const GainObjectiveOptions single{.precision = Precision::float32};
  if (in_short_form()) {
    const FilterProblem problem = short_form(golden.reference());
    const GainValue value = evaluate(problem, golden.matrix("gain_100"), single),
                    on_cpu = vida::evaluate(Device::cpu(), problem, golden.matrix("gain_100"));
    EXPECT_LE(relative_error(value.cost, on_cpu.cost), 1e-5);
    EXPECT_LE(relative_error(value.gradient, on_cpu.gradient), 1e-4);
    return;
  }
  const GainValue initial = evaluate(golden.reference(), scaled_identity(40, 0.4), single);
  EXPECT_LE(relative_error(initial.cost, golden.scalar("cost_initial")), 1e-5);
  EXPECT_LE(relative_error(initial.gradient, golden.matrix("gradient_initial")), 1e-4);
  const GainValue later = evaluate(golden.reference(), golden.matrix("gain_100"), single);
  EXPECT_LE(relative_error(later.cost, golden.scalar("cost_100")), 1e-5);
  EXPECT_LE(relative_error(later.gradient, golden.matrix("gradient_100")) * 8.2, 1e-4 * scale);
}

// Central differences of the cost itself: truncation h^2 and rounding 1e-12 / h balance near 1e-7 of the directional
// derivative.
TEST_P(GainGradient, AgreesWithCentralDifferencesWhenObservationsAreMissing) {
  const Golden golden("filter_general_n12_p8.nc");
  FilterProblem problem = golden.general();
  for (long j = 0; j < 30; ++j)
    for (long k = 0; k < 8; ++k)
      if ((3 * j + k) % 5 == 0 || j == 7) problem.data.y(j, k) = NAN;
  const Matrix gain = golden.matrix("K");
  const GainValue value = evaluate(problem, gain);
  ASSERT_TRUE(std::isfinite(value.cost));
  EXPECT_EQ(value.kl[7], 0);
  EXPECT_EQ(value.loglik[7], 0);
  for (long direction = 0; direction < (in_short_form() ? 2 : 5); ++direction) {
    Matrix up = gain, down = gain;
    double predicted = 0;
    const double h = 1e-5;
    for (long e = 0; e < gain.size(); ++e) {
      const double along = std::sin(1.0 + static_cast<double>(e * (direction + 1)));
      up.data()[e] += h * along;
      down.data()[e] -= h * along;
      predicted += along * value.gradient.data()[e];
    }
    const double measured = (evaluate(problem, up).cost - evaluate(problem, down).cost) / (2 * h);
    EXPECT_LE(relative_error(measured, predicted), 1e-6) << "direction " << direction;
  }
}

TEST_P(GainGradient, OfAnObservationThatIsNeverMadeIsZero) {
  const Golden golden("filter_general_n12_p8.nc");
  FilterProblem problem = golden.general();
  for (long j = 0; j < 30; ++j) problem.data.y(j, 3) = NAN;
  const GainValue value = evaluate(problem, golden.matrix("K"));
  double rest = 0;
  for (long i = 0; i < 12; ++i) {
    EXPECT_EQ(value.gradient(i, 3), 0.0);
    rest += std::abs(value.gradient(i, 2));
  }
  EXPECT_GT(rest, 0.0);
}

TEST_P(GainGradient, WithAnObservationMissingEqualsTheProblemWithoutIt) {
  const Golden golden("filter_general_n12_p8.nc");
  FilterProblem missing = golden.general(), without = golden.general();
  for (long j = 0; j < 30; ++j) missing.data.y(j, 7) = NAN;
  const auto cut = [](const Matrix& from, long rows, long columns) {
    Matrix to({rows, columns});
    for (long i = 0; i < rows; ++i)
      for (long k = 0; k < columns; ++k) to(i, k) = from(i, k);
    return to;
  };
  without.system.observation_operator = cut(without.system.observation_operator, 7, 12);
  without.system.observation_noise = cut(without.system.observation_noise, 7, 7);
  without.data.y = cut(without.data.y, 30, 7);
  const GainValue a = evaluate(missing, golden.matrix("K")), b = evaluate(without, cut(golden.matrix("K"), 12, 7));
  EXPECT_LE(relative_error(a.cost, b.cost), 1e-12);
  EXPECT_LE(relative_error(cut(a.gradient, 12, 7), b.gradient), 1e-10);
  EXPECT_LE(relative_error(a.analysis_mean, b.analysis_mean), 1e-12);
}

// The Monte Carlo gradient is unbiased: over many iterations' draws its mean lies within 4.5 standard errors of the
// exact one.
TEST_P(MonteCarloObjective, AveragesToTheExactCostAndGradient) {
  const Golden golden("filter_general_n12_p8.nc");
  const FilterProblem problem = shortened(golden.general(), in_short_form() ? 4 : 30);
  const Matrix gain = golden.matrix("K");
  const GainValue exact = evaluate(problem, gain);
  GainObjective sampled(device(), {&problem, 1}, {.expectation = Expectation::monte_carlo, .samples = 10});
  const double draws = in_short_form() ? 50 : 400;
  double cost = 0, cost_squares = 0;
  Matrix mean(gain.extents()), squares(gain.extents());
  for (long draw = 0; draw < std::lround(draws); ++draw) {
    const GainValue value = std::move(sampled.evaluate({&gain, 1}, true, draw)[0]);
    EXPECT_EQ(value.kl, exact.kl);  // only the expectation is sampled
    cost += value.cost / draws;
    cost_squares += value.cost * value.cost / draws;
    for (long e = 0; e < gain.size(); ++e) {
      mean.data()[e] += value.gradient.data()[e] / draws;
      squares.data()[e] += value.gradient.data()[e] * value.gradient.data()[e] / draws;
    }
  }
  EXPECT_LE(std::abs(cost - exact.cost), 4.5 * std::sqrt((cost_squares - cost * cost) / draws));
  for (long e = 0; e < gain.size(); ++e) {
    const double deviation = std::sqrt((squares.data()[e] - mean.data()[e] * mean.data()[e]) / draws);
    EXPECT_GT(deviation, 0.0);
    EXPECT_LE(std::abs(mean.data()[e] - exact.gradient.data()[e]), 4.5 * deviation) << "entry " << e;
  }
}

TEST_P(MonteCarloObjective, GradientIsThatOfItsOwnCost) {
  const Golden golden("filter_general_n12_p8.nc");
  const FilterProblem problem = golden.general();
  const GainObjectiveOptions sampled{.expectation = Expectation::monte_carlo, .samples = 7};
  const Matrix gain = golden.matrix("K");
  const GainValue value = evaluate(problem, gain, sampled);
  Matrix up = gain, down = gain;
  double predicted = 0;
  for (long e = 0; e < gain.size(); ++e) {
    const double along = std::cos(0.3 + static_cast<double>(2 * e));
    up.data()[e] += 1e-5 * along;
    down.data()[e] -= 1e-5 * along;
    predicted += along * value.gradient.data()[e];
  }
  const double measured = (evaluate(problem, up, sampled).cost - evaluate(problem, down, sampled).cost) / 2e-5;
  EXPECT_LE(relative_error(measured, predicted), 1e-6);
}

TEST_P(GainObjectiveMemory, OfTheReferenceProblemFitsItsBound) {
  const Golden golden("learn_gain_l96.nc");
  const FilterProblem problem = golden.reference();
  EXPECT_LE(GainObjective(device(), {&problem, 1}).memory_bytes(), 60u << 20);
  GainObjective checkpointed(device(), {&problem, 1}, {.checkpoint_interval = 32});
  EXPECT_LE(checkpointed.memory_bytes(), 5u << 20);
}

}  // namespace
}  // namespace vida
