#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "inference/diagnostics/log_weights.hpp"
#include "vida/diagnostics.hpp"

namespace vida {

double effective_sample_size(std::span<const double> log_weights) {
  check_log_weights(log_weights, 1);
  double squares = 0;
  for (double weight : normalised_weights(log_weights)) squares += weight * weight;
  return 1 / squares;
}

Estimate log_evidence(std::span<const double> log_weights) {
  check_log_weights(log_weights, 2);
  const auto draws = static_cast<double>(log_weights.size());
  double squares = 0;  // of the weights about their mean, in units of the mean
  for (double weight : normalised_weights(log_weights)) squares += (draws * weight - 1) * (draws * weight - 1);
  return {log_sum_exp(log_weights) - std::log(draws), std::sqrt(squares / (draws * (draws - 1)))};
}

Estimate evidence_lower_bound(std::span<const double> log_weights) {
  check_log_weights(log_weights, 2);
  const auto draws = static_cast<double>(log_weights.size());
  double mean = 0;
  for (double value : log_weights) mean += value / draws;
  if (!std::isfinite(mean)) return {mean, std::numeric_limits<double>::infinity()};
  double squares = 0;
  for (double value : log_weights) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / (draws * (draws - 1)))};
}

Estimate importance_expectation(std::span<const double> log_weights, std::span<const double> values) {
  check_log_weights(log_weights, 1);
  if (values.size() != log_weights.size())
    throw InvalidArgument(fmt::format("values holds {} numbers, log_weights {}; give one for each draw.", values.size(),
                                      log_weights.size()));
  const auto weights = normalised_weights(log_weights);
  Estimate result;
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (weights[i] > 0) result.value += weights[i] * values[i];
  double squares = 0;
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (weights[i] > 0) squares += weights[i] * weights[i] * (values[i] - result.value) * (values[i] - result.value);
  result.standard_error = std::sqrt(squares);
  return result;
}

ImportanceMoments importance_moments(std::span<const double> log_weights, View<const double, 2> draws) {
  check_log_weights(log_weights, 1);
  if (draws.extent(0) != std::ssize(log_weights))
    throw InvalidArgument(fmt::format("draws has shape {}, expected [{}, d]: one row for each log weight.",
                                      to_string<2>(draws.extents()), log_weights.size()));
  const auto weights = normalised_weights(log_weights);
  const long d = draws.extent(1);
  ImportanceMoments result{Vector({d}), Matrix({d, d})};
  for (long i = 0; i < draws.extent(0); ++i) {
    if (!(weights[i] > 0)) continue;  // a draw outside the support may be infinite
    for (long a = 0; a < d; ++a) result.mean[a] += weights[i] * draws(i, a);
  }
  for (long i = 0; i < draws.extent(0); ++i) {
    if (!(weights[i] > 0)) continue;
    for (long a = 0; a < d; ++a)
      for (long b = 0; b <= a; ++b)
        result.covariance(a, b) += weights[i] * (draws(i, a) - result.mean[a]) * (draws(i, b) - result.mean[b]);
  }
  for (long a = 0; a < d; ++a)
    for (long b = 0; b < a; ++b) result.covariance(b, a) = result.covariance(a, b);
  return result;
}

namespace {

ImportanceReport report_of(const ParetoSmoothed& smoothed, std::span<const double> log_weights,
                           View<const double, 2> draws) {
  return {.elbo = evidence_lower_bound(log_weights),
          .log_evidence = log_evidence(log_weights),
          .k_hat = smoothed.k_hat,
          .effective_draws = effective_sample_size(smoothed.log_weights),
          .moments = importance_moments(smoothed.log_weights, draws)};
}

}  // namespace

ImportanceReport importance_report(std::span<const double> log_weights, View<const double, 2> draws) {
  return report_of(pareto_smoothed(log_weights), log_weights, draws);
}

ImportanceReport importance_report(const Device& device, std::span<const double> log_weights,
                                   View<const double, 2> draws) {
  return report_of(pareto_smoothed(device, log_weights), log_weights, draws);
}

}  // namespace vida
