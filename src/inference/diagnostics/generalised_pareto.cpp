#include "inference/diagnostics/generalised_pareto.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace vida {
namespace {

/// Mean of log(1 - b x): the shape that maximises the likelihood for a given b = -shape / scale.
double shape_given(double b, std::span<const double> values) {
  double sum = 0;
  for (double value : values) sum += std::log1p(-b * value);
  return sum / static_cast<double>(values.size());
}

}  // namespace

double GeneralisedPareto::quantile(double probability) const {
  const double tail = -std::log1p(-probability);
  return scale * (std::abs(shape) < std::numeric_limits<double>::epsilon() ? tail : std::expm1(shape * tail) / shape);
}

GeneralisedPareto fit_generalised_pareto(std::span<const double> ascending) {
  constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  const auto n = static_cast<double>(ascending.size());
  const double quartile = ascending[(ascending.size() + 2) / 4 - 1];  // n / 4, rounded
  const double largest = ascending.back();
  if (!(quartile > 0)) return {kNothing, kNothing};

  // The posterior of b on a grid of quantiles of its prior, whose scale comes from the first quartile.
  const int points = 30 + static_cast<int>(std::sqrt(n));
  std::vector<double> b(points), log_posterior(points);
  for (int j = 0; j < points; ++j) {
    b[j] = 1 / largest + (1 - std::sqrt(points / (j + 0.5))) / (3 * quartile);
    const double shape = shape_given(b[j], ascending);
    log_posterior[j] = n * (std::log(-b[j] / shape) - shape - 1);
    if (std::isnan(log_posterior[j])) log_posterior[j] = -std::numeric_limits<double>::infinity();  // b = 0
  }
  const double highest = *std::max_element(log_posterior.begin(), log_posterior.end());
  double total = 0;
  for (double value : log_posterior) total += std::exp(value - highest);
  double sum = 0, mean = 0;
  for (int j = 0; j < points; ++j) {
    const double weight = std::exp(log_posterior[j] - highest) / total;
    if (weight < 10 * std::numeric_limits<double>::epsilon()) continue;  // far points would spoil the mean by rounding
    sum += weight;
    mean += weight * b[j];
  }
  mean /= sum;
  const double shape = shape_given(mean, ascending);
  return {shape, -shape / mean};
}

}  // namespace vida
