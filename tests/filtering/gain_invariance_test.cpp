#include <gtest/gtest.h>

#include "golden.hpp"
#include "near.hpp"

namespace vida {
namespace {

using testing::Golden;

FilterProblem problem_with_gaps() {
  FilterProblem problem = Golden("filter_general_n12_p8.nc").general();
  for (long j = 0; j < problem.data.y.extent(0); j += 4) problem.data.y(j, j % 8) = NAN;
  return problem;
}

void expect_same_bits(const GainValue& a, const GainValue& b) {
  EXPECT_EQ(a.cost, b.cost);
  EXPECT_EQ(a.kl, b.kl);
  EXPECT_EQ(a.loglik, b.loglik);
  EXPECT_TRUE(a.gradient == b.gradient);
  EXPECT_TRUE(a.analysis_mean == b.analysis_mean);
  EXPECT_TRUE(a.analysis_cov_last == b.analysis_cov_last);
}

GainValue evaluate(const FilterProblem& problem, const Matrix& gain, int threads, GainObjectiveOptions options) {
  GainObjective objective(Device::cpu(threads), {&problem, 1}, options);
  return std::move(objective.evaluate({&gain, 1}, true, 3)[0]);
}

class GainBits : public ::testing::TestWithParam<std::tuple<Precision, Expectation>> {
 protected:
  GainObjectiveOptions options() const {
    return {.precision = std::get<0>(GetParam()), .expectation = std::get<1>(GetParam())};
  }
  FilterProblem problem_ = problem_with_gaps();
  Matrix gain_ = Golden("filter_general_n12_p8.nc").matrix("K");
};

TEST_P(GainBits, DoNotDependOnThreadsThatShareOneProblem) {
  const GainValue one = evaluate(problem_, gain_, 1, options());
  for (int threads : {2, 3}) expect_same_bits(evaluate(problem_, gain_, threads, options()), one);
}

TEST_P(GainBits, DoNotDependOnTheChunk) {
  const GainValue reference = evaluate(problem_, gain_, 2, options());
  for (long chunk : {1L, 7L, 30L, 1000L}) {
    auto with = options();
    with.chunk = chunk;
    expect_same_bits(evaluate(problem_, gain_, 2, with), reference);
  }
}

TEST_P(GainBits, DoNotDependOnCheckpoints) {
  const GainValue reference = evaluate(problem_, gain_, 2, options());
  for (long interval : {1L, 4L, 29L, 30L, 31L}) {
    auto with = options();
    with.checkpoint_interval = interval;
    with.chunk = 3;
    expect_same_bits(evaluate(problem_, gain_, 2, with), reference);
  }
}

TEST_P(GainBits, AreTheSameAloneAndInABatchOf37) {
  std::vector<FilterProblem> batch(37, problem_);
  for (std::size_t i = 0; i < batch.size(); ++i)
    for (double& value : batch[i].data.y) value += 0.01 * static_cast<double>(i);
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].seed = i;
  GainObjective objective(Device::cpu(2), batch, options());
  const auto values = objective.evaluate(std::vector<Matrix>(batch.size(), gain_), true, 3);
  for (std::size_t i : {0u, 1u, 17u, 36u}) expect_same_bits(values[i], evaluate(batch[i], gain_, 2, options()));
  EXPECT_NE(values[0].cost, values[1].cost);
}

TEST_P(GainBits, DoNotDependOnTheMemoryLimit) {
  std::vector<FilterProblem> batch(5, problem_);
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].seed = i;
  const std::vector<Matrix> gains(batch.size(), gain_);
  GainObjective wide(Device::cpu(3), batch, options());
  GainObjective narrow(Device({.name = "cpu", .threads = 3, .memory_limit = 1}), batch, options());
  const auto a = wide.evaluate(gains, true, 3), b = narrow.evaluate(gains, true, 3);
  for (std::size_t i = 0; i < batch.size(); ++i) expect_same_bits(a[i], b[i]);
}

INSTANTIATE_TEST_SUITE_P(Forms, GainBits,
                         ::testing::Combine(::testing::Values(Precision::float32, Precision::float64),
                                            ::testing::Values(Expectation::exact, Expectation::monte_carlo)));

TEST(EkfBits, DoNotDependOnThreadsOrBatch) {
  const std::vector<FilterProblem> batch(5, problem_with_gaps());
  const auto alone = extended_kalman_filter(Device::cpu(1), {batch.data(), 1});
  const auto together = extended_kalman_filter(Device::cpu(3), batch);
  for (const FilterResult& result : together) {
    EXPECT_TRUE(result.analysis_mean == alone[0].analysis_mean);
    EXPECT_TRUE(result.gain_steady == alone[0].gain_steady);
    EXPECT_EQ(result.chi_square, alone[0].chi_square);
  }
}

}  // namespace
}  // namespace vida
