// Results of assimilate and sweep.
#include <nlohmann/json.hpp>

#include "report/job_results.hpp"
#include "report/run_folder.hpp"

namespace vida::report {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<Column> kColumns = {
    {"RMSE, analysis"}, {"±"},          {"of those kept"},  {"RMSE, forecast"}, {"spread, analysis"},
    {"spread / RMSE"},  {"chi-square"}, {"CRPS, analysis"}, {"lost"},           {"failed"}};
constexpr const char* kScoresRemark =
    "RMSE: root mean squared error of the mean. Spread: root mean variance; over the RMSE 1 where the filter knows its "
    "error. Chi-square: of the innovations over their number, 1 expected. CRPS: continuous ranked probability score. "
    "Lost and failed: data sets on which the filter lost the truth, or whose numbers were not finite.";

/// The scores of one filter in the order of kColumns.
std::vector<Cell> score_cells(const Json& scores, bool several) {
  const auto cell = [&](const char* key) { return number_cell(number_in(scores, key)); };
  const auto count = [&](const char* key) {
    const double value = number_in(scores, key);
    return marked_if(value > 0, number_cell(value));
  };
  return {cell("rmse_analysis"),   cell("rmse_analysis_error_bar"), several ? cell("rmse_analysis_of_kept") : Cell{},
          cell("rmse_forecast"),   cell("spread_analysis"),         cell("spread_over_rmse"),
          cell("chi_square_mean"), cell("crps_analysis"),           count("lost"),
          count("failed")};
}

std::vector<Column> with_scores(const Column& first, const std::vector<Column>& more) {
  std::vector<Column> columns = {first};
  columns.insert(columns.end(), kColumns.begin(), kColumns.end());
  columns.insert(columns.end(), more.begin(), more.end());
  return columns;
}

std::string over_cycles(const Json& summary) {
  return "over " + member(summary, "cycles").dump() + " cycles, the first " + member(summary, "burn_in").dump() +
         " left out";
}

}  // namespace

ResultTable filter_scores(const Json& summary) {
  Table table(with_scores({"filter"}, {{"speed", "cycles/s"}}));
  const bool several = number_in(summary, "data_sets") > 1;
  for (const Json& filter : member(summary, "filters")) {
    std::vector<Cell> cells = {text_cell(text_in(filter, "label"))};
    for (Cell& cell : score_cells(filter, several)) cells.push_back(std::move(cell));
    cells.push_back(number_cell(number_in(filter, "cycles_per_second"), 0));
    table.row(std::move(cells));
  }
  const std::string what = several
                               ? "Medians over the data sets of means " + over_cycles(summary) +
                                     "; ±: standard error of the median; of those kept: mean over the data sets on "
                                     "which the filter kept the truth."
                               : "Means " + over_cycles(summary) + "; ±: standard error from twenty batches of them.";
  return {"Scores of the filters", table, {what, kScoresRemark}};
}

ResultTable sweep_scores(const Json& summary) {
  Table table(with_scores({"best setting"}, {{"held out"}, {"± held out"}, {"lost or failed, held out"}}));
  for (const Json& best : member(summary, "best")) {
    std::vector<Cell> cells = {text_cell(text_in(best, "label"))};
    for (Cell& cell : score_cells(best, true)) cells.push_back(std::move(cell));
    const Json& held = member(best, "held_out");
    cells.push_back(number_cell(number_in(held, "rmse_analysis")));
    cells.push_back(number_cell(number_in(held, "rmse_analysis_error_bar")));
    const double gone = number_in(held, "lost") + number_in(held, "failed");
    cells.push_back(marked_if(gone > 0, number_cell(gone)));
    table.row(std::move(cells));
  }
  return {
      "Best setting of each method",
      table,
      {"Chosen by the median RMSE of the analysis over the data sets, of means " + over_cycles(summary) +
           "; ±: standard error of the median. Held out: the same setting on further twins, which did not choose it.",
       kScoresRemark}};
}

std::vector<ResultTable> sweep_tables(const Json& summary) {
  Table axes({{"axis"}, {"values"}});
  if (const Json& all = member(summary, "axes"); all.is_object())
    for (const auto& [name, values] : all.items()) axes.row({text_cell(name), json_cell(values)});
  Table counts({{"of the sweep"}, {"number"}});
  const auto row = [&](const char* name, const char* key, bool bad) {
    const double value = number_in(summary, key);
    counts.row({text_cell(name), marked_if(bad && value > 0, number_cell(value))});
  };
  row("points", "points", false);
  row("data sets of each", "seeds", false);
  row("runs", "runs", false);
  row("runs that lost the truth", "lost", true);
  row("runs whose numbers were not finite", "failed", true);
  return {sweep_scores(summary), {"What was swept", axes}, {"Runs", counts, {"All points are in sweep.csv."}}};
}

}  // namespace vida::report
