#pragma once

#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "vida/checkpoint.hpp"
#include "vida/filter.hpp"

namespace vida {

/// A filter and what it is told. Which numbers a method uses is in filter_methods(); the others are ignored.
struct FilterSettings {
  std::string method = "etkf";
  int members = 40;       ///< N, at least 2
  double inflation = 1;   ///< factor of analysis anomalies; of Kalman filters: of covariance per unit of model time
  double relaxation = 0;  ///< RTPS: share of the way back to the forecast's spread, 0 .. 1
  bool rotation = false;  ///< random rotation of the analysis ensemble that keeps its mean, every cycle
  /// Localisation radius in components: the distance at which the taper of Gaspari and Cohn (1999) is .634; its
  /// half-width is 1.82 times as much. Infinite: no localisation.
  double radius = std::numeric_limits<double>::infinity();
  int local_states = 1;               ///< LETKF: consecutive components that share a local analysis
  double xn = 1;                      ///< EnKF-N: scale of the prior's parameters
  double tolerance = 1e-4;            ///< EnKF-N: a step below it ends the minimisation, or a gradient of a thousandth
  int lag = 1;                        ///< iEnKS: cycles of the window
  int iterations = 10;                ///< iEnKS: of the Gauss-Newton method
  double resampling_threshold = 0.5;  ///< particle filters resample when 1 / sum w^2 is at most this share of N
  double jitter = 0.7;                ///< particle filters: bandwidth factor of the noise on duplicates
  std::string tangent = "exact";      ///< Kalman filters: "exact", or "frozen" at the forecast mean
  /// C [n, n] of fixed gains K = B H' (H B H' + R)^-1, with the observations present; empty: the covariance of the
  /// truth over its cycles. H includes the slope of a nonlinear observation function at the background's mean.
  Matrix background{};
  Vector background_mean{};        ///< [n]; empty: the mean of the truth over its cycles
  double background_scale = 0.02;  ///< 3DVar: B = background_scale C; B = C in optimal interpolation
  Matrix gain{};  ///< 3DVar: K itself [n, p], instead of a background; missing observations drop out of it
};

/// One method of the list.
struct FilterMethod {
  std::string name;
  std::string description;
  bool ensemble = true;    ///< uses `members`
  bool localised = false;  ///< uses `radius`
  bool linear = false;     ///< needs a linear model and the observation function identity
};
const std::vector<FilterMethod>& filter_methods();

/// One filter on one data set.
struct AssimilationRun {
  long problem = 0;  ///< index of the data set
  FilterSettings filter{};
  std::uint64_t seed = 0;    ///< of the filter's own draws; with the problem's `number`
  Matrix initial_members{};  ///< [member, n] to start from; empty: draws of the initial law
};

/// Scores of one cycle against the truth; NaN without truth.
enum class CycleScore : int {
  forecast_error,  ///< root of the mean over components of the squared error of the mean
  analysis_error,
  forecast_spread,  ///< root of the mean over components of the variance (N - 1); NaN where a filter knows none
  analysis_spread,
  chi_square,     ///< d' (H C^ H' + R)^-1 d / p of the innovation; NaN where nothing is observed
  forecast_crps,  ///< mean over components of the continuous ranked probability score
  analysis_crps,
};
inline constexpr int kCycleScores = 7;

struct AssimilationOptions {
  Precision precision = Precision::float64;
  bool keep_means = false;    ///< forecast and analysis means and analysis spread of every cycle
  bool keep_ranks = false;    ///< ranks of the truth in the forecast ensemble
  bool keep_members = false;  ///< the analysis ensemble of the last cycle, of Kalman filters the covariance
  int crps_every = 0;         ///< cycles between CRPS, whose cost grows with N^2; 0: never
};

struct AssimilationResult {
  Matrix scores;           ///< [cycle, CycleScore]; NaN after a failure
  Matrix forecast_mean;    ///< [cycle, n], empty unless kept
  Matrix analysis_mean;    ///< [cycle, n]
  Matrix analysis_spread;  ///< [cycle, n] standard deviations
  Array<int, 2> ranks;     ///< [cycle, n], 0 .. N, -1 without truth; empty unless kept
  Matrix members;          ///< [member, n], empty unless kept
  Matrix covariance;       ///< [n, n] of a Kalman filter, empty unless kept
  long failed_at = -1;     ///< cycle whose forecast or analysis was not finite
  double seconds = 0;      ///< of the wall clock: an equal share of what it ran together with
};

/// Where a call stands. Return false to stop: the runs in progress end where they are and later ones are not begun.
struct AssimilationProgress {
  long done = 0, total = 0;  ///< run-cycles
  double elapsed_seconds = 0, remaining_seconds = 0;
};
using AssimilationProgressFunction = std::function<bool(const AssimilationProgress&)>;

/// Throws InvalidArgument when assimilate() would.
void validate(std::span<const FilterProblem> problems, std::span<const AssimilationRun> runs);

/// Runs every filter over its data, as one batch. A run's result depends on its problem, settings and seed alone: the
/// same bits alone and in any batch. Problems may differ in everything; those of one shape and runs of one method and
/// size work side by side. `checkpoints` may be null; a state holds every result so far. Throws InvalidArgument for bad
/// settings, OutOfMemory when a single run does not fit.
std::vector<AssimilationResult> assimilate(const Device& device, std::span<const FilterProblem> problems,
                                           std::span<const AssimilationRun> runs,
                                           const AssimilationOptions& options = {},
                                           const AssimilationProgressFunction& progress = {},
                                           Checkpoints* checkpoints = nullptr);

/// Device memory that assimilate() takes at its peak. Throws InvalidArgument and OutOfMemory when it would.
std::size_t assimilation_bytes(const Device& device, std::span<const FilterProblem> problems,
                               std::span<const AssimilationRun> runs, const AssimilationOptions& options = {});

/// Time means of one run after a burn-in.
struct AssimilationSummary {
  double forecast_error = 0, analysis_error = 0;
  double analysis_error_deviation = 0;  ///< standard error of the mean, from twenty batches
  double forecast_spread = 0, analysis_spread = 0;
  double ratio = 0;  ///< analysis spread over analysis error
  double chi_square = 0, forecast_crps = 0, analysis_crps = 0;
  long lost_at = -1;    ///< first of twenty cycles in a row with an analysis error above `threshold`
  long failed_at = -1;  ///< as in the result
};
AssimilationSummary summarize(const AssimilationResult& result, long burn_in, double threshold = 1);

}  // namespace vida
