#pragma once

#include <span>

namespace vida {

/// P(X > x) = (1 + shape x / scale)^(-1 / shape), x >= 0.
struct GeneralisedPareto {
  double shape = 0;  ///< moments of order 1 / shape and above do not exist
  double scale = 1;

  double quantile(double probability) const;
};

/// Empirical Bayes fit of Zhang and Stephens (2009) to positive values in ascending order, without shrinkage. Neither
/// iterative nor random. Shape and scale are NaN when the values leave nothing to fit.
GeneralisedPareto fit_generalised_pareto(std::span<const double> ascending);

}  // namespace vida
