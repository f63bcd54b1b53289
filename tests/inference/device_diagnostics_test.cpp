// Only the order of the weights comes from the device, and a stable order is unique: the bits are those without one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "backends.hpp"
#include "messages.hpp"
#include "vida/diagnostics.hpp"
#include "vida/random.hpp"

namespace vida {
namespace {

using ::testing::HasSubstr;
using namespace vida::testing;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<double> log_weights(long draws, double (*of)(double normal)) {
  std::vector<double> values;
  for (std::uint32_t i = 0; i < draws; ++i) values.push_back(of(standard_normal({.seed = 4}, i)));
  return values;
}

/// A report as integers, so that a NaN equals itself and the zeros differ.
std::vector<std::uint64_t> bits(const ImportanceReport& report) {
  std::vector<std::uint64_t> result;
  const auto add = [&](double value) { result.push_back(std::bit_cast<std::uint64_t>(value)); };
  for (const Estimate& estimate : {report.elbo, report.log_evidence}) add(estimate.value), add(estimate.standard_error);
  add(report.k_hat), add(report.effective_draws);
  for (const double value : report.moments.mean) add(value);
  for (const double value : report.moments.covariance) add(value);
  return result;
}

class ReportOfADevice : public OnEveryBackend {
 protected:
  void expect_same_bits(double (*of)(double normal)) const {
    for (const long count : {25L, 1000L, 100000L}) {
      SCOPED_TRACE(count);
      const auto values = log_weights(count, of);
      Matrix draws({count, 2});
      for (long i = 0; i < draws.size(); ++i) draws.data()[i] = std::sin(static_cast<double>(i));
      const auto report = bits(importance_report(values, draws));
      const ParetoSmoothed alone = pareto_smoothed(values);
      for (const int threads : {1, 2}) {
        EXPECT_EQ(bits(importance_report(device(threads), values, draws)), report);
        const ParetoSmoothed found = pareto_smoothed(device(threads), values);
        EXPECT_EQ(found.tail, alone.tail);
        EXPECT_TRUE(std::equal(found.log_weights.begin(), found.log_weights.end(), alone.log_weights.begin()));
      }
    }
  }
};
VIDA_ON_EVERY_BACKEND(ReportOfADevice);

TEST_P(ReportOfADevice, HasTheBitsOfTheReportWithoutOne) {
  expect_same_bits([](double normal) { return normal; });
  expect_same_bits([](double normal) { return 0.4 * normal * normal - 1000; });  // k-hat 0.8
}

TEST_P(ReportOfADevice, HasThemWithEqualWeightsAndZeroWeights) {
  expect_same_bits([](double normal) { return std::floor(4 * normal) / 4; });
  expect_same_bits([](double normal) { return normal < 0.3 ? -kInfinity : normal; });
}

// No tail at all; a tail of fewer than five; one that reaches weights which underflow.
TEST_P(ReportOfADevice, HasThemWithoutATailToSmooth) {
  expect_same_bits([](double) { return 3.0; });
  expect_same_bits([](double normal) { return normal < 1.5 ? -kInfinity : 0.0; });
  expect_same_bits([](double normal) { return 1e4 * normal; });
}

TEST_P(ReportOfADevice, SaysWhatIsWrong) {
  const Device on = device();
  EXPECT_THAT(message_of([&] { pareto_smoothed(on, std::vector<double>(24, 0.0)); }),
              HasSubstr("log_weights holds 24 draws; at least 25 are needed"));
  EXPECT_THAT(message_of([&] {
                importance_report(on, std::vector<double>(30, NAN), Matrix({30, 2}));
              }),
              HasSubstr("log_weights[0] is nan"));
  const double one = 0;
  const std::span<const double> many(&one, std::size_t{1} << 31);  // refused before it is read
  EXPECT_THAT(message_of([&] { pareto_smoothed(on, many); }),
              HasSubstr("log_weights holds 2147483648 draws; at most 2147483647 are possible"));
}

}  // namespace
}  // namespace vida
