#include "jobs/sweep_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

constexpr std::size_t kNamed = 4;  // points that a note names

const SweepPoint& point_at(const SweepPlan& plan, long index) { return plan.points[static_cast<std::size_t>(index)]; }

/// "serial N 5, infl 1 in 3 of 10 data sets, the first at cycle 40; .. and 7 points more"
std::string places(const SweepPlan& plan, const SweepScores& scores, const auto& cycle_of) {
  std::vector<std::string> named;
  std::size_t more = 0;
  for (std::size_t i = 0; i < scores.points.size(); ++i) {
    long count = 0, first = std::numeric_limits<long>::max();
    for (const AssimilationSummary& run : scores.points[i].runs)
      if (const long cycle = cycle_of(run); cycle >= 0) ++count, first = std::min(first, cycle);
    if (count == 0) continue;
    if (named.size() < kNamed)
      named.push_back(fmt::format("{} in {} of {} data sets, the first at cycle {}", plan.points[i].label, count,
                                  plan.seeds, first));
    else
      ++more;
  }
  return fmt::format("{}{}", fmt::join(named, "; "), more ? fmt::format("; and {} points more", more) : "");
}

long sum_of(const SweepScores& scores, long FilterScores::*part) {
  long sum = 0;
  for (const FilterScores& point : scores.points) sum += point.*part;
  return sum;
}

/// A value as a spreadsheet reads it.
std::string csv_cell(const io::Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text) return io::to_toml(value);
  if (text->find_first_of(",\"\n") == text->npos) return *text;
  std::string quoted = "\"";
  for (const char letter : *text) quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return quoted + "\"";
}

}  // namespace

std::string sweep_table(const SweepPlan& plan, const SweepScores& scores) {
  const bool checked = !scores.held_out.empty();
  std::vector<std::vector<std::string>> rows = {
      {"best setting", "RMSE a", "+-", "kept", "RMSE f", "spread", "ratio", "chi2", "lost", "failed"}};
  if (checked)
    for (const char* name : {"held out", "+-", "lost"}) rows.front().push_back(name);
  for (std::size_t group = 0; group < scores.best.size(); ++group) {
    if (!scores.best[group]) continue;
    const FilterScores& s = scores.points[static_cast<std::size_t>(*scores.best[group])];
    auto& cells = rows.emplace_back(std::vector<std::string>{point_at(plan, *scores.best[group]).label});
    for (const double value : {s.median.analysis_error, s.error_bar, s.kept_mean, s.median.forecast_error,
                               s.median.analysis_spread, s.median.ratio, s.median.chi_square})
      cells.push_back(score_cell(value));
    for (const long count : {s.lost, s.failed}) cells.push_back(std::to_string(count));
    if (!checked) continue;
    const FilterScores& held = *scores.held_out[group];
    cells.push_back(score_cell(held.median.analysis_error)), cells.push_back(score_cell(held.error_bar));
    cells.push_back(std::to_string(held.lost + held.failed));
  }
  std::string text = aligned(rows);
  text += fmt::format("best of {} points by the median over {} data sets of {} cycles, the first {} left out\n",
                      plan.points.size(), plan.seeds, plan.cycles(), plan.burn_in);
  if (checked)
    text += fmt::format("held out: the same settings on {} further twins\n", plan.config.integer("sweep.validate"));
  return text + fmt::format("{} runs in {:.3g} s, {:.3g} runs/s\n", scores.runs, scores.seconds,
                            static_cast<double>(scores.runs) / scores.seconds);
}

std::vector<std::string> sweep_notes(const SweepPlan& plan, const SweepScores& scores) {
  std::vector<std::string> notes;
  std::set<std::string> methods;
  for (const SweepPoint& point : plan.points) {
    if (!methods.insert(point.filter.method).second) continue;
    const auto unused = plan.without_use(point.filter.method);
    if (!unused.empty())
      notes.push_back(fmt::format("{} does not use {}: it runs once for all values.", point.filter.method,
                                  fmt::join(unused, ", ")));
  }
  const auto runs = plan.points.size() * static_cast<std::size_t>(plan.seeds);
  if (const long failed = sum_of(scores, &FilterScores::failed))
    notes.push_back(fmt::format("the numbers of {} of {} runs were not finite: {}.", failed, runs,
                                places(plan, scores, [](const AssimilationSummary& run) { return run.failed_at; })));
  if (const long lost = sum_of(scores, &FilterScores::lost))
    notes.push_back(fmt::format(
        "{} of {} runs lost the truth: {}.", lost, runs,
        places(plan, scores, [](const AssimilationSummary& run) { return run.failed_at < 0 ? run.lost_at : -1; })));
  for (std::size_t group = 0; group < scores.best.size(); ++group)
    if (!scores.best[group])
      notes.push_back(fmt::format("{}: no point has a finite median error.", plan.groups[group]));
  return notes;
}

std::string sweep_csv(const SweepPlan& plan, const SweepScores& scores) {
  const bool has_method =
      std::any_of(plan.axes.begin(), plan.axes.end(), [](const SweepAxis& axis) { return axis.name == "method"; });
  std::string text = has_method ? "" : "method,";
  for (const SweepAxis& axis : plan.axes) text += axis.name + ",";
  text +=
      "rmse_analysis,rmse_analysis_error_bar,rmse_analysis_of_kept,rmse_forecast,rmse_forecast_of_kept,"
      "spread_analysis,spread_over_rmse,chi_square_mean,lost,failed,runs\n";
  for (std::size_t i = 0; i < plan.points.size(); ++i) {
    const SweepPoint& point = plan.points[i];
    const FilterScores& s = scores.points[i];
    if (!has_method) text += point.filter.method + ",";
    for (std::size_t axis = 0; axis < plan.axes.size(); ++axis)
      text += (plan.uses(point.filter.method, plan.axes[axis])
                   ? csv_cell(plan.axes[axis].values[static_cast<std::size_t>(point.at[axis])])
                   : "") +
              ",";
    for (const double value : {s.median.analysis_error, s.error_bar, s.kept_mean, s.median.forecast_error,
                               s.kept_forecast_mean, s.median.analysis_spread, s.median.ratio, s.median.chi_square})
      text += std::isnan(value) ? "," : fmt::format("{},", value);
    text += fmt::format("{},{},{}\n", s.lost, s.failed, plan.seeds);
  }
  return text;
}

nlohmann::ordered_json sweep_json(const SweepPlan& plan, const SweepScores& scores) {
  nlohmann::ordered_json json;
  for (const SweepAxis& axis : plan.axes)
    for (const io::Value& value : axis.values) json["axes"][axis.name].push_back(json_of(value));
  json["points"] = plan.points.size();
  json["runs"] = scores.runs;
  json["runs_per_second"] = number(static_cast<double>(scores.runs) / scores.seconds);
  json["lost"] = sum_of(scores, &FilterScores::lost);
  json["failed"] = sum_of(scores, &FilterScores::failed);
  json["best"] = nlohmann::ordered_json::array();
  for (std::size_t group = 0; group < scores.best.size(); ++group) {
    if (!scores.best[group]) continue;
    const SweepPoint& point = point_at(plan, *scores.best[group]);
    nlohmann::ordered_json best;
    best["label"] = point.label;
    best["method"] = point.filter.method;
    for (std::size_t axis = 0; axis < plan.axes.size(); ++axis)
      if (plan.uses(point.filter.method, plan.axes[axis]))
        best["at"][plan.axes[axis].name] = json_of(plan.axes[axis].values[static_cast<std::size_t>(point.at[axis])]);
    best.update(to_json(scores.points[static_cast<std::size_t>(*scores.best[group])]));
    best.erase("cycles_per_second");
    if (!scores.held_out.empty()) {
      best["held_out"] = to_json(*scores.held_out[group]);
      best["held_out"].erase("cycles_per_second");
    }
    json["best"].push_back(std::move(best));
  }
  return json;
}

}  // namespace vida::jobs
