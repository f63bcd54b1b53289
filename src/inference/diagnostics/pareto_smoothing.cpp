#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "backend/sort.hpp"
#include "inference/diagnostics/generalised_pareto.hpp"
#include "inference/diagnostics/log_weights.hpp"
#include "vida/diagnostics.hpp"

namespace vida {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr long kLeastDraws = 25;  // a tail of five
constexpr long kLeastTail = 5;

/// The M of pareto_smoothed.
long longest_tail(double draws) { return static_cast<long>(std::ceil(std::min(draws / 5, 3 * std::sqrt(draws)))); }

using Positions = std::vector<std::int32_t>;

Positions all_positions(const std::vector<double>& values) {
  Positions positions(values.size());
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

// Positions of the `count` largest values, [count], in ascending order of value, equal ones in that of position.

Positions largest(const std::vector<double>& values, long count) {
  Positions order = all_positions(values);
  const auto first = order.end() - count;
  const auto is_below = [&](std::int32_t a, std::int32_t b) {
    return values[a] < values[b] || (values[a] == values[b] && a < b);
  };
  std::nth_element(order.begin(), first, order.end(), is_below);
  std::sort(first, order.end(), is_below);
  return {first, order.end()};
}

Positions largest(Executor& executor, const std::vector<double>& values, long count) {
  const auto keys = uploaded(executor, values);
  const auto order = uploaded(executor, all_positions(values));
  sort_pairs(executor, keys.data(), order.data(), std::ssize(values));
  Positions last(count);
  order.download(last.data(), last.size(), values.size() - last.size());
  return last;
}

/// Replaces the tail, at positions in ascending order, and returns k-hat.
double smooth(std::vector<double>& values, std::span<const std::int32_t> tail, double cutoff) {
  std::vector<double> excess;  // over the cutoff, in units of it; expm1 keeps it positive
  for (const std::int32_t i : tail) excess.push_back(std::expm1(values[i] - cutoff));
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

/// pareto_smoothed, with largest(values, count) as above from `order_of`.
template <class OrderOf>
ParetoSmoothed smoothed(std::span<const double> log_weights, OrderOf order_of) {
  if (std::ssize(log_weights) > std::numeric_limits<std::int32_t>::max())
    throw InvalidArgument(fmt::format("log_weights holds {} draws; at most {} are possible.", log_weights.size(),
                                      std::numeric_limits<std::int32_t>::max()));
  check_log_weights(log_weights, kLeastDraws);
  const double highest = *std::max_element(log_weights.begin(), log_weights.end());
  std::vector<double> values(log_weights.begin(), log_weights.end());
  for (double& value : values) value -= highest;

  const Positions order = order_of(values, longest_tail(static_cast<double>(values.size())) + 1);
  // exp of the cutoff must not underflow
  const double cutoff = std::max(values[order.front()], std::log(std::numeric_limits<double>::min()));
  const auto first = std::find_if(order.begin(), order.end(), [&](std::int32_t i) { return values[i] > cutoff; });
  const std::span<const std::int32_t> tail(first, order.end());

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

}  // namespace

ParetoSmoothed pareto_smoothed(std::span<const double> log_weights) {
  return smoothed(log_weights, [](const auto& values, long count) { return largest(values, count); });
}

ParetoSmoothed pareto_smoothed(const Device& device, std::span<const double> log_weights) {
  return smoothed(log_weights,
                  [&](const auto& values, long count) { return largest(device.executor(), values, count); });
}

}  // namespace vida
