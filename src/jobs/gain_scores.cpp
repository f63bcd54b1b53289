#include "jobs/gain_scores.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "jobs/results.hpp"

namespace vida::jobs {
namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double frobenius_distance(const Matrix& a, const Matrix& b) {
  double sum = 0;
  for (long i = 0; i < a.size(); ++i) sum += (a.data()[i] - b.data()[i]) * (a.data()[i] - b.data()[i]);
  return std::sqrt(sum);
}

/// Mean of `part` over the EKF results of a run's trajectories.
double mean_of_ekf(const Run& run, const LearnGainResult& learned, double FilterResult::*part) {
  double sum = 0;
  for (const long problem : run.problems) sum += learned.ekf[static_cast<std::size_t>(problem)].*part;
  return sum / static_cast<double>(run.problems.size());
}

Matrix mean_steady_gain(const Run& run, const LearnGainResult& learned) {
  Matrix mean(run.gain.extents());
  for (const long problem : run.problems) {
    const Matrix& steady = learned.ekf[static_cast<std::size_t>(problem)].gain_steady;
    for (long i = 0; i < mean.size(); ++i)
      mean.data()[i] += steady.data()[i] / static_cast<double>(run.problems.size());
  }
  return mean;
}

/// Runs that got as far as a first value; the filters of the others would only repeat the failure.
std::vector<std::size_t> usable_runs(const LearnGainResult& learned) {
  std::vector<std::size_t> usable;
  for (std::size_t i = 0; i < learned.runs.size(); ++i)
    if (!learned.runs[i].cost.empty()) usable.push_back(i);
  return usable;
}

void score_training(const Device& device, const Plan& plan, const LearnGainResult& learned,
                    const std::vector<std::size_t>& usable, std::vector<GainReport>& reports) {
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    const LearnedGain& run = learned.runs[i];
    GainReport& report = reports[i];
    report.steady_gain = mean_steady_gain(plan.runs[i], learned);
    report.ekf_mean = learned.ekf[static_cast<std::size_t>(plan.runs[i].problems[0])].analysis_mean;
    report.scores = {kNaN, kNaN, kNaN, kNaN, mean_of_ekf(plan.runs[i], learned, &FilterResult::mse), kNaN, kNaN,
                     kNaN, kNaN, kNaN, kNaN};
    if (run.cost.empty()) continue;
    report.scores.cost_initial = run.cost.front();
    report.scores.cost_final = run.cost.back();
    report.scores.mse_initial = run.mse.front();
    report.scores.mse_train = run.mse.back();
    report.scores.kl_to_ekf = run.kl_to_ekf.back();
    report.scores.gain_distance_to_steady = frobenius_distance(run.gain, report.steady_gain);
  }
  std::vector<FilterProblem> problems;
  std::vector<Matrix> gains;
  for (const std::size_t i : usable)
    for (const long problem : plan.runs[i].problems) {
      problems.push_back(plan.problems[static_cast<std::size_t>(problem)]);
      gains.push_back(learned.runs[i].gain);
    }
  const auto filtered = fixed_gain_filter(device, problems, gains, precision_of(plan.config));
  auto options = objective_options(plan.config);
  options.expectation = Expectation::exact;
  const auto values = GainObjective(device, problems, options).evaluate(gains, false);
  std::size_t next = 0;
  for (const std::size_t i : usable) {
    const std::size_t count = plan.runs[i].problems.size();
    reports[i].kl = values[next].kl;
    reports[i].loglik = values[next].loglik;
    double chi_square = 0;
    for (std::size_t k = 0; k < count; ++k) chi_square += filtered[next + k].chi_square / static_cast<double>(count);
    reports[i].scores.chi_square = chi_square;
    next += count;
  }
}

void score_held_out(const Device& device, const Plan& plan, const LearnGainResult& learned,
                    const std::vector<std::size_t>& usable, std::vector<GainReport>& reports) {
  const Precision precision = precision_of(plan.config);
  const auto ekf = extended_kalman_filter(device, plan.tests, precision);
  std::vector<FilterProblem> problems;
  std::vector<Matrix> learned_gains, initial_gains;
  for (const std::size_t i : usable) {
    problems.push_back(plan.tests[static_cast<std::size_t>(plan.runs[i].test)]);
    learned_gains.push_back(learned.runs[i].gain);
    initial_gains.push_back(reports[i].initial_gain);
  }
  auto after = fixed_gain_filter(device, problems, learned_gains, precision);
  auto before = fixed_gain_filter(device, problems, initial_gains, precision);
  for (std::size_t k = 0; k < usable.size(); ++k) {
    GainReport& report = reports[usable[k]];
    const FilterResult& reference = ekf[static_cast<std::size_t>(plan.runs[usable[k]].test)];
    report.scores.mse_test = after[k].mse;
    report.scores.mse_test_initial = before[k].mse;
    report.scores.mse_ekf_test = reference.mse;
    report.test_mean = std::move(after[k].analysis_mean);
    report.test_initial_mean = std::move(before[k].analysis_mean);
    report.test_ekf_mean = reference.analysis_mean;
  }
}

/// Five decimals where they tell something, else five digits.
std::string cell(double value) {
  if (!std::isfinite(value)) return "-";
  return std::abs(value) >= 1e-3 && std::abs(value) < 1e3 ? fmt::format("{:.5f}", value) : fmt::format("{:.5g}", value);
}

std::string single_table(const GainScores& s, const LearnedGain& run, double seconds) {
  std::string text = fmt::format("{:<36}{:>12}{:>12}\n", "", "start", "learned");
  const auto row = [&](const char* name, const std::string& first, const std::string& second) {
    text += fmt::format("{:<36}{:>12}{:>12}\n", name, first, second);
  };
  row("cost", fmt::format("{:.2f}", s.cost_initial), fmt::format("{:.2f}", s.cost_final));
  row("MSE, training data", cell(s.mse_initial), cell(s.mse_train));
  row("MSE, held-out data", cell(s.mse_test_initial), cell(s.mse_test));
  row("MSE of the EKF, training data", "", cell(s.mse_ekf_train));
  row("MSE of the EKF, held-out data", "", cell(s.mse_ekf_test));
  row("KL to the EKF, mean per cycle", run.kl_to_ekf.empty() ? "-" : cell(run.kl_to_ekf.front()), cell(s.kl_to_ekf));
  row("distance to the steady EKF gain", "", cell(s.gain_distance_to_steady));
  row("innovation chi-square", "", cell(s.chi_square));
  row("iterations", "", std::to_string(run.iterations));
  row("seconds per iteration", "", cell(seconds));
  return text;
}

}  // namespace

std::vector<GainReport> assess(const Device& device, const Plan& plan, const LearnGainResult& learned) {
  std::vector<GainReport> reports(plan.runs.size());
  const auto usable = usable_runs(learned);
  const GainStructure structure(plan.config.text("gain.structure"), plan.first().system.observation_operator);
  for (std::size_t i = 0; i < plan.runs.size(); ++i)
    reports[i].initial_gain = structure.expand(structure.project(plan.runs[i].gain));
  score_training(device, plan, learned, usable, reports);
  if (!plan.tests.empty()) score_held_out(device, plan, learned, usable, reports);
  return reports;
}

const std::vector<ScoreField>& score_fields() {
  using S = GainScores;
  static const std::vector<ScoreField> fields = {
      {"cost_initial", &S::cost_initial, "cost at the gain at the start"},
      {"cost_final", &S::cost_final, "cost at the learned gain"},
      {"mse_initial", &S::mse_initial, "mean squared error at the gain at the start, training data"},
      {"mse_train", &S::mse_train, "mean squared error at the learned gain, training data"},
      {"mse_test_initial", &S::mse_test_initial, "mean squared error at the gain at the start, held-out data"},
      {"mse_test", &S::mse_test, "mean squared error at the learned gain, held-out data"},
      {"mse_ekf_train", &S::mse_ekf_train, "mean squared error of the EKF, training data"},
      {"mse_ekf_test", &S::mse_ekf_test, "mean squared error of the EKF, held-out data"},
      {"kl_to_ekf", &S::kl_to_ekf, "KL(analysis of the learned gain || analysis of the EKF), mean over cycles"},
      {"gain_distance_to_steady", &S::gain_distance_to_steady, "Frobenius norm of learned gain - steady EKF gain"},
      {"chi_square", &S::chi_square, "innovation chi-square over p, training data"}};
  return fields;
}

nlohmann::ordered_json to_json(const GainScores& scores) {
  nlohmann::ordered_json json;
  for (const ScoreField& field : score_fields()) json[field.name] = number(scores.*field.part);
  return json;
}

std::string score_table(const Plan& plan, const LearnGainResult& learned, const std::vector<GainReport>& reports) {
  if (!plan.batched) return single_table(reports[0].scores, learned.runs[0], learned.seconds_per_iteration);
  std::string text = fmt::format("{:>5}", "run");
  for (const io::Axis& axis : plan.config.axes()) text += fmt::format("  {:>16}", axis.key);
  text += fmt::format("{:>12}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}\n", "cost", "train MSE", "held-out", "EKF",
                      "EKF held", "KL to EKF", "distance");
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const GainScores& s = reports[i].scores;
    text += fmt::format("{:>5}", i);
    for (const io::Axis& axis : plan.config.axes())
      text += fmt::format("  {:>16}", io::to_toml(plan.runs[i].settings.at(axis.key)));
    text += fmt::format("{:>12.2f}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}{}\n", s.cost_final, cell(s.mse_train),
                        cell(s.mse_test), cell(s.mse_ekf_train), cell(s.mse_ekf_test), cell(s.kl_to_ekf),
                        cell(s.gain_distance_to_steady),
                        learned.runs[i].converged ? "" : fmt::format("  flagged at {}", learned.runs[i].flagged_at));
  }
  return text + fmt::format("seconds per iteration of all runs: {:.4g}\n", learned.seconds_per_iteration);
}

}  // namespace vida::jobs
