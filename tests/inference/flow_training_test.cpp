// Training of flows: what it reaches is examples' and jobs' matter; here are its rules.
#include "vida/flow_training.hpp"

#include <gmock/gmock.h>
#include <malloc.h>

#include <cmath>

#include "backend/executor.hpp"
#include "backends.hpp"
#include "messages.hpp"
#include "near.hpp"
#include "vida/vida.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

constexpr FlowShape kSmall{.dimension = 2, .layers = 2, .hidden = 8};

Matrix observation() {
  Matrix y({1, 5});
  const double values[] = {.1615, .1868, .3949, .3728, .4177};
  std::copy(std::begin(values), std::end(values), y.begin());
  return y;
}

FlowTrainingOptions few_steps(long steps = 30) {
  FlowTrainingOptions options{.precision = Precision::float64, .steps = steps, .draws = 32, .validate_every = 10};
  options.validation_draws = 64;
  return options;
}

using FlowTraining = OnEveryBackend;
VIDA_ON_EVERY_BACKEND(FlowTraining);

TEST_P(FlowTraining, LowersTheLossOfBothObjectives) {
  const auto target = oxygen_demand();
  auto options = few_steps(on_cuda() && kOnShim ? 8 : 200);
  options.step = 0.01;
  options.validate_every = options.steps / 8;
  const auto fit = fit_flow(device(), *target, observation(), kSmall, options).front();
  EXPECT_LT(fit.validation.back(), fit.validation.front());
  EXPECT_EQ(fit.losses.size(), static_cast<std::size_t>(options.steps));
  EXPECT_EQ(fit.flagged_at, -1);
  FlowShape shape = kSmall;
  shape.context = 5;
  const auto amortized = fit_amortized_flow(device(), *target, shape, options);
  EXPECT_LT(amortized.validation.back(), amortized.validation.front());
  // it starts at the identity, where the loss is that of the prior: log 2 pi + 1 on average
  EXPECT_NEAR(amortized.losses.front(), std::log(2 * M_PI) + 1, 4 / std::sqrt(32.0));
}

/// The first step is computed, the others are replays of a recording.
TEST_P(FlowTraining, IsWhatTheLibrarysPartsGive) {
  const auto target = oxygen_demand();
  const Device on = device();
  auto options = few_steps(3);
  options.clip = 0;
  options.schedule = LearningSchedule::constant;
  options.validate_every = 0;
  const auto fit = fit_flow(on, *target, observation(), kSmall, options).front();
  auto parameters = initial_flow_parameters(kSmall, options.seed);
  Adam adam(options.step);
  Flow<double> identity(on, kSmall), flow(on, kSmall);
  const auto y = observation();
  for (long step = 0; step < 3; ++step) {
    const auto z = identity.sample({.first = 32 * step}, 32).points;
    flow.set_parameters(0, parameters);
    const FlowTarget<double> density = [&](const FlowTargetBatch<double>& batch) {
      std::vector<double> columns(static_cast<std::size_t>(2 * batch.stride)), values(columns.size() / 2),
          slopes(columns.size());
      on.executor().download(columns.data(), batch.points, columns.size() * sizeof(double));
      Matrix points({4 * batch.stride + batch.stride, 2});
      constexpr double h = 1e-5;
      for (long i = 0; i < batch.stride; ++i)
        for (long k = 0; k < 5; ++k)
          for (long c = 0; c < 2; ++c)
            points(5 * i + k, c) = columns[static_cast<std::size_t>(c * batch.stride + i)] + (k == 1 + 2 * c   ? h
                                                                                              : k == 2 + 2 * c ? -h
                                                                                                               : 0);
      const auto all = log_density(Device::cpu(1), *target, points, {y.data(), 5});
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = all[5 * i];
        for (std::size_t c = 0; c < 2; ++c)
          slopes[c * values.size() + i] = (all[5 * i + 1 + 2 * c] - all[5 * i + 2 + 2 * c]) / (2 * h);
      }
      on.executor().upload(batch.log_density, values.data(), values.size() * sizeof(double));
      on.executor().upload(batch.gradient, slopes.data(), slopes.size() * sizeof(double));
    };
    const auto loss = flow.reverse_kl(z, density);
    const double entropy = 0.5 * kSmall.dimension * (1 + std::log(2 * M_PI));
    EXPECT_LE(relative_error(fit.losses[static_cast<std::size_t>(step)], loss.loss[0] - entropy), 1e-9);
    adam.step(parameters, std::vector<double>(loss.gradient.begin(), loss.gradient.end()));
  }
  EXPECT_LE(relative_error(fit.parameters, parameters), 1e-6);  // the differences' gradient is good to 1e-8
}

TEST_P(FlowTraining, AFlaggedProblemKeepsItsLastGoodParametersAndTheOthersGoOn) {
  const auto target = oxygen_demand();
  Matrix y({2, 5});
  for (long k = 0; k < 5; ++k) y(0, k) = y(1, k) = observation()(0, k);
  y(0, 2) = 1e200;
  auto options = few_steps(4);
  options.validate_every = 0;
  const auto fits = fit_flow(device(), *target, y, kSmall, options);
  EXPECT_EQ(fits[0].flagged_at, 0);
  EXPECT_LE(relative_error(fits[0].parameters, initial_flow_parameters(kSmall, 0, 0)), 0);
  EXPECT_EQ(fits[1].flagged_at, -1);
  EXPECT_EQ(fits[1].losses.size(), 4u);
}

bool same(const FlowFit& a, const FlowFit& b) {
  return a.parameters == b.parameters && a.losses == b.losses && a.validation == b.validation &&
         a.best_after == b.best_after;
}

TEST(FlowTrainingInvariance, SameBitsForAnyThreadsAndBatch) {
  const auto target = oxygen_demand();
  const Matrix y = simulate(Device::cpu(1), *target, 5, 3).y;
  const auto batch = fit_flow(Device::cpu(2), *target, y, kSmall, few_steps());
  const auto one_thread = fit_flow(Device::cpu(1), *target, y, kSmall, few_steps());  // other chunks of problems, too
  for (std::size_t i = 0; i < batch.size(); ++i) EXPECT_TRUE(same(batch[i], one_thread[i])) << i;
  Matrix first({1, 5});
  std::copy_n(y.begin(), 5, first.begin());
  EXPECT_TRUE(same(fit_flow(Device::cpu(2), *target, first, kSmall, few_steps()).front(), batch.front()));
}

TEST(FlowTrainingRules, TheSearchTakesTheRateWithTheLowestLoss) {
  auto options = few_steps(20);
  options.search = {1e-6, 1e-2, 1e-5};
  options.search_steps = 60;
  const auto fit = fit_flow(Device::cpu(1), *oxygen_demand(), observation(), kSmall, options).front();
  EXPECT_EQ(fit.step, 1e-2);
}

TEST(FlowTrainingRules, PatienceStopsAndTheBestParametersAreGivenBack) {
  auto options = few_steps(400);
  options.step = 0.3;  // far too much
  options.patience = 2;
  options.clip = 0;
  const auto fit = fit_flow(Device::cpu(1), *oxygen_demand(), observation(), kSmall, options).front();
  ASSERT_TRUE(fit.stopped_after > 0 || fit.flagged_at >= 0);
  const auto best = std::min_element(fit.validation.begin(), fit.validation.end());
  EXPECT_EQ(fit.best_after, fit.validated_after[static_cast<std::size_t>(best - fit.validation.begin())]);
  EXPECT_LT(fit.best_after, 400);
}

TEST(FlowTrainingRules, ThePlateauLowersTheRateAndDecayShrinks) {
  auto options = few_steps(200);
  options.schedule = LearningSchedule::constant;
  options.step = 0.05;
  const auto constant = fit_flow(Device::cpu(1), *oxygen_demand(), observation(), kSmall, options).front();
  options.schedule = LearningSchedule::plateau;
  options.plateau_patience = 1;
  const auto plateau = fit_flow(Device::cpu(1), *oxygen_demand(), observation(), kSmall, options).front();
  EXPECT_NE(plateau.losses.back(), constant.losses.back());
  options.schedule = LearningSchedule::constant;
  options.validate_every = 0;
  const auto norm = [](const FlowFit& fit) {
    double squares = 0;
    for (const double value : fit.parameters) squares += value * value;
    return squares;
  };
  const auto free = fit_flow(Device::cpu(1), *oxygen_demand(), observation(), kSmall, options).front();
  options.decay = 1;
  const auto shrunk = fit_flow(Device::cpu(1), *oxygen_demand(), observation(), kSmall, options).front();
  EXPECT_LT(norm(shrunk), 0.9 * norm(free));
}

TEST(FlowTrainingRules, MemoryIsFlatOverTheSteps) {
  std::vector<std::size_t> used;
  const auto progress = [&](const FlowTrainingStatus&) {
    used.push_back(mallinfo2().uordblks);
    return true;
  };
  auto options = few_steps(1024);
  options.validate_every = 0;
  used.reserve(1000);
  fit_flow(Device::cpu(1), *oxygen_demand(), observation(), kSmall, options, progress);
  ASSERT_GT(used.size(), 20u);
  EXPECT_LE(used.back(), used.front() + 1024);
}

/// From the default options, for the observation whose exact log Z is 4.877902 (quadrature): KL = log Z - ELBO.
TEST(FlowTrainingReferenceRun, ReachesThePosterior) {
  const Device device = Device::cpu();
  const auto target = oxygen_demand();
  const FlowShape shape;
  const auto fit = fit_flow(device, *target, observation(), shape).front();
  Flow<float> flow(device, shape);
  flow.set_parameters(0, fit.parameters);
  constexpr long kDraws = 100000;
  const auto image = flow.sample({.seed = 1, .stream = Stream::filter}, kDraws);
  const auto log_q = flow.log_density(image.points);
  Matrix x({kDraws, 2});
  std::copy(image.points.begin(), image.points.end(), x.begin());
  const Matrix y = observation();
  auto log_weights = log_density(device, *target, x, {y.data(), 5});
  for (long i = 0; i < kDraws; ++i) log_weights[static_cast<std::size_t>(i)] -= static_cast<double>(log_q(0, i));
  const auto report = importance_report(log_weights, x);
  EXPECT_LE(4.877902 - report.elbo.value, 0.002 + 3 * report.elbo.standard_error);
  EXPECT_GE(4.877902 - report.elbo.value, -3 * report.elbo.standard_error) << "no bound is above log Z";
  EXPECT_LT(report.k_hat, 0.6);  // the median of ten such sets is below 0.5
  EXPECT_NEAR(report.moments.mean[0], -.39338, 0.01);
  EXPECT_NEAR(report.moments.mean[1], .72449, 0.01);
}

TEST(FlowTrainingInput, IsRefusedByMessage) {
  const Device cpu = Device::cpu(1);
  const auto message = [&](const FlowTrainingOptions& options, const FlowShape& shape, const Matrix& y) {
    return message_of([&] { fit_flow(cpu, *oxygen_demand(), y, shape, options); });
  };
  EXPECT_THAT(message({.steps = 0}, kSmall, observation()), HasSubstr("train.steps is 0; expected at least 1."));
  EXPECT_THAT(message({.draws = 0}, kSmall, observation()), HasSubstr("train.draws is 0"));
  EXPECT_THAT(message({}, {.dimension = 3}, observation()), HasSubstr("needs dimension 2 and context 0"));
  EXPECT_THAT(message({}, kSmall, Matrix({1, 4})), HasSubstr("target oxygen-demand needs [problem, 5]"));
  Matrix y = observation();
  y(0, 1) = NAN;
  EXPECT_THAT(message({}, kSmall, y), HasSubstr("observation 1 of problem 0 is nan"));
  EXPECT_THAT(message_of([&] { fit_amortized_flow(cpu, *banana(), kSmall); }), HasSubstr("density without data"));
}

}  // namespace
}  // namespace vida
