#include <gmock/gmock.h>

#include "backends.hpp"
#include "filter_cases.hpp"
#include "messages.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

bool same_numbers(const Matrix& a, const Matrix& b) {
  if (a.extents() != b.extents()) return false;
  for (long i = 0; i < a.size(); ++i)
    if (!(a.data()[i] == b.data()[i] || (std::isnan(a.data()[i]) && std::isnan(b.data()[i])))) return false;
  return true;
}

/// Two data sets of Lorenz-96, then two of a linear model.
std::vector<FilterProblem> problems_of_every_method(long cycles) {
  std::vector<FilterProblem> problems = twins_of(sakov_system(8), cycles, 2);
  StateSpaceModel linear = sakov_system(8);
  linear.model = LinearDynamics{matrix_of(0.9 * Dense::Identity(8, 8) + 0.1 * scattered(8, 8)), 0.1};
  for (FilterProblem& problem : twins_of(linear, cycles, 2)) problems.push_back(std::move(problem));
  return problems;
}

/// A run of every method on each of two data sets, and some of other sizes in between.
std::vector<AssimilationRun> every_method() {
  std::vector<AssimilationRun> runs;
  for (const FilterMethod& method : filter_methods())
    for (const long of : {0, 1}) {
      const long problem = method.linear ? of + 2 : of;
      FilterSettings filter{.method = method.name, .members = 10, .inflation = 1.05, .rotation = of == 1};
      runs.push_back({.problem = problem, .filter = filter, .seed = 7});
      filter.members = 7;
      filter.relaxation = 0.3;
      filter.lag = problem == 0 ? 3 : 2;
      runs.push_back({.problem = problem, .filter = filter, .seed = 8});
    }
  return runs;
}

class Assimilation : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Assimilation);

TEST_P(Assimilation, OfEveryMethodIsTheSameAloneAndInABatch) {
  const auto problems = problems_of_every_method(kOnShim ? 3 : 80);
  const AssimilationOptions options{.keep_means = true, .keep_ranks = true, .keep_members = true, .crps_every = 2};
  const auto runs = every_method();
  const auto batch = assimilate(device(3), problems, runs, options);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto alone = assimilate(device(1), problems, {&runs[i], 1}, options)[0];
    EXPECT_TRUE(same_numbers(batch[i].scores, alone.scores)) << i << " " << runs[i].filter.method;
    EXPECT_TRUE(same_numbers(batch[i].analysis_mean, alone.analysis_mean)) << i << " " << runs[i].filter.method;
    EXPECT_TRUE(same_numbers(batch[i].members, alone.members)) << i << " " << runs[i].filter.method;
    EXPECT_TRUE(same_numbers(batch[i].covariance, alone.covariance)) << i << " " << runs[i].filter.method;
    EXPECT_EQ(batch[i].failed_at, -1) << runs[i].filter.method;
  }
}

TEST(AssimilationMemory, DoesNotChangeTheResult) {
  const auto problems = problems_of_every_method(70);
  const auto runs = every_method();
  const auto all = assimilate(Device::cpu(2), problems, runs);
  const auto few = assimilate(Device({.name = "cpu", .threads = 2, .memory_limit = 200'000}), problems, runs);
  for (std::size_t i = 0; i < runs.size(); ++i) EXPECT_TRUE(same_numbers(all[i].scores, few[i].scores)) << i;
}

TEST(AssimilationScores, AreThoseOfTheMeansAndMembers) {
  const auto problems = twins_of(sakov_system(8), 30, 1);
  const AssimilationRun run{.filter = {.method = "etkf", .members = 9, .inflation = 1.05}};
  const auto result = assimilate(Device::cpu(1), problems, {&run, 1},
                                 {.keep_means = true, .keep_ranks = true, .keep_members = true, .crps_every = 1})[0];
  const Matrix& truth = problems[0].data.truth;
  const long last = 29, N = 9;
  double error = 0, variance = 0, crps = 0;
  for (long i = 0; i < 8; ++i) {
    error += std::pow(result.analysis_mean(last, i) - truth(last, i), 2) / 8;
    variance += std::pow(result.analysis_spread(last, i), 2) / 8;
    double to_truth = 0, apart = 0, squares = 0;
    for (long k = 0; k < N; ++k) {
      to_truth += std::abs(result.members(k, i) - truth(last, i)) / N;
      squares += std::pow(result.members(k, i) - result.analysis_mean(last, i), 2) / (N - 1);
      for (long m = 0; m < N; ++m) apart += std::abs(result.members(k, i) - result.members(m, i)) / (N * N);
    }
    EXPECT_NEAR(result.analysis_spread(last, i), std::sqrt(squares), 1e-12);
    crps += (to_truth - apart / 2) / 8;
  }
  const auto score = [&](CycleScore which) { return result.scores(last, static_cast<int>(which)); };
  EXPECT_NEAR(score(CycleScore::analysis_error), std::sqrt(error), 1e-13);
  EXPECT_NEAR(score(CycleScore::analysis_spread), std::sqrt(variance), 1e-13);
  EXPECT_NEAR(score(CycleScore::analysis_crps), crps, 1e-13);
  for (const int rank : result.ranks) EXPECT_TRUE(rank >= 0 && rank <= N);
}

TEST(AssimilationFailure, IsFlaggedAndLeavesOthersAlone) {
  auto problems = twins_of(sakov_system(8), 40, 1);
  const std::vector<AssimilationRun> runs = {{.filter = {.method = "etkf", .members = 9, .inflation = 1.05}},
                                             {.filter = {.method = "etkf", .members = 9, .inflation = 1e9}}};
  const auto results = assimilate(Device::cpu(2), problems, runs);
  const auto alone = assimilate(Device::cpu(1), problems, {&runs[0], 1})[0];
  EXPECT_EQ(results[0].failed_at, -1);
  EXPECT_TRUE(same_numbers(results[0].scores, alone.scores));
  const long failed = results[1].failed_at;
  ASSERT_GE(failed, 0);
  EXPECT_TRUE(std::isnan(results[1].scores(failed, 0)));
  if (failed > 0) {
    EXPECT_FALSE(std::isnan(results[1].scores(failed - 1, 0)));
  }
}

std::string refusal(const FilterSettings& filter, FilterProblem problem = twins_of(sakov_system(8), 2, 1)[0],
                    std::size_t memory = 0) {
  const AssimilationRun run{.filter = filter};
  return message_of([&] {
    assimilate(Device({.name = "cpu", .threads = 1, .memory_limit = memory}), {&problem, 1}, {&run, 1});
  });
}

TEST(BadAssimilation, IsNamed) {
  EXPECT_THAT(refusal({.method = "etfk"}), HasSubstr("there is no filter \"etfk\"; expected one of"));
  EXPECT_THAT(refusal({.members = 1}), HasSubstr("run 0 (etkf): members is 1, expected at least 2"));
  EXPECT_THAT(refusal({.inflation = 0}), HasSubstr("inflation is 0, expected a positive number"));
  EXPECT_THAT(refusal({.relaxation = 2}), HasSubstr("relaxation is 2, expected a number from 0 to 1"));
  EXPECT_THAT(refusal({.radius = 0}), HasSubstr("radius is 0, expected a positive number of components"));
  EXPECT_THAT(refusal({.members = 1000}, twins_of(sakov_system(8), 2, 1)[0], 1'000'000),
              ::testing::AllOf(HasSubstr("etkf with 1000 members of 8 components needs"), HasSubstr("At most "),
                               HasSubstr(" members fit.")));
  FilterProblem missing = twins_of(sakov_system(8), 2, 1)[0];
  std::fill(missing.data.y.begin(), missing.data.y.end(), NAN);
  EXPECT_THAT(refusal({}, missing), HasSubstr("data set 0: every entry of y is missing"));
}

}  // namespace
}  // namespace vida
