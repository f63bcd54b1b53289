#include "jobs/assimilation_scores.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kNamed = 5;  // runs that a note names

/// Of the values that are numbers (or infinite); NaN without any.
double median_of(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return kNaN;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double deviation_of_the_median(const std::vector<double>& values, double median) {
  std::vector<double> distances;
  for (const double value : values)
    if (!std::isnan(value)) distances.push_back(std::abs(value - median));
  if (distances.size() < 2) return kNaN;
  return 1.2533 * 1.4826 * median_of(distances) / std::sqrt(static_cast<double>(distances.size()));
}

bool is_error(double AssimilationSummary::*part) {
  return part == &AssimilationSummary::analysis_error || part == &AssimilationSummary::forecast_error;
}

/// "data set 3 at cycle 120, data set 7 at cycle 4000 and 2 more"
std::string places(const FilterScores& scores, long AssimilationSummary::*at) {
  std::vector<std::string> named;
  std::size_t more = 0;
  for (std::size_t k = 0; k < scores.runs.size(); ++k) {
    const long cycle = scores.runs[k].*at;
    if (cycle < 0) continue;
    if (named.size() < kNamed)
      named.push_back(scores.runs.size() > 1 ? fmt::format("data set {} at cycle {}", k, cycle)
                                             : fmt::format("at cycle {}", cycle));
    else
      ++more;
  }
  return fmt::format("{}{}", fmt::join(named, ", "), more ? fmt::format(" and {} more", more) : "");
}

/// Those before a failure or an interruption.
double cycles_done(const AssimilationResult& result) {
  long done = result.scores.extent(0);
  const auto unknown = [&](long j) {
    return std::all_of(result.scores[j].begin(), result.scores[j].end(),
                       [](double value) { return std::isnan(value); });
  };
  while (done > 0 && unknown(done - 1)) --done;
  return static_cast<double>(done);
}

nlohmann::ordered_json cycle_or_null(long cycle) {
  return cycle < 0 ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(cycle);
}

}  // namespace

FilterScores filter_scores(std::span<const AssimilationResult> results, long burn_in) {
  std::vector<AssimilationSummary> runs;
  double seconds = 0, cycles = 0;
  for (const AssimilationResult& result : results) {
    runs.push_back(summarize(result, burn_in));
    seconds += result.seconds;
    cycles += cycles_done(result);
  }
  FilterScores scores = filter_scores(std::move(runs));
  scores.cycles_per_second = cycles / seconds;
  return scores;
}

FilterScores filter_scores(std::vector<AssimilationSummary> runs) {
  FilterScores scores;
  scores.runs = std::move(runs);
  double kept = 0, kept_forecast = 0;
  long kept_runs = 0;
  for (const AssimilationSummary& run : scores.runs) {
    scores.failed += run.failed_at >= 0;
    scores.lost += run.failed_at < 0 && run.lost_at >= 0;
    if (run.failed_at >= 0 || run.lost_at >= 0 || std::isnan(run.analysis_error)) continue;
    kept += run.analysis_error, kept_forecast += run.forecast_error;
    ++kept_runs;
  }
  scores.kept_mean = kept_runs ? kept / static_cast<double>(kept_runs) : kNaN;
  scores.kept_forecast_mean = kept_runs ? kept_forecast / static_cast<double>(kept_runs) : kNaN;
  std::vector<double> errors;
  for (const SummaryField& field : summary_fields()) {
    std::vector<double> values;
    for (const AssimilationSummary& run : scores.runs)
      values.push_back(is_error(field.part) && run.failed_at >= 0 ? std::numeric_limits<double>::infinity()
                                                                  : run.*field.part);
    scores.median.*field.part = median_of(values);
    if (field.part == &AssimilationSummary::analysis_error) errors = values;
  }
  scores.error_bar = scores.runs.size() == 1 ? scores.runs.front().analysis_error_deviation
                                             : deviation_of_the_median(errors, scores.median.analysis_error);
  return scores;
}

const std::vector<SummaryField>& summary_fields() {
  using S = AssimilationSummary;
  static const std::vector<SummaryField> fields = {
      {"rmse_analysis", &S::analysis_error, "root mean squared error of the analysis mean"},
      {"rmse_forecast", &S::forecast_error, "root mean squared error of the forecast mean"},
      {"spread_analysis", &S::analysis_spread, "root mean variance of the analysis"},
      {"spread_forecast", &S::forecast_spread, "root mean variance of the forecast"},
      {"spread_over_rmse", &S::ratio, "spread over error of the analysis"},
      {"chi_square_mean", &S::chi_square, "innovation chi-square over the number of observations"},
      {"crps_analysis", &S::analysis_crps, "continuous ranked probability score of the analysis"},
      {"crps_forecast", &S::forecast_crps, "continuous ranked probability score of the forecast"}};
  return fields;
}

std::string score_cell(double value) {
  if (!std::isfinite(value)) return "-";
  return std::abs(value) < 1000 ? fmt::format("{:.4f}", value) : fmt::format("{:.4g}", value);
}

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::size_t width = 0;
  for (const auto& cells : rows) width = std::max(width, cells[0].size());
  std::string text;
  for (const auto& cells : rows) {
    text += fmt::format("{:<{}}", cells[0], width);
    for (std::size_t i = 1; i < cells.size(); ++i) text += fmt::format("{:>9}", cells[i]);
    text += "\n";
  }
  return text;
}

std::string filter_table(std::span<const std::string> labels, std::span<const FilterScores> scores) {
  const bool several = scores.front().runs.size() > 1;
  std::vector<std::string> names = {"filter", "RMSE a", "+-"};
  if (several) names.push_back("kept");
  for (const char* name : {"RMSE f", "spread", "ratio", "chi2", "CRPS a"}) names.push_back(name);
  if (several) names.push_back("lost");
  for (const char* name : {"failed", "cycles/s"}) names.push_back(name);
  std::vector<std::vector<std::string>> rows = {names};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const FilterScores& s = scores[i];
    std::vector<std::string> cells = {labels[i], score_cell(s.median.analysis_error), score_cell(s.error_bar)};
    if (several) cells.push_back(score_cell(s.kept_mean));
    for (const double value : {s.median.forecast_error, s.median.analysis_spread, s.median.ratio, s.median.chi_square,
                               s.median.analysis_crps})
      cells.push_back(score_cell(value));
    if (several) cells.push_back(std::to_string(s.lost));
    cells.push_back(std::to_string(s.failed));
    cells.push_back(std::isfinite(s.cycles_per_second) ? fmt::format("{:.0f}", s.cycles_per_second) : "-");
    rows.push_back(cells);
  }
  return aligned(rows);
}

std::vector<std::string> filter_notes(std::span<const std::string> labels, std::span<const FilterScores> scores) {
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::size_t runs = scores[i].runs.size();
    const auto times = [&](long count) { return runs > 1 ? fmt::format(" in {} of {} runs", count, runs) : ""; };
    if (scores[i].failed)
      notes.push_back(fmt::format(
          "{}: its numbers were not finite{}: {}. More inflation or members, or a smaller model.dt, may help.",
          labels[i], times(scores[i].failed), places(scores[i], &AssimilationSummary::failed_at)));
    if (scores[i].lost)
      notes.push_back(fmt::format("{}: it lost the truth{}: {}.", labels[i], times(scores[i].lost),
                                  places(scores[i], &AssimilationSummary::lost_at)));
  }
  return notes;
}

nlohmann::ordered_json to_json(const FilterScores& scores) {
  nlohmann::ordered_json json;
  for (const SummaryField& field : summary_fields()) json[field.name] = number(scores.median.*field.part);
  json["rmse_analysis_error_bar"] = number(scores.error_bar);
  json["rmse_analysis_of_kept"] = number(scores.kept_mean);
  json["lost"] = scores.lost;
  json["failed"] = scores.failed;
  json["cycles_per_second"] = number(scores.cycles_per_second);
  json["runs"] = nlohmann::ordered_json::array();
  for (const AssimilationSummary& summary : scores.runs) {
    nlohmann::ordered_json run;
    for (const SummaryField& field : summary_fields()) run[field.name] = number(summary.*field.part);
    run["rmse_analysis_deviation"] = number(summary.analysis_error_deviation);
    run["lost_at"] = cycle_or_null(summary.lost_at);
    run["failed_at"] = cycle_or_null(summary.failed_at);
    json["runs"].push_back(std::move(run));
  }
  return json;
}

}  // namespace vida::jobs
