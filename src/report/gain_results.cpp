// Results of learn-gain and evaluate-gain.
#include <nlohmann/json.hpp>

#include "report/job_results.hpp"
#include "report/run_folder.hpp"

namespace vida::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kMseRemark =
    "MSE: mean squared error of the analysis mean against the truth, mean over components and all cycles. EKF: the "
    "extended Kalman filter on the same data.";
constexpr const char* kKlRemark =
    "KL to the EKF: KL(analysis of the gain || analysis of the EKF), mean over cycles. Distance: Frobenius norm of the "
    "gain minus the mean gain of the EKF over the last 50 cycles. Chi-square: of the innovations over their number, 1 "
    "where the filter's covariance tells the truth.";

bool is_batch(const Json& summary) { return member(summary, "runs").is_array(); }

/// The runs of a batch; the summary itself where there is none.
std::vector<const Json*> runs_of(const Json& summary) {
  if (!is_batch(summary)) return {&summary};
  std::vector<const Json*> all;
  for (const Json& run : member(summary, "runs")) all.push_back(&run);
  return all;
}

/// Settings that the runs of a batch are told apart by: a section and a name each, or the seed.
std::vector<std::string> axes_of(const Json& summary) {
  std::vector<std::string> axes;
  const Json& runs = member(summary, "runs");
  if (!runs.is_array() || runs.empty() || !runs.front().is_object()) return axes;
  for (const auto& [key, value] : runs.front().items()) {
    bool varies = false;
    for (const Json& run : runs) varies |= member(run, key) != value;
    if (key.find('.') != key.npos || (key == "seed" && varies)) axes.push_back(key);
  }
  return axes;
}

/// A number that somebody chose, as it was written.
Cell setting_cell(const Json& value) { return value.is_number() ? text_cell(value.dump()) : json_cell(value); }

/// The columns before the scores.
std::vector<Column> run_columns(const Json& summary) {
  std::vector<Column> columns = {{"gain"}};
  for (const std::string& axis : axes_of(summary)) columns.push_back({axis});
  columns.push_back({"flagged"});
  return columns;
}

/// Where a run stopped because its cost was not finite; no value where it went well.
Cell flag_cell(const Json& run) {
  if (member(run, "converged") != Json(false)) return {};
  const Json& at = member(run, "flagged_at");
  return marked_if(true, text_cell(at.is_number() ? "iteration\u00A0" + at.dump() : "yes"));
}

std::vector<Cell> run_cells(const Json& summary, const Json& run, std::size_t number) {
  const std::string structure = text_in(summary, "structure");
  std::vector<Cell> cells = {text_cell(is_batch(summary)   ? std::to_string(number)
                                       : structure.empty() ? "given"
                                                           : structure)};
  for (const std::string& axis : axes_of(summary)) cells.push_back(setting_cell(member(run, axis)));
  cells.push_back(flag_cell(run));
  return cells;
}

struct ScoreColumn {
  Column column;
  const char* key;
  int decimals = -1;  ///< -1: as its size asks for
};

/// A row for each run with these scores.
Table table_of(const Json& summary, const std::vector<ScoreColumn>& scores) {
  auto columns = run_columns(summary);
  for (const ScoreColumn& score : scores) columns.push_back(score.column);
  Table table(columns);
  std::size_t number = 0;
  for (const Json* run : runs_of(summary)) {
    auto cells = run_cells(summary, *run, number++);
    for (const ScoreColumn& score : scores) {
      const double value = number_in(*run, score.key);
      cells.push_back(score.decimals < 0 ? number_cell(value) : number_cell(value, score.decimals));
    }
    table.row(cells);
  }
  return table;
}

}  // namespace

ResultTable learned_gain_scores(const Json& summary) {
  return {"Scores of the learned gain",
          table_of(summary, {{{"cost, start", "nat"}, "cost_initial", 2},
                             {{"cost, learned", "nat"}, "cost_final", 2},
                             {{"MSE, training"}, "mse_train"},
                             {{"EKF, training"}, "mse_ekf_train"},
                             {{"MSE, held out"}, "mse_test"},
                             {{"EKF, held out"}, "mse_ekf_test"},
                             {{"KL to the EKF", "nat per cycle"}, "kl_to_ekf"},
                             {{"distance to the steady gain"}, "gain_distance_to_steady"},
                             {{"chi-square"}, "chi_square"},
                             {{"iterations"}, "iterations"}}),
          {kMseRemark, kKlRemark}};
}

std::vector<ResultTable> learned_gain_tables(const Json& summary) {
  if (is_batch(summary)) return {learned_gain_scores(summary)};
  const auto cell = [&](const char* key) { return number_cell(number_in(summary, key)); };
  const auto cost = [&](const char* key) { return number_cell(number_in(summary, key), 2); };
  Table mse({{"data"}, {"gain at the start"}, {"learned gain"}, {"EKF"}});
  mse.row({text_cell("training"), cell("mse_initial"), cell("mse_train"), cell("mse_ekf_train")});
  mse.row({text_cell("held out"), cell("mse_test_initial"), cell("mse_test"), cell("mse_ekf_test")});
  Table others({{"score"}, {"value"}, {"unit"}});
  const auto row = [&](const char* name, const Cell& value, const char* unit) {
    others.row({text_cell(name), value, value.markup.empty() ? Cell{} : text_cell(unit)});
  };
  row("cost, gain at the start", cost("cost_initial"), "nat");
  row("cost, learned gain", cost("cost_final"), "nat");
  row("KL to the EKF", cell("kl_to_ekf"), "nat per cycle");
  row("distance to the steady gain of the EKF", cell("gain_distance_to_steady"), " ");
  row("innovation chi-square", cell("chi_square"), "1 expected");
  row("iterations", cell("iterations"), " ");
  return {{"Mean squared error", mse, {kMseRemark}}, {"Cost and further scores", others, {kKlRemark}}};
}

ResultTable evaluated_gain_scores(const Json& summary) {
  return {
      "Scores of the given gain",
      table_of(summary, {{{"cost", "nat"}, "cost", 2},
                         {{"KL", "nat"}, "kl", 2},
                         {{"log-likelihood", "nat"}, "loglik", 2},
                         {{"norm of the gradient", "nat"}, "gradient_norm"},
                         {{"MSE"}, "mse"},
                         {{"EKF"}, "mse_ekf"},
                         {{"KL to the EKF", "nat per cycle"}, "kl_to_ekf"},
                         {{"distance to the steady gain"}, "gain_distance_to_steady"},
                         {{"chi-square"}, "chi_square"}}),
      {"Cost: sum over cycles of KL(analysis || forecast) minus the expected log-likelihood.", kMseRemark, kKlRemark}};
}

}  // namespace vida::report
