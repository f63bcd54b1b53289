#pragma once

#include <span>

#include "vida/array.hpp"
#include "vida/device.hpp"
#include "vida/error.hpp"

namespace vida {

// What an approximate posterior q is worth, from draws x_i ~ q and their log weights log pi~(x_i) - log q(x_i), where
// pi~ is the target up to a constant. A weight of zero (log weight -infinity: a draw outside the support) is allowed.
// Every function throws InvalidArgument when a log weight is NaN or +infinity, or when all weights are zero. Adding a
// constant to all log weights changes nothing but the evidence and the ELBO.

/// A number and the standard deviation of its estimator.
struct Estimate {
  double value = 0;
  double standard_error = 0;
};

/// Log weights with a smoothed tail.
struct ParetoSmoothed {
  Vector log_weights;  ///< [draw], normalised: their exponentials sum to 1
  /// Shape of the tail. Below 0.5 the variance of the weights is finite; above 0.7 the estimates are not to be trusted.
  /// -infinity: the largest weights are equal, there is no tail. +infinity: fewer than five draws lie in the tail, and
  /// nothing can be said.
  double k_hat = 0;
  long tail = 0;  ///< draws above the cutoff, which were smoothed
};

/// Pareto smoothed importance sampling (Vehtari, Simpson, Gelman, Yao and Gabry 2024). The M = ceil(min(S / 5, 3 sqrt
/// S)) largest of S weights are replaced by the expected order statistics of the generalised Pareto law fitted to them
/// (Zhang and Stephens 2009; k shrunk to (M k + 5) / (M + 10)), none larger than the largest raw weight. Weights equal
/// to the (M + 1)-th largest are not in the tail; equal ones in the tail keep their order. Throws for fewer than 25
/// draws, or more than 2^31 - 1.
ParetoSmoothed pareto_smoothed(std::span<const double> log_weights);

/// The same, bit for bit, with the weights sorted on the device. Also throws OutOfMemory or DeviceError.
ParetoSmoothed pareto_smoothed(const Device& device, std::span<const double> log_weights);

/// 1 / sum w^2 of the normalised weights, between 1 and S (Kong 1992).
double effective_sample_size(std::span<const double> log_weights);

/// log of the mean weight, which estimates log of the integral of pi~; the error is that of the mean, to first order.
Estimate log_evidence(std::span<const double> log_weights);

/// Mean of the log weights, a lower bound of the log evidence in expectation. -infinity with an infinite error when a
/// weight is zero. Throws for fewer than two draws.
Estimate evidence_lower_bound(std::span<const double> log_weights);

/// E_pi f by self-normalised importance sampling: sum w f, with the error sqrt(sum w^2 (f - sum w f)^2) of the delta
/// method (Owen 2013, 9.2). values: f at each draw; where the weight is zero it may be anything.
Estimate importance_expectation(std::span<const double> log_weights, std::span<const double> values);

struct ImportanceMoments {
  Vector mean;        ///< [d]
  Matrix covariance;  ///< [d, d], sum w (x - mean) (x - mean)'
};

/// Mean and covariance of the target, from draws [draw, d] of q.
ImportanceMoments importance_moments(std::span<const double> log_weights, View<const double, 2> draws);

/// What every result reports.
struct ImportanceReport {
  Estimate elbo;
  Estimate log_evidence;       ///< from the raw weights
  double k_hat = 0;            ///< of pareto_smoothed
  double effective_draws = 0;  ///< of the smoothed weights
  ImportanceMoments moments;   ///< with the smoothed weights
};

/// All of the above for draws [draw, d]; use 1e5 draws or more, k-hat of a few thousand passes bad fits. Throws for
/// fewer than 25.
ImportanceReport importance_report(std::span<const double> log_weights, View<const double, 2> draws);

/// The same, bit for bit, with the weights sorted on the device. Also throws OutOfMemory or DeviceError.
ImportanceReport importance_report(const Device& device, std::span<const double> log_weights,
                                   View<const double, 2> draws);

// Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari and Gelman 2018): when the truth is drawn from the
// prior, data from the truth and L draws from the posterior, the rank of the truth among them is uniform on 0 .. L.

/// Number of posterior draws strictly below the truth. truth: [replication, parameter]; draws: [replication, draw,
/// parameter]. Returns [replication, parameter]. Throws InvalidArgument when shapes disagree or a value is NaN.
Array<long, 2> calibration_ranks(View<const double, 2> truth, View<const double, 3> draws);

/// Pearson's chi-square of the ranks against the uniform law.
struct UniformityTest {
  Vector statistic;  ///< [parameter]
  Vector p_value;    ///< [parameter], upper tail of chi-square with bins - 1 degrees of freedom
  int bins = 0;
};

/// ranks: [replication, parameter], each 0 .. draws, in bins as equal as draws + 1 values allow. Throws InvalidArgument
/// when there are fewer than two bins, more bins than values, or fewer than five replications expected in a bin.
UniformityTest rank_uniformity(View<const long, 2> ranks, long draws, int bins = 20);

/// How often a central interval of the posterior holds the truth.
struct Coverage {
  Vector observed;            ///< [parameter]
  double nominal = 0;         ///< of the interval that `draws` can resolve, nearest to the level that was asked for
  double standard_error = 0;  ///< of observed when the posterior is exact: sqrt(nominal (1 - nominal) / replications)
};

/// Coverage of the central interval of probability `level`, in (0, 1), from ranks as above.
Coverage central_coverage(View<const long, 2> ranks, long draws, double level);

}  // namespace vida
