#include <algorithm>
#include <cmath>
#include <limits>

#include "vida/assimilation.hpp"

namespace vida {
namespace {

constexpr long kBatches = 20;        // of the error bar
constexpr long kLostForCycles = 20;  // in a row above the threshold

/// Mean over the cycles from `first` whose score is a number; NaN without any.
double mean_from(const Matrix& scores, CycleScore score, long first, long end) {
  double sum = 0;
  long count = 0;
  for (long j = first; j < end; ++j) {
    const double value = scores(j, static_cast<int>(score));
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

/// Standard error of the mean from means of consecutive batches, which are nearly independent.
double batch_deviation(const Matrix& scores, CycleScore score, long first) {
  const long cycles = scores.extent(0) - first;
  if (cycles < 2 * kBatches) return std::numeric_limits<double>::quiet_NaN();
  double mean = 0, squares = 0;
  for (long b = 0; b < kBatches; ++b) {
    const double value = mean_from(scores, score, first + b * cycles / kBatches, first + (b + 1) * cycles / kBatches);
    mean += value / kBatches, squares += value * value / kBatches;
  }
  return std::sqrt(std::max(0.0, squares - mean * mean) / (kBatches - 1));
}

long lost_at(const Matrix& scores, long burn_in, double threshold) {
  long above = 0;
  for (long j = burn_in; j < scores.extent(0); ++j) {
    above = scores(j, static_cast<int>(CycleScore::analysis_error)) > threshold ? above + 1 : 0;
    if (above == kLostForCycles) return j - kLostForCycles + 1;
  }
  return -1;
}

}  // namespace

AssimilationSummary summarize(const AssimilationResult& result, long burn_in, double threshold) {
  const Matrix& scores = result.scores;
  if (burn_in < 0 || burn_in >= scores.extent(0))
    throw InvalidArgument("the burn-in is " + std::to_string(burn_in) + " cycles of " +
                          std::to_string(scores.extent(0)) + "; leave some to average over.");
  const auto mean = [&](CycleScore score) { return mean_from(scores, score, burn_in, scores.extent(0)); };
  AssimilationSummary summary{.forecast_error = mean(CycleScore::forecast_error),
                              .analysis_error = mean(CycleScore::analysis_error),
                              .analysis_error_deviation = batch_deviation(scores, CycleScore::analysis_error, burn_in),
                              .forecast_spread = mean(CycleScore::forecast_spread),
                              .analysis_spread = mean(CycleScore::analysis_spread),
                              .chi_square = mean(CycleScore::chi_square),
                              .forecast_crps = mean(CycleScore::forecast_crps),
                              .analysis_crps = mean(CycleScore::analysis_crps),
                              .lost_at = lost_at(scores, burn_in, threshold),
                              .failed_at = result.failed_at};
  summary.ratio = summary.analysis_spread / summary.analysis_error;
  return summary;
}

}  // namespace vida
