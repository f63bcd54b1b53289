#include "jobs/assimilation_file.hpp"

#include <fmt/format.h>

#include <limits>

#include "io/netcdf.hpp"
#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::span<const double> all_of(const Matrix& values) {
  return {values.data(), static_cast<std::size_t>(values.size())};
}

struct CycleField {
  const char* name;
  CycleScore score;
  const char* long_name;
};
constexpr CycleField kCycleFields[] = {
    {"forecast_error", CycleScore::forecast_error, "root mean squared error of the forecast mean"},
    {"analysis_error", CycleScore::analysis_error, "root mean squared error of the analysis mean"},
    {"forecast_spread", CycleScore::forecast_spread, "root mean variance of the forecast"},
    {"analysis_spread", CycleScore::analysis_spread, "root mean variance of the analysis"},
    {"chi_square", CycleScore::chi_square, "innovation chi-square over the number of observations"},
    {"forecast_crps", CycleScore::forecast_crps, "continuous ranked probability score of the forecast"},
    {"analysis_crps", CycleScore::analysis_crps, "continuous ranked probability score of the analysis"}};

/// [run, cycle] of each score, one run at a time.
void put_cycles(io::NetcdfWriter& file, const AssimilationPlan& plan, std::span<const AssimilationResult> results) {
  const auto runs = static_cast<long>(results.size());
  const long cycles = plan.cycles();
  for (const CycleField& field : kCycleFields) {
    file.define(field.name, {"run", "cycle"}, {runs, cycles}, io::Storage::float64, {field.long_name, "1", "time"});
    std::vector<double> values(static_cast<std::size_t>(cycles));
    for (long i = 0; i < runs; ++i) {
      const Matrix& scores = results[static_cast<std::size_t>(i)].scores;
      for (long j = 0; j < cycles; ++j) values[static_cast<std::size_t>(j)] = scores(j, static_cast<int>(field.score));
      file.put_slab(field.name, {i, 0}, {1, cycles}, std::span<const double>(values));
    }
  }
}

void put_means(io::NetcdfWriter& file, const AssimilationPlan& plan, std::span<const AssimilationResult> results) {
  const auto runs = static_cast<long>(results.size());
  const long cycles = plan.cycles(), n = plan.problems.front().system.n(), p = plan.problems.front().system.p();
  const auto put = [&](const char* name, const char* first, long count, const char* last, long width,
                       const char* long_name, const auto& part) {
    file.define(name, {first, "cycle", last}, {count, cycles, width}, io::Storage::float64, {long_name, "1", "time"});
    for (long i = 0; i < count; ++i) file.put_slab(name, {i, 0, 0}, {1, cycles, width}, all_of(part(i)));
  };
  const auto data = [&](long i) -> const Observations& { return plan.problems[static_cast<std::size_t>(i)].data; };
  const auto result = [&](long i) -> const AssimilationResult& { return results[static_cast<std::size_t>(i)]; };
  put("y", "set", plan.sets(), "obs", p, "observations", [&](long i) -> const Matrix& { return data(i).y; });
  if (plan.has_truth())
    put("truth", "set", plan.sets(), "state", n, "true state", [&](long i) -> const Matrix& { return data(i).truth; });
  put("forecast_mean", "run", runs, "state", n, "mean of the forecast",
      [&](long i) -> const Matrix& { return result(i).forecast_mean; });
  put("analysis_mean", "run", runs, "state", n, "mean of the analysis",
      [&](long i) -> const Matrix& { return result(i).analysis_mean; });
  put("analysis_deviation", "run", runs, "state", n, "standard deviation of the analysis",
      [&](long i) -> const Matrix& { return result(i).analysis_spread; });
}

/// How often the truth had each rank after the burn-in, over components, cycles and runs that did not fail.
void put_ranks(io::NetcdfWriter& file, const AssimilationPlan& plan, std::span<const AssimilationResult> results,
               std::size_t filter) {
  std::vector<long> counts(static_cast<std::size_t>(plan.filters[filter].members) + 1, 0);
  long all = 0;
  for (long set = 0; set < plan.sets(); ++set) {
    const AssimilationResult& result = results[plan.run(filter, set)];
    if (result.failed_at >= 0) continue;
    for (long j = plan.burn_in; j < result.ranks.extent(0); ++j)
      for (const int rank : result.ranks[j])
        if (rank >= 0) ++counts[static_cast<std::size_t>(rank)], ++all;
  }
  if (all == 0) return;
  file.put(fmt::format("rank_histogram_{}", filter), {fmt::format("rank_{}", filter)},
           {static_cast<long>(counts.size())}, std::span<const long>(counts),
           {"ranks of the truth in the forecast ensemble of " + plan.labels[filter]});
}

/// The ensembles of the last cycle, of a Kalman filter the covariance.
void put_last(io::NetcdfWriter& file, const AssimilationPlan& plan, std::span<const AssimilationResult> results,
              std::size_t filter) {
  const auto put = [&](const char* name, const std::string& row, Matrix AssimilationResult::*part, const char* what) {
    Extents<2> extents{};
    for (long set = 0; set < plan.sets(); ++set)
      if (const Matrix& values = results[plan.run(filter, set)].*part; !values.empty()) extents = values.extents();
    if (extents[0] == 0) return;
    const std::string variable = fmt::format("{}_{}", name, filter);
    file.define(variable, {"set", row, "state"}, {plan.sets(), extents[0], extents[1]}, io::Storage::float64,
                {fmt::format("{} of the last cycle, {}", what, plan.labels[filter])});
    const Matrix missing(extents, kNaN);
    for (long set = 0; set < plan.sets(); ++set) {
      const AssimilationResult& result = results[plan.run(filter, set)];
      const bool there = !(result.*part).empty() && result.failed_at < 0;
      file.put_slab(variable, {set, 0, 0}, {1, extents[0], extents[1]}, all_of(there ? result.*part : missing));
    }
  };
  put("members", fmt::format("member_{}", filter), &AssimilationResult::members, "analysis ensemble");
  put("covariance", "state2", &AssimilationResult::covariance, "analysis covariance");
}

/// What a run is: its filter, its data set, the numbers that its filter was told, and its time means.
void put_runs(io::NetcdfWriter& file, const AssimilationPlan& plan, std::span<const FilterScores> scores) {
  const auto runs = static_cast<long>(plan.runs.size());
  const auto put = [&](const std::string& name, const std::string& long_name, const auto& value) {
    Vector values({runs});
    for (std::size_t filter = 0; filter < plan.filters.size(); ++filter)
      for (long set = 0; set < plan.sets(); ++set)
        values[static_cast<long>(plan.run(filter, set))] = value(filter, static_cast<std::size_t>(set));
    file.put(name, {"run"}, values, {long_name});
  };
  put("filter", "filter of the run; its words are the attribute filter_K",
      [](auto filter, auto) { return static_cast<double>(filter); });
  put("data_set", "data set of the run", [](auto, auto set) { return static_cast<double>(set); });
  for (const io::Setting* setting : io::settings_of(plan.config.job())) {
    if (io::section_of(setting->key) != io::kList) continue;
    const std::string name = io::name_of(setting->key);
    if (setting->kind != io::Kind::integer && setting->kind != io::Kind::real && setting->kind != io::Kind::flag)
      continue;
    put("setting_" + name, setting->description, [&](auto filter, auto) {
      const std::string key = io::list_key(static_cast<long>(filter), name);
      return plan.config.has(key) ? number_of(plan.config.at(key)) : kNaN;
    });
  }
  for (const SummaryField& field : summary_fields())
    put(field.name, std::string(field.long_name) + ", mean after the burn-in",
        [&](auto filter, auto set) { return scores[filter].runs[set].*field.part; });
  put("lost_at", "cycle where the truth was lost, -1: kept",
      [&](auto filter, auto set) { return static_cast<double>(scores[filter].runs[set].lost_at); });
  put("failed_at", "cycle with numbers that are not finite, -1: none",
      [&](auto filter, auto set) { return static_cast<double>(scores[filter].runs[set].failed_at); });
}

}  // namespace

void write_assimilation(const std::filesystem::path& path, const Device& device, const AssimilationPlan& plan,
                        std::span<const AssimilationResult> results, std::span<const FilterScores> scores) {
  io::NetcdfWriter file(path);
  const FilterProblem& first = plan.problems.front();
  describe(file, plan.config, device, "Filters of one system side by side");
  file.attribute("burn_in", plan.burn_in);
  for (std::size_t i = 0; i < plan.labels.size(); ++i) file.attribute(fmt::format("filter_{}", i), plan.labels[i]);
  put_index(file, "run", static_cast<long>(results.size()), "run: every filter on every data set, filters slowest");
  put_index(file, "set", plan.sets(), "data set");
  put_index(file, "cycle", plan.cycles(), "cycle");
  put_index(file, "state", first.system.n(), "component of the state");
  put_index(file, "obs", first.system.p(), "observation");
  put_time(file, "time", "cycle", first, plan.config.integer("observations.spin_up"));
  put_runs(file, plan, scores);
  put_cycles(file, plan, results);
  if (plan.options.keep_means) put_means(file, plan, results);
  for (std::size_t filter = 0; filter < plan.filters.size(); ++filter) {
    put_ranks(file, plan, results, filter);
    put_last(file, plan, results, filter);
  }
  file.close();
}

}  // namespace vida::jobs
