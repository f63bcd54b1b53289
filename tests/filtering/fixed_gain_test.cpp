#include <gmock/gmock.h>

#include "backends.hpp"
#include "filter_cases.hpp"
#include "golden.hpp"
#include "messages.hpp"
#include "near.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

class FixedGain : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(FixedGain);

AssimilationResult filtered(const Device& device, const FilterProblem& problem, const FilterSettings& filter) {
  const AssimilationRun run{.filter = filter};
  return assimilate(device, {&problem, 1}, {&run, 1}, {.keep_means = true, .crps_every = 1})[0];
}

Eigen::VectorXd row_of(const Matrix& matrix, long row) { return dense(matrix).row(row).transpose(); }

double score(const AssimilationResult& result, long cycle, CycleScore which) {
  return result.scores(cycle, static_cast<int>(which));
}

Vector vector_of(const Eigen::VectorXd& from) {
  Vector to({from.size()});
  std::copy(from.begin(), from.end(), to.begin());
  return to;
}

/// m = m^ + K (y - H m^), K = B H' (H B H' + R)^-1 over the observations present; `forecast` of the last mean.
template <class Forecast>
void expect_dense_algebra(const AssimilationResult& result, const FilterProblem& problem, const Dense& B,
                          Eigen::VectorXd mean, Forecast forecast) {
  const StateSpaceModel& system = problem.system;
  for (long j = 0; j < problem.data.y.extent(0); ++j) {
    mean = forecast(mean);
    Dense after = B;
    std::vector<int> present;
    for (int k = 0; k < system.p(); ++k)
      if (!std::isnan(problem.data.y(j, k))) present.push_back(k);
    EXPECT_LT((row_of(result.forecast_mean, j) - mean).norm(), 1e-12 * mean.norm()) << j;
    EXPECT_NEAR(score(result, j, CycleScore::forecast_spread), std::sqrt(B.trace() / static_cast<double>(mean.size())),
                1e-12);
    if (present.empty()) {
      EXPECT_TRUE(std::isnan(score(result, j, CycleScore::chi_square)));
    } else {
      const Dense H = dense(system.observation_operator)(present, Eigen::all);
      const Dense S = H * B * H.transpose() + Dense(dense(system.observation_noise)(present, present));
      const Eigen::VectorXd d = Eigen::VectorXd(row_of(problem.data.y, j)(present)) - H * mean;
      const Dense K = B * H.transpose() * S.inverse();
      EXPECT_NEAR(score(result, j, CycleScore::chi_square),
                  d.dot(S.inverse() * d) / static_cast<double>(present.size()), 1e-11);
      mean += K * d;
      after -= K * H * B;
    }
    EXPECT_LT((row_of(result.analysis_mean, j) - mean).norm(), 1e-12 * mean.norm()) << j;
    EXPECT_LT((row_of(result.analysis_spread, j) - after.diagonal().cwiseSqrt()).norm(), 1e-12 * B.norm()) << j;
  }
}

/// A linear case with gaps and a truth.
FilterProblem with_gaps(LinearCase& c) {
  c.y(0, 2) = c.y(2, 0) = c.y(2, 4) = NAN;
  c.y.row(1).setConstant(NAN);
  FilterProblem problem = c.problem();
  problem.data.truth = matrix_of(scattered(c.y.rows(), c.F.rows(), 9));
  return problem;
}

TEST_P(FixedGain, OfAGivenBackgroundIsThatOfDenseAlgebra) {
  for (const bool diagonal : {true, false}) {
    LinearCase c(7, 5, 12, 4, diagonal);
    const FilterProblem problem = with_gaps(c);
    const Dense C = covariance(7, 1.5, 6);
    const Eigen::VectorXd mean = scattered(7, 1, 8);
    FilterSettings filter{.method = "3dvar"};
    filter.background = matrix_of(C), filter.background_mean = vector_of(mean), filter.background_scale = 0.4;
    expect_dense_algebra(filtered(device(), problem, filter), problem, 0.4 * C, c.m0,
                         [&](const Eigen::VectorXd& m) { return Eigen::VectorXd(c.F * m); });
    filter.method = "optimal-interpolation";
    expect_dense_algebra(filtered(device(), problem, filter), problem, C, c.m0,
                         [&](const Eigen::VectorXd&) { return mean; });
  }
}

TEST_P(FixedGain, TakesItsBackgroundFromTheTruth) {
  LinearCase c(4, 5, 12, 6, true);
  FilterProblem problem = with_gaps(c);
  const Dense truth = dense(problem.data.truth);
  const Eigen::VectorXd mean = truth.colwise().mean().transpose();
  const Dense C = sample_covariance(truth);
  expect_dense_algebra(filtered(device(), problem, {.method = "optimal-interpolation"}), problem, C, c.m0,
                       [&](const Eigen::VectorXd&) { return mean; });
  expect_dense_algebra(filtered(device(), problem, {.method = "3dvar"}), problem, 0.02 * C, c.m0,
                       [&](const Eigen::VectorXd& m) { return Eigen::VectorXd(c.F * m); });
  const AssimilationResult climate = filtered(device(), problem, {.method = "climatology"});
  for (long j = 0; j < 6; ++j) {
    EXPECT_LT((row_of(climate.analysis_mean, j) - mean).norm(), 1e-13);
    EXPECT_LT((row_of(climate.analysis_spread, j) - C.diagonal().cwiseSqrt()).norm(), 1e-13);
    EXPECT_NEAR(score(climate, j, CycleScore::analysis_error), (truth.row(j).transpose() - mean).norm() / 2, 1e-13);
    EXPECT_TRUE(std::isnan(score(climate, j, CycleScore::chi_square)));
  }
}

/// B = [1 1/2; 1/2 1], y sees the first component with R = 1: K = (1/2, 1/4). 3DVar from 0 with y = 2, and optimal
/// interpolation of the mean (0, 1).
TEST_P(FixedGain, MatchesACaseWorkedByHand) {
  LinearCase c(2, 1, 3, 1, true);
  c.F.setIdentity();
  c.H << 1, 0;
  c.R << 1;
  c.y << 2;
  c.m0.setZero();
  FilterSettings filter{.method = "3dvar"};
  filter.background = matrix_of((Dense(2, 2) << 1, 0.5, 0.5, 1).finished()), filter.background_scale = 1;
  filter.background_mean = vector_of(Eigen::Vector2d(0, 1));
  const AssimilationResult forecast = filtered(device(), c.problem(), filter);
  EXPECT_NEAR(forecast.analysis_mean(0, 0), 1, 1e-15);
  EXPECT_NEAR(forecast.analysis_mean(0, 1), 0.5, 1e-15);
  EXPECT_NEAR(forecast.analysis_spread(0, 0), std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(forecast.analysis_spread(0, 1), std::sqrt(0.875), 1e-15);
  EXPECT_NEAR(score(forecast, 0, CycleScore::chi_square), 2, 1e-15);
  filter.method = "optimal-interpolation";
  const AssimilationResult climate = filtered(device(), c.problem(), filter);
  EXPECT_NEAR(climate.analysis_mean(0, 0), 1, 1e-15);
  EXPECT_NEAR(climate.analysis_mean(0, 1), 1.5, 1e-15);
}

TEST_P(FixedGain, GivenIsTheFixedGainFilter) {
  FilterProblem problem = Golden("filter_general_n12_p8.nc").general();
  if (kOnShim && on_cuda()) problem = shortened(problem, 4);
  problem.data.y(1, 3) = problem.data.y(2, 0) = NAN;
  for (long k = 0; k < 8; ++k) problem.data.y(3, k) = NAN;
  FilterSettings filter{.method = "3dvar"};
  filter.gain = Golden("filter_general_n12_p8.nc").matrix("K");
  const AssimilationResult result = filtered(device(), problem, filter);
  const FilterResult expected = fixed_gain_filter(Device::cpu(1), {&problem, 1}, {&filter.gain, 1})[0];
  EXPECT_LT(relative_error(result.analysis_mean, expected.analysis_mean), 1e-11);
  for (const CycleScore unknown : {CycleScore::chi_square, CycleScore::analysis_spread, CycleScore::analysis_crps})
    EXPECT_TRUE(std::isnan(score(result, 0, unknown)));
  EXPECT_FALSE(std::isnan(score(result, 0, CycleScore::analysis_error)));
}

TEST_P(FixedGain, OfTheSteadyStateIsTheKalmanFilterFromThere) {
  const LinearCase c(6, 5, 12, 4, false);
  FilterProblem problem = c.problem();
  const Dense Q = covariance(6, 0.2, 7);
  problem.system.process_noise = matrix_of(Q);
  Dense analysis = c.P0, forecast;
  for (int k = 0; k < 400; ++k) {
    forecast = c.F * analysis * c.F.transpose() + Q;
    const Dense K = forecast * c.H.transpose() * (c.H * forecast * c.H.transpose() + c.R).inverse();
    analysis = forecast - K * c.H * forecast;
    analysis = (0.5 * (analysis + analysis.transpose())).eval();
  }
  forecast = (0.5 * (forecast + forecast.transpose())).eval();
  problem.system.initial_covariance = matrix_of(analysis);
  FilterSettings variational{.method = "3dvar"};
  variational.background = matrix_of(forecast), variational.background_scale = 1;
  const AssimilationResult a = filtered(device(), problem, variational);
  const AssimilationResult b = filtered(device(), problem, {.method = "kalman"});
  EXPECT_LT(relative_error(a.analysis_mean, b.analysis_mean), 1e-11);
  EXPECT_LT(relative_error(a.analysis_spread, b.analysis_spread), 1e-11);
  EXPECT_LT(relative_error(a.scores, b.scores), 1e-11);
}

TEST_P(FixedGain, TakesTheSlopeOfObservationsAtTheBackgroundMean) {
  const LinearCase c(6, 5, 12, 1, false);
  FilterProblem problem = c.problem();
  problem.system.observation_function = ObservationFunction::exponential;
  const Dense B = covariance(6, 0.5, 6);
  const Eigen::VectorXd mean = scattered(6, 1, 8), m = c.F * c.m0;
  FilterSettings filter{.method = "3dvar"};
  filter.background = matrix_of(B), filter.background_mean = vector_of(mean), filter.background_scale = 1;
  const Dense H = Eigen::VectorXd((c.H * mean).array().exp()).asDiagonal() * c.H;
  const Dense K = B * H.transpose() * (H * B * H.transpose() + c.R).inverse();
  const Eigen::VectorXd seen = (c.H * m).array().exp();
  const Eigen::VectorXd expected = m + K * (c.y.row(0).transpose() - seen);
  EXPECT_LT((row_of(filtered(device(), problem, filter).analysis_mean, 0) - expected).norm(), 1e-12 * expected.norm());
}

TEST_P(FixedGain, IsEquivariantUnderCyclicShifts) {
  const long n = 12, every = 2, shift = 4, cycles = 3;
  FilterProblem problem = twins_of(sakov_system(n, every), cycles, 1)[0];
  FilterProblem shifted = problem;
  for (long i = 0; i < n; ++i) {
    shifted.system.initial_mean[(i + shift) % n] = problem.system.initial_mean[i];
    for (long j = 0; j < cycles; ++j) {
      shifted.data.truth(j, (i + shift) % n) = problem.data.truth(j, i);
      if (i % every == 0) shifted.data.y(j, (i + shift) % n / every) = problem.data.y(j, i / every);
    }
  }
  for (const char* method : {"climatology", "optimal-interpolation", "3dvar"}) {
    const AssimilationResult a = filtered(device(), problem, {.method = method});
    const AssimilationResult b = filtered(device(), shifted, {.method = method});
    for (long i = 0; i < n; ++i)
      EXPECT_NEAR(b.analysis_mean(cycles - 1, (i + shift) % n), a.analysis_mean(cycles - 1, i), 1e-12) << method;
  }
}

/// Published over long runs: 3.63, .95 and .41 (Sakov and Oke 2008).
TEST(FixedGainOnLorenz96, ReachesThePublishedErrors) {
  const auto problems = twins_of(sakov_system(), 1000, 4);
  const auto error_of = [&](const char* method) {
    double error = 0;
    for (const auto& scores : scores_of(Device::cpu(1), problems, {.method = method})) error += scores.analysis_error;
    return error / 4;
  };
  EXPECT_NEAR(error_of("climatology"), 3.63, 0.04);
  EXPECT_NEAR(error_of("optimal-interpolation"), 0.95, 0.03);
  EXPECT_NEAR(error_of("3dvar"), 0.41, 0.05);
}

std::string refusal(const FilterProblem& problem, const FilterSettings& filter, std::size_t memory = 0) {
  const AssimilationRun run{.filter = filter};
  return message_of([&] {
    assimilate(Device({.name = "cpu", .threads = 1, .memory_limit = memory}), {&problem, 1}, {&run, 1});
  });
}

TEST(BadFixedGain, IsNamed) {
  FilterProblem problem = twins_of(sakov_system(8), 2, 1)[0];
  FilterSettings filter{.method = "3dvar"};
  filter.background_scale = 0;
  EXPECT_THAT(refusal(problem, filter), HasSubstr("run 0 (3dvar): background_scale is 0, expected a positive number"));
  filter = {.method = "3dvar"}, filter.gain = Matrix({8, 7});
  EXPECT_THAT(refusal(problem, filter), HasSubstr("run 0 (3dvar): the gain K has shape [8, 7], expected [8, 8]"));
  filter = {.method = "3dvar"}, filter.background = Matrix({7, 8});
  EXPECT_THAT(refusal(problem, filter),
              HasSubstr("run 0 (3dvar): the background covariance has shape [7, 8], expected [8, 8]"));
  filter.background = scaled_identity(8, -1.0);
  EXPECT_THAT(refusal(problem, filter),
              HasSubstr("run 0 (3dvar): the background covariance is not positive semi-definite"));
  filter = {.method = "climatology"}, filter.background_mean = Vector({7});
  EXPECT_THAT(refusal(problem, filter),
              HasSubstr("run 0 (climatology): the background mean has 7 entries, expected 8 finite ones"));
  problem.data.truth = Matrix();
  EXPECT_THAT(refusal(problem, {.method = "3dvar"}),
              HasSubstr("data set 0 has no truth of at least two cycles to take the background covariance from. Give "
                        "background, or a gain."));
  filter = {.method = "optimal-interpolation"}, filter.background = scaled_identity(8, 1.0);
  EXPECT_THAT(refusal(problem, filter),
              HasSubstr("to take the background mean from. Give background and background_mean."));
}

TEST(FixedGainMemory, IsRefusedWhenEveryCycleNeedsItsOwnGain) {
  FilterProblem problem = twins_of(sakov_system(8), 60, 1)[0];
  for (long j = 1; j < 60; ++j)
    for (long k = 0; k < 8; ++k)
      if ((j >> k) % 2) problem.data.y(j, k) = NAN;
  FilterSettings filter{.method = "3dvar"};
  EXPECT_THAT(refusal(problem, filter, 200'000),
              ::testing::AllOf(HasSubstr("3dvar: the gains for more than "),
                               HasSubstr("sets of observations present need more than 50000 bytes"),
                               HasSubstr("or use \"ekf\"")));
  filter.gain = scaled_identity(8, 0.3);  // one for all
  EXPECT_EQ(refusal(problem, filter, 200'000), "");
}

}  // namespace
}  // namespace vida
