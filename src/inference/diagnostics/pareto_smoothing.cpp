#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "inference/diagnostics/generalised_pareto.hpp"
#include "inference/diagnostics/log_weights.hpp"
#include "vida/diagnostics.hpp"

namespace vida {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr long kLeastDraws = 25;  // a tail of five
constexpr long kLeastTail = 5;

/// The log weight at which the tail begins, when the largest is 0. exp of it must not underflow.
double tail_cutoff(std::vector<double> values) {
  const auto draws = static_cast<double>(values.size());
  const auto tail = static_cast<long>(std::ceil(std::min(draws / 5, 3 * std::sqrt(draws))));
  std::nth_element(values.begin(), values.begin() + tail, values.end(), std::greater<>());
  return std::max(values[tail], std::log(std::numeric_limits<double>::min()));
}

/// Replaces the tail, at positions in ascending order, and returns k-hat.
double smooth(std::vector<double>& values, const std::vector<long>& tail, double cutoff) {
  std::vector<double> excess;  // over the cutoff, in units of it; expm1 keeps it positive
  for (long i : tail) excess.push_back(std::expm1(values[i] - cutoff));
  GeneralisedPareto fit = fit_generalised_pareto(excess);
  const auto count = static_cast<double>(tail.size());
  fit.shape = (count * fit.shape + 5) / (count + 10);  // ten draws' worth of belief in 0.5
  if (!std::isfinite(fit.shape) || !std::isfinite(fit.scale)) return kInfinity;
  for (std::size_t rank = 0; rank < tail.size(); ++rank) {
    const double expected = fit.quantile((static_cast<double>(rank) + 0.5) / count);
    values[tail[rank]] = std::min(0.0, cutoff + std::log1p(expected));
  }
  return fit.shape;
}

}  // namespace

ParetoSmoothed pareto_smoothed(std::span<const double> log_weights) {
  check_log_weights(log_weights, kLeastDraws);
  const double largest = *std::max_element(log_weights.begin(), log_weights.end());
  std::vector<double> values(log_weights.begin(), log_weights.end());
  for (double& value : values) value -= largest;

  const double cutoff = tail_cutoff(values);
  std::vector<long> tail;
  for (long i = 0; i < std::ssize(values); ++i)
    if (values[i] > cutoff) tail.push_back(i);
  std::stable_sort(tail.begin(), tail.end(), [&](long a, long b) { return values[a] < values[b]; });

  ParetoSmoothed result{.log_weights = Vector({std::ssize(values)}), .tail = std::ssize(tail)};
  if (tail.empty())
    result.k_hat = -kInfinity;
  else if (std::ssize(tail) < kLeastTail)
    result.k_hat = kInfinity;
  else
    result.k_hat = smooth(values, tail, cutoff);

  const double total = log_sum_exp(values);
  for (long i = 0; i < std::ssize(values); ++i) result.log_weights[i] = values[i] - total;
  return result;
}

}  // namespace vida
