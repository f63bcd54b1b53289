#pragma once

#include <span>
#include <vector>

#include "vida/twin.hpp"

namespace vida {

enum class Precision { float32, float64 };

/// A filter's knowledge and its data: one item of a batch. All items of a call share n, p, cycles and steps_per_cycle.
struct FilterProblem {
  StateSpaceModel system;
  Observations data;
  std::uint64_t seed = 0;    ///< of the random draws that learning makes on this problem (Monte Carlo objective)
  std::uint32_t number = 0;  ///< tells apart problems that share a seed
};

/// Throws InvalidArgument when the data do not fit the system.
void validate(const FilterProblem& problem);

/// What a Gaussian filter leaves behind.
struct FilterResult {
  Matrix analysis_mean;      ///< [cycle, n]
  Matrix analysis_cov_last;  ///< [n, n]
  Matrix gain_last;          ///< [n, p]
  Matrix gain_steady;        ///< mean gain of the last 50 cycles (of all, when there are fewer) [n, p]
  double chi_square = 0;  ///< mean over cycles of d' (H C^ H' + R)^-1 d / p, d = y - H m^; NaN if nothing is observed
  double mse = 0;         ///< mean squared error of analysis_mean over cycles and components; NaN without truth
};

/// The extended Kalman filter with the exact Jacobian of the Runge-Kutta steps, without inflation (Jazwinski 1970).
std::vector<FilterResult> extended_kalman_filter(const Device& device, std::span<const FilterProblem> problems,
                                                 Precision precision = Precision::float64);

/// The Gaussian filter with a fixed gain (3DVar with its covariance): m = m^ + K (y - H m^), C in Joseph form.
/// gains: [n, p] each, one per problem. gain_last and gain_steady repeat the gain.
std::vector<FilterResult> fixed_gain_filter(const Device& device, std::span<const FilterProblem> problems,
                                            std::span<const Matrix> gains, Precision precision = Precision::float64);

/// Mean over cycles and components of (estimate - truth)^2; NaN when truth is empty.
double mean_squared_error(View<const double, 2> estimate, View<const double, 2> truth);

}  // namespace vida
