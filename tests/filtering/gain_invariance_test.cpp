#include <gtest/gtest.h>

#include <cmath>

#include "backends.hpp"
#include "golden.hpp"

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

GainValue evaluate(const Device& device, const FilterProblem& problem, const Matrix& gain,
                   const GainObjectiveOptions& options) {
  GainObjective objective(device, {&problem, 1}, options);
  return std::move(objective.evaluate({&gain, 1}, true, 3)[0]);
}

/// A device that may hold no more than one problem at once.
Device with_little_memory(const std::string& name) { return Device({.name = name, .threads = 3, .memory_limit = 1}); }

class GainBits : public testing::OnEveryBackend {
 protected:
  bool small() const { return testing::kOnShim && on_cuda(); }

  /// Calls `check` in both precisions, with the exact and the Monte Carlo objective.
  template <class Check>
  static void for_every_form(const Check& check) {
    for (Precision precision : {Precision::float32, Precision::float64})
      for (Expectation expectation : {Expectation::exact, Expectation::monte_carlo}) {
        SCOPED_TRACE(::testing::Message() << (precision == Precision::float32 ? "float32" : "float64")
                                          << (expectation == Expectation::exact ? ", exact" : ", Monte Carlo"));
        check(GainObjectiveOptions{.precision = precision, .expectation = expectation});
      }
  }

  std::vector<FilterProblem> batch(std::size_t size) const {
    std::vector<FilterProblem> problems(size, problem_);
    for (std::size_t i = 0; i < size; ++i) {
      for (double& value : problems[i].data.y) value += 0.01 * static_cast<double>(i);
      problems[i].seed = i;
    }
    return problems;
  }
  const FilterProblem problem_ = testing::shortened(problem_with_gaps(), small() ? 7 : 30);
  const Matrix gain_ = Golden("filter_general_n12_p8.nc").matrix("K");
};

TEST_P(GainBits, DoNotDependOnTheChunk) {
  for_every_form([&](GainObjectiveOptions options) {
    const GainValue reference = evaluate(device(), problem_, gain_, options);
    for (long chunk : {1L, 7L, 30L, 1000L}) {
      options.chunk = small() ? (chunk + 2) / 3 : chunk;
      expect_same_bits(evaluate(device(), problem_, gain_, options), reference);
    }
  });
}

TEST_P(GainBits, DoNotDependOnCheckpoints) {
  for_every_form([&](GainObjectiveOptions options) {
    const GainValue reference = evaluate(device(), problem_, gain_, options);
    const long cycles = problem_.data.y.extent(0);
    options.chunk = 3;
    for (long interval : {1L, 4L, cycles - 1, cycles, cycles + 1}) {
      options.checkpoint_interval = interval;
      expect_same_bits(evaluate(device(), problem_, gain_, options), reference);
    }
  });
}

TEST_P(GainBits, AreTheSameAloneAndInABatch) {
  const auto problems = batch(small() ? 5 : 37);
  for_every_form([&](const GainObjectiveOptions& options) {
    GainObjective objective(device(), problems, options);
    const auto values = objective.evaluate(std::vector<Matrix>(problems.size(), gain_), true, 3);
    for (std::size_t i : {std::size_t{0}, std::size_t{1}, problems.size() / 2, problems.size() - 1})
      expect_same_bits(values[i], evaluate(device(), problems[i], gain_, options));
    EXPECT_NE(values[0].cost, values[1].cost);
  });
}

TEST_P(GainBits, DoNotDependOnTheMemoryLimit) {
  const auto problems = batch(small() ? 3 : 5);
  const std::vector<Matrix> gains(problems.size(), gain_);
  for_every_form([&](const GainObjectiveOptions& options) {
    GainObjective wide(device(3), problems, options), narrow(with_little_memory(GetParam()), problems, options);
    const auto a = wide.evaluate(gains, true, 3), b = narrow.evaluate(gains, true, 3);
    for (std::size_t i = 0; i < problems.size(); ++i) expect_same_bits(a[i], b[i]);
  });
}

TEST_P(GainBits, OfTheExtendedKalmanFilterDoNotDependOnTheBatch) {
  const auto problems = batch(5);
  const auto together = extended_kalman_filter(device(3), problems);
  for (std::size_t i = 0; i < problems.size(); ++i) {
    const auto alone = extended_kalman_filter(device(1), {&problems[i], 1});
    EXPECT_TRUE(together[i].analysis_mean == alone[0].analysis_mean);
    EXPECT_TRUE(together[i].gain_steady == alone[0].gain_steady);
    EXPECT_EQ(together[i].chi_square, alone[0].chi_square);
  }
}

VIDA_ON_EVERY_BACKEND(GainBits);

class GainBitsOnTheCpu : public GainBits {};

TEST_P(GainBitsOnTheCpu, DoNotDependOnThreadsThatShareOneProblem) {
  for_every_form([&](const GainObjectiveOptions& options) {
    const GainValue one = evaluate(device(1), problem_, gain_, options);
    for (int threads : {2, 3}) expect_same_bits(evaluate(device(threads), problem_, gain_, options), one);
  });
}

INSTANTIATE_TEST_SUITE_P(Backend, GainBitsOnTheCpu, ::testing::Values("cpu"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace vida
