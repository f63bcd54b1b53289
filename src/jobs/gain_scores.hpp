#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "jobs/problem.hpp"
#include "vida/vida.hpp"

namespace vida::jobs {

/// Everything measured about one learned gain.
struct GainScores {
  double cost_initial = 0, cost_final = 0;
  double mse_initial = 0, mse_train = 0;  ///< at K_0 and at the learned gain; NaN without truth
  double mse_ekf_train = 0;
  double mse_test = 0, mse_test_initial = 0, mse_ekf_test = 0;  ///< on held-out data; NaN without
  double kl_to_ekf = 0;
  double gain_distance_to_steady = 0;  ///< Frobenius norm, to the mean EKF gain of the last 50 cycles
  double chi_square = 0;               ///< of the innovations of the training data, 1 when C^ is right
};

/// One score: its key in summary.json and its name in result.nc, and what it is.
struct ScoreField {
  const char* name;
  double GainScores::*part;
  const char* long_name;
};
/// All of GainScores, in the order of summary.json.
const std::vector<ScoreField>& score_fields();

/// A learned gain with its filters on training and held-out data.
struct GainReport {
  GainScores scores;
  Matrix initial_gain, steady_gain;                    // [n, p]
  std::vector<double> kl, loglik;                      // per cycle at the learned gain
  Matrix ekf_mean;                                     // training data [cycle, n]
  Matrix test_mean, test_initial_mean, test_ekf_mean;  // [test_cycle, n], empty without held-out data
};

/// Runs the filters that the scores need. Trajectories that share a gain count by their mean.
std::vector<GainReport> assess(const Device& device, const Plan& plan, const LearnGainResult& learned);

/// The flat object of summary.json for one run.
nlohmann::ordered_json to_json(const GainScores& scores);

/// The table that `vida run` prints: one column of scores, or one row for each run of a batch.
std::string score_table(const Plan& plan, const LearnGainResult& learned, const std::vector<GainReport>& reports);

}  // namespace vida::jobs
