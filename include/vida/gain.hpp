#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vida/checkpoint.hpp"
#include "vida/filter.hpp"
#include "vida/optimizer.hpp"

namespace vida {

/// Which entries of K are free and which are tied: K[i, j] = parameter[index(i, j)], or 0 where index is -1.
/// With pos_j the component that observation j sees: "diagonal" keeps i = pos_j, "banded:W" the cyclic |i - pos_j| <=
/// W, "circulant" ties K[i, j] = g[(i - pos_j) mod n]; "full" is free.
class GainStructure {
 public:
  /// Throws InvalidArgument for an unknown name, and when the observations are not single components in a pattern that
  /// the structure needs (circulant: every component, or every k-th with k dividing n).
  GainStructure(const std::string& name, const Matrix& observation_operator);

  const std::string& name() const { return name_; }
  long parameters() const { return parameters_; }
  /// K [n, p] of the given parameters.
  Matrix expand(std::span<const double> parameters) const;
  /// Gradient with respect to the parameters, from the one with respect to K [n, p].
  std::vector<double> reduce(View<const double, 2> gradient) const;
  /// Parameters of the structured gain nearest to K in the Frobenius norm.
  std::vector<double> project(View<const double, 2> gain) const;

 private:
  std::string name_;
  Array<int, 2> index_;  // [n, p]
  long parameters_ = 0;
};

enum class Expectation { exact, monte_carlo };

struct GainObjectiveOptions {
  Precision precision = Precision::float64;
  Expectation expectation = Expectation::exact;
  int samples = 10;              ///< draws per cycle of the Monte Carlo form
  long chunk = 32;               ///< cycles whose cost terms are held at once
  long checkpoint_interval = 0;  ///< keep covariances only every so many cycles and recompute the rest; 0 keeps all
};

/// The value of the objective at one gain.
struct GainValue {
  double cost = 0;         ///< sum over cycles of kl - loglik; not finite when a covariance is not positive definite
  std::vector<double> kl;  ///< KL(analysis || forecast) per cycle
  std::vector<double> loglik;  ///< E log N(y; H u, R), u ~ analysis, per cycle
  Matrix gradient;             ///< d cost / d K [n, p], empty when not asked for
  Matrix analysis_mean;        ///< [cycle, n]
  Matrix analysis_cov_last;    ///< [n, n]
  double kl_to_reference = 0;  ///< mean over cycles of KL(analysis || EKF analysis); NaN without track_ekf()
};

/// cost(K) = sum_j KL(N(m_j, C_j) || N(m^_j, C^_j)) - E_{u ~ N(m_j, C_j)} log N(y_j; H u, R) for the fixed-gain filter,
/// with its exact gradient (a hand-written adjoint through the recursion and the model's Jacobians), for a batch of
/// problems at once. Memory: see memory_bytes().
class GainObjective {
 public:
  /// Validates the problems and takes what memory they share. Throws InvalidArgument, OutOfMemory.
  GainObjective(const Device& device, std::span<const FilterProblem> problems,
                const GainObjectiveOptions& options = {});
  ~GainObjective();
  GainObjective(GainObjective&&) noexcept;

  /// Runs the extended Kalman filter on every problem and keeps it as the reference of kl_to_reference.
  const std::vector<FilterResult>& track_ekf();

  /// One evaluation of problem which[i] at gains[i] ([n, p]). `iteration` keys the Monte Carlo draws.
  std::vector<GainValue> evaluate(std::span<const long> which, std::span<const Matrix> gains, bool gradient,
                                  long iteration = 0);
  /// Every problem in order.
  std::vector<GainValue> evaluate(std::span<const Matrix> gains, bool gradient = true, long iteration = 0);

  /// Bytes of trajectories, cost terms and adjoints for one problem in flight:
  /// 8 [(J + 1) n + (S + 1) n^2 + 2 c (2 n^2 + 2 n) + O(n^2)] in float64, S = checkpoint_interval or J, c = chunk.
  std::size_t memory_bytes() const;
  /// Device memory of what track_ekf() keeps of each problem.
  std::size_t reference_bytes() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// One learning run of a batch: which problems share its gain, where it starts, how far it steps.
struct GainRun {
  std::vector<long> problems;  ///< trajectories that share the gain; the cost is their mean
  Matrix initial_gain;         ///< K_0 [n, p]
  double step = 1e-5;  ///< gradient descent: on the sum over cycles; Adam: learning rate on the mean over cycles
};

struct LearnGainOptions {
  GainObjectiveOptions objective{};
  std::string structure = "full";
  std::string optimizer = "gradient-descent";  ///< or "adam"
  long iterations = 100;
  bool track_ekf = true;  ///< compute the EKF and the distance to it at every iteration
};

/// Where a learning run stands, for progress lines. Return false to stop: runs end at their current gains.
struct GainProgress {
  /// One run at this iteration; the traces of LearnedGain grow by these.
  struct Point {
    long run = 0;
    double cost = 0, mse = 0, kl_to_ekf = 0;
  };
  long iteration = 0;  ///< evaluations done so far in this group of runs
  long iterations = 0;
  double cost = 0;  ///< mean over the runs of this group
  double elapsed_seconds = 0;
  double remaining_seconds = 0;
  std::vector<Point> points;  ///< the runs that are still learning
};
using GainProgressFunction = std::function<bool(const GainProgress&)>;

struct LearnedGain {
  Matrix gain;                    ///< K [n, p] after the last good step
  std::vector<double> cost;       ///< [iteration + 1], at K_0 first; with shared gains the mean over trajectories
  std::vector<double> mse;        ///< against the truth, same length; NaN without truth
  std::vector<double> kl_to_ekf;  ///< mean over cycles, same length; empty when not tracked
  Matrix analysis_mean;           ///< of the first trajectory at the final gain [cycle, n]
  long iterations = 0;            ///< steps taken
  bool converged = true;          ///< false when the run was flagged
  long flagged_at = -1;           ///< iteration whose cost or gradient was not finite
  bool stopped = false;           ///< the progress function asked to stop
};

struct LearnGainResult {
  std::vector<LearnedGain> runs;
  std::vector<FilterResult> ekf;  ///< per problem, empty when not tracked
  double seconds_per_iteration = 0;
};

/// Learns one gain per run by gradient descent or Adam on the objective. Runs never influence each other. `checkpoints`
/// may be null; a call that goes on tells `progress` of the iterations that were left.
LearnGainResult learn_gain(const Device& device, std::span<const FilterProblem> problems, std::span<const GainRun> runs,
                           const LearnGainOptions& options, const GainProgressFunction& progress = {},
                           Checkpoints* checkpoints = nullptr);

/// K_0 = scale * H'.
Matrix scaled_transpose(const Matrix& observation_operator, double scale);

}  // namespace vida
