#include <gmock/gmock.h>

#include "backends.hpp"
#include "filter_cases.hpp"
#include "messages.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

class Ienks : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Ienks);

FilterSettings smoother(int members, int lag, int iterations) {
  return {.method = "ienks", .members = members, .lag = lag, .iterations = iterations};
}

/// Without inflation and rotation, which the window's start takes.
TEST_P(Ienks, OnALinearModelIsTheEtkf) {
  LinearCase c(6, 5, 8, 5, false);
  c.y(1, 2) = NAN;
  c.y.row(3).setConstant(NAN);
  const Dense expected = last_members(device(), c.problem(), {.method = "etkf", .members = 8}, c.members);
  for (const int lag : {1, 3, 9})
    for (const int iterations : {1, 2, 5}) {
      const Dense members = last_members(device(), c.problem(), smoother(8, lag, iterations), c.members);
      EXPECT_LT((members - expected).norm(), 1e-10 * expected.norm()) << lag << " " << iterations;
    }
}

/// Rotations and inflation at the window's start reach the next forecast as if they were made at its end. On many
/// cycles, so that the state goes through device memory between launches.
TEST_P(Ienks, OnALinearModelForecastsLikeTheEtkfWithInflationAndRotation) {
  LinearCase c(4, 3, 6, kOnShim ? 6 : 300, true);
  c.F = 0.97 * Eigen::HouseholderQR<Dense>(scattered(4, 4, 1)).householderQ().operator*(Dense::Identity(4, 4));
  const FilterProblem problem = c.problem();
  const auto forecasts = [&](FilterSettings filter) {
    filter.inflation = 1.05, filter.rotation = true;
    const AssimilationRun run{.filter = filter, .seed = 3, .initial_members = matrix_of(c.members)};
    return dense(assimilate(device(), {&problem, 1}, {&run, 1}, {.keep_means = true})[0].forecast_mean);
  };
  const Dense expected = forecasts({.method = "etkf", .members = 6});
  for (const int lag : {1, 3})
    EXPECT_LT((forecasts(smoother(6, lag, 2)) - expected).norm(), 1e-10 * expected.norm()) << lag;
}

/// The method step by step with dense algebra, members as rows; E: the ensemble at the first window's start.
Dense smoothed(const FilterProblem& problem, const FilterSettings& filter, Dense E) {
  const long N = E.rows(), cycles = problem.data.y.extent(0), lag = filter.lag;
  const double n1 = N - 1.0;
  const Dense H = dense(problem.system.observation_operator), y = dense(problem.data.y);
  const Dense root =
      Eigen::SelfAdjointEigenSolver<Dense>(dense(problem.system.observation_noise)).operatorInverseSqrt();
  const auto forecast = [&](const Dense& members, long count) {
    Matrix states = matrix_of(members);
    advance<double>(Device::cpu(1), std::get<Lorenz96>(problem.system.model), states,
                    static_cast<int>(count) * problem.system.steps_per_cycle);
    return dense(states);
  };
  Dense analysis;
  for (long j = 0; j < cycles; ++j) {
    const Eigen::RowVectorXd mean = E.colwise().mean();
    const Dense X = E.rowwise() - mean;
    Eigen::RowVectorXd w = Eigen::RowVectorXd::Zero(N), dw;
    Dense T = Dense::Identity(N, N), before, end, X_f;
    for (int iteration = 0; iteration < filter.iterations; ++iteration) {
      end = forecast((T * X).rowwise() + (mean + w * X), std::min(j + 1, lag));
      if (iteration == 0) X_f = end.rowwise() - end.colwise().mean();
      const Dense seen = (end * H.transpose()).array().square();
      const Eigen::RowVectorXd d = (y.row(j) - seen.colwise().mean()) * root;
      const Dense Y0 = T.inverse() * (seen.rowwise() - seen.colwise().mean()) * root;
      const Dense M = Y0 * Y0.transpose() + n1 * Dense::Identity(N, N);
      before = T;
      dw = (d * Y0.transpose() - n1 * w) * M.inverse();
      w += dw;
      T = std::sqrt(n1) * Eigen::SelfAdjointEigenSolver<Dense>(M).operatorInverseSqrt();
    }
    analysis = end + ((T - before) * X_f) + Dense::Ones(N, 1) * (dw * X_f);
    E = (filter.inflation * T * X).rowwise() + (mean + w * X);
    if (j + 1 >= lag) E = forecast(E, 1);
  }
  return analysis;
}

TEST_P(Ienks, MatchesDenseAlgebraWhereModelAndObservationsAreNonlinear) {
  StateSpaceModel system = sakov_system(6, 2);
  system.observation_function = ObservationFunction::square;
  system.observation_noise = matrix_of(covariance(3, 4, 3));
  system.steps_per_cycle = 2;
  const FilterProblem problem = twins_of(system, 5, 1)[0];
  const Dense truth = dense(problem.data.truth);
  const Dense start = (0.5 * scattered(7, 6)).rowwise() + truth.row(0);
  for (const int lag : {1, 3}) {
    FilterSettings filter = smoother(7, lag, 4);
    filter.inflation = 1.1;
    const Dense expected = smoothed(problem, filter, start);
    const Dense members = last_members(device(), problem, filter, start);
    EXPECT_LT((members - expected).norm(), 1e-10 * expected.norm()) << lag;
  }
}

/// x stays; y = x^2 + noise of variance 4; members .5 and 1.5. At the mean c and anomalies t a (a = .5) Y0 is 2 c a,
/// t^2 = 1 / (1 + 8 c^2 a^2 / R), and the weights -+(c - 1) / (2 a) are stationary when they equal
/// 2 c a (y - c^2 - t^2 a^2) / R: for c = 2 there is t^2 = 1 / 3 and y = 6 + 1 / 12.
TEST_P(Ienks, MatchesACaseWorkedByHand) {
  LinearCase c(1, 1, 2, 1, true);
  c.F << 1, c.H << 1, c.R << 4, c.y << 6 + 1.0 / 12, c.members << 0.5, 1.5, c.m0 << 1;
  FilterProblem problem = c.problem();
  problem.system.observation_function = ObservationFunction::square;
  const Dense members = last_members(device(), problem, smoother(2, 1, 60), c.members);
  EXPECT_NEAR(members(0, 0), 2 - 0.5 / std::sqrt(3), 1e-10);
  EXPECT_NEAR(members(1, 0), 2 + 0.5 / std::sqrt(3), 1e-10);
}

TEST_P(Ienks, ForecastsWhereNothingIsObserved) {
  FilterProblem problem = twins_of(sakov_system(6), 3, 1)[0];
  for (long j = 0; j < 2; ++j)
    for (long i = 0; i < 6; ++i) problem.data.y(j, i) = NAN;
  const Dense start = scattered(5, 6);
  for (const int lag : {1, 2, 3}) {
    FilterSettings filter = smoother(5, lag, 3);
    filter.inflation = 1.5, filter.rotation = true;
    const AssimilationRun run{.filter = filter, .initial_members = matrix_of(start)};
    const AssimilationResult result = assimilate(device(), {&problem, 1}, {&run, 1}, {.keep_means = true})[0];
    Matrix members = matrix_of(start);
    for (long j = 0; j < 3; ++j) {
      advance<double>(Device::cpu(1), Lorenz96{.n = 6}, members, 1);
      const Dense covariance = sample_covariance(dense(members));
      EXPECT_LT((dense(result.forecast_mean).row(j) - dense(members).colwise().mean()).norm(), 1e-13) << lag;
      EXPECT_NEAR(result.scores(j, static_cast<int>(CycleScore::forecast_spread)), std::sqrt(covariance.trace() / 6),
                  1e-13);
      if (j == 2) break;
      EXPECT_LT((dense(result.analysis_mean).row(j) - dense(members).colwise().mean()).norm(), 1e-13) << lag;
      EXPECT_NEAR(result.analysis_spread(j, 4), std::sqrt(covariance(4, 4)), 1e-13);
      EXPECT_TRUE(std::isnan(result.scores(j, static_cast<int>(CycleScore::chi_square))));
    }
  }
}

TEST_P(Ienks, TurnsWithTheRing) {
  FilterProblem problem = twins_of(sakov_system(8), 2, 1)[0];
  const Dense start = scattered(6, 8);
  const auto turned = [](const Dense& rows) {
    Dense to(rows.rows(), rows.cols());
    for (long i = 0; i < rows.cols(); ++i) to.col((i + 3) % rows.cols()) = rows.col(i);
    return to;
  };
  FilterProblem moved = problem;
  moved.data.y = matrix_of(turned(dense(problem.data.y)));
  const Dense members = last_members(device(), problem, smoother(6, 2, 3), start);
  const Dense others = last_members(device(), moved, smoother(6, 2, 3), turned(start));
  EXPECT_LT((turned(members) - others).norm(), 1e-11 * members.norm());
}

/// All the way back: the second forecast has the spread of initial members that were only multiplied by 2, twice.
TEST_P(Ienks, RelaxesToTheSpreadAtTheWindowsStart) {
  LinearCase c(5, 5, 8, 2, true);
  c.F = 2 * Dense::Identity(5, 5);
  const FilterProblem problem = c.problem();
  FilterSettings relaxed = smoother(8, 1, 2);
  relaxed.relaxation = 1;
  const AssimilationRun run{.filter = relaxed, .initial_members = matrix_of(c.members)};
  const Matrix scores = assimilate(device(), {&problem, 1}, {&run, 1})[0].scores;
  const double start = std::sqrt(c.P0.trace() / 5);
  EXPECT_NEAR(scores(1, static_cast<int>(CycleScore::forecast_spread)), 4 * start, 1e-12);
  EXPECT_LT(scores(1, static_cast<int>(CycleScore::analysis_spread)), 2 * start);
}

TEST(BadIenks, IsNamed) {
  FilterProblem problem = twins_of(sakov_system(8), 2, 1)[0];
  const auto refusal = [&](const FilterSettings& filter) {
    const AssimilationRun run{.filter = filter};
    return message_of([&] { assimilate(Device::cpu(1), {&problem, 1}, {&run, 1}); });
  };
  EXPECT_THAT(refusal(smoother(9, 0, 3)), HasSubstr("run 0 (ienks): lag is 0, expected at least 1 cycle"));
  EXPECT_THAT(refusal(smoother(9, 1, 0)), HasSubstr("run 0 (ienks): iterations is 0, expected at least 1"));
  problem.system.process_noise(2, 2) = 0.1;
  EXPECT_THAT(refusal(smoother(9, 1, 3)), HasSubstr("run 0 (ienks): data set 0 has model noise, expected none"));
}

/// Published: .17 over long runs (Bocquet and Sakov 2014); two short ones scatter by about .01.
TEST(IenksOnLorenz96, ReachesThePublishedError) {
  FilterSettings filter = smoother(40, 1, 3);
  filter.inflation = 1.01, filter.rotation = true;
  double error = 0;
  for (const auto& scores : scores_of(Device::cpu(1), twins_of(sakov_system(), 400, 2), filter)) {
    EXPECT_EQ(scores.lost_at, -1);
    error += scores.analysis_error / 2;
  }
  EXPECT_NEAR(error, 0.17, 0.02);
}

}  // namespace
}  // namespace vida
