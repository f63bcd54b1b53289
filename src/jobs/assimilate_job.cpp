#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "jobs/assimilation_file.hpp"
#include "jobs/assimilation_plan.hpp"
#include "jobs/assimilation_scores.hpp"
#include "jobs/job.hpp"
#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Runs that an interruption kept from beginning become runs without a number.
void complete(const AssimilationPlan& plan, std::vector<AssimilationResult>& results) {
  const long cycles = plan.cycles(), n = plan.problems.front().system.n();
  for (AssimilationResult& result : results) {
    if (result.scores.empty()) result.scores = Matrix({cycles, kCycleScores}, kNaN);
    if (!plan.options.keep_means || !result.analysis_mean.empty()) continue;
    result.forecast_mean = result.analysis_mean = result.analysis_spread = Matrix({cycles, n}, kNaN);
  }
}

std::vector<FilterScores> scores_of(const AssimilationPlan& plan, const std::vector<AssimilationResult>& results) {
  std::vector<FilterScores> scores;
  for (std::size_t filter = 0; filter < plan.filters.size(); ++filter)
    scores.push_back(
        filter_scores(std::span(results).subspan(plan.run(filter, 0), plan.problems.size()), plan.burn_in));
  return scores;
}

/// The settings of a filter as its configuration says them.
nlohmann::ordered_json settings_json(const io::Config& config, long filter) {
  nlohmann::ordered_json json;
  for (const io::Setting* setting : io::settings_of(config.job())) {
    const std::string key = io::list_key(filter, io::name_of(setting->key));
    if (io::section_of(setting->key) == io::kList && config.has(key))
      json[io::name_of(setting->key)] = json_of(config.at(key));
  }
  return json;
}

nlohmann::ordered_json summary_of(const Device& device, const AssimilationPlan& plan,
                                  const std::vector<FilterScores>& scores, double seconds) {
  auto summary = summary_header(plan.config, device);
  summary["cycles"] = plan.cycles();
  summary["burn_in"] = plan.burn_in;
  summary["data_sets"] = plan.sets();
  summary["truth"] = plan.has_truth();
  summary["seconds"] = seconds;
  summary["filters"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    nlohmann::ordered_json filter;
    filter["label"] = plan.labels[i];
    filter["settings"] = settings_json(plan.config, static_cast<long>(i));
    filter.update(to_json(scores[i]));
    summary["filters"].push_back(std::move(filter));
  }
  return summary;
}

std::string table_of(const AssimilationPlan& plan, const std::vector<FilterScores>& scores) {
  const std::string cycles = fmt::format("{} cycles, the first {} left out", plan.cycles(), plan.burn_in);
  return filter_table(plan.labels, scores) +
         (plan.sets() > 1 ? fmt::format("medians over {} data sets of {}; kept: mean of those that kept the truth\n",
                                        plan.sets(), cycles)
                          : fmt::format("means over {}; +- from twenty batches of them\n", cycles));
}

}  // namespace

Outcome assimilate_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                       JobCheckpoint& checkpoint) {
  const AssimilationPlan plan = make_assimilation_plan(device, config);
  Outcome outcome;
  double seconds = 0;
  const auto heard = [&](const AssimilationProgress& progress) {
    seconds = checkpoint.seconds_before() + progress.elapsed_seconds;
    const bool go_on =
        monitor({progress.done, progress.total, "cycles", kNaN, progress.elapsed_seconds, progress.remaining_seconds});
    outcome.interrupted |= !go_on && progress.done < progress.total;
    return go_on;
  };
  auto results = assimilate(device, plan.problems, plan.runs, plan.options, heard, &checkpoint);
  complete(plan, results);
  const auto scores = scores_of(plan, results);
  for (const FilterScores& one : scores) outcome.flagged += one.failed;
  outcome.notes = filter_notes(plan.labels, scores);
  if (!plan.has_truth())
    outcome.notes.push_back("the observations come without a truth: scores that need it are left out.");
  outcome.usable =
      std::any_of(results.begin(), results.end(), [](const auto& result) { return result.failed_at != 0; });
  if (!outcome.usable) return outcome;
  outcome.table = table_of(plan, scores);
  write_assimilation(folder.pending("result.nc"), device, plan, results, scores);
  write_summary(folder, plan.config, outcome, summary_of(device, plan, scores, seconds));
  return outcome;
}

}  // namespace vida::jobs
