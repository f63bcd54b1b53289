#include "inference/diagnostics/log_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "vida/error.hpp"

namespace vida {

void check_log_weights(std::span<const double> log_weights, long least) {
  const long draws = std::ssize(log_weights);
  if (draws < least)
    throw InvalidArgument(
        fmt::format("log_weights holds {} draw{}; at least {} are needed.", draws, draws == 1 ? "" : "s", least));
  bool any = false;
  for (long i = 0; i < draws; ++i) {
    const double value = log_weights[i];
    if (std::isnan(value) || value == std::numeric_limits<double>::infinity())
      throw InvalidArgument(
          fmt::format("log_weights[{}] is {}; it must be finite, or -inf for a weight of zero.", i, value));
    any = any || std::isfinite(value);
  }
  if (!any)
    throw InvalidArgument(fmt::format(
        "log_weights: all {} are -inf; no draw lies in the support of the target. Use a wider proposal.", draws));
}

double log_sum_exp(std::span<const double> log_weights) {
  const double largest = *std::max_element(log_weights.begin(), log_weights.end());
  double sum = 0;
  for (double value : log_weights) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

std::vector<double> normalised_weights(std::span<const double> log_weights) {
  const double largest = *std::max_element(log_weights.begin(), log_weights.end());
  std::vector<double> weights(log_weights.size());
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] = std::exp(log_weights[i] - largest);
  for (double& weight : weights) weight /= sum;
  return weights;
}

}  // namespace vida
