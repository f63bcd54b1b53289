#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "backend/executor.hpp"
#include "jobs/assimilation_plan.hpp"
#include "jobs/forecast.hpp"
#include "jobs/sweep_plan.hpp"
#include "jobs/sweep_runs.hpp"

namespace vida::jobs {
namespace {

constexpr double kTrialSeconds = 0.3;  // of each method and size

double number(long value) { return static_cast<double>(value); }
double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double bytes_of(std::span<const FilterProblem> problems) {
  double numbers = 0;
  for (const FilterProblem& problem : problems) numbers += number(problem.data.y.size() + problem.data.truth.size());
  return numbers * sizeof(double);
}

/// What assimilate() hands back for so many runs, and the copy of a launch's output on the host.
double result_bytes(const FilterProblem& first, const AssimilationOptions& options, double runs) {
  const double n = first.system.n(), cycles = number(first.data.y.extent(0));
  const double each =
      sizeof(double) * (kCycleScores + (options.keep_means ? 3 * n : 0)) + (options.keep_ranks ? sizeof(int) * n : 0);
  return runs * each * (cycles + std::min(cycles, 64.0));
}

/// Runs that work side by side. Some of them, spread over all, are tried.
std::vector<AssimilationRun> some_of(const std::vector<const AssimilationRun*>& group, long wanted) {
  const long count = std::min(wanted, std::ssize(group));
  std::vector<AssimilationRun> chosen;
  for (long i = 0; i < count; ++i)
    chosen.push_back(*group[static_cast<std::size_t>((2 * i + 1) * std::ssize(group) / (2 * count))]);
  return chosen;
}

struct FilterTrial {
  double seconds = 0;  ///< of all runs
  long run_cycles = 0;
};

/// Each method and size is run for a while over a few of its runs; the others take as long.
FilterTrial try_filters(const Device& device, const std::vector<FilterProblem>& problems,
                        const std::vector<AssimilationRun>& runs, const AssimilationOptions& options) {
  std::map<std::tuple<std::string, int, int>, std::vector<const AssimilationRun*>> groups;
  for (const AssimilationRun& run : runs)
    groups[{run.filter.method, run.filter.members, problems[static_cast<std::size_t>(run.problem)].system.p()}]
        .push_back(&run);
  const long teams = device.executor().concurrent_teams();
  FilterTrial trial;
  for (const auto& [key, group] : groups) {
    const auto chosen = some_of(group, 4 * teams);
    const auto start = std::chrono::steady_clock::now();
    double share = 0, first_seconds = 0, first_share = 0, seconds = 0;
    assimilate(device, problems, chosen, options, [&](const AssimilationProgress& progress) {
      seconds = seconds_since(start), share = number(progress.done) / number(progress.total);
      trial.run_cycles += first_share == 0 ? progress.done : 0;
      if (first_share == 0) first_seconds = seconds, first_share = share;
      return seconds < kTrialSeconds;
    });
    const double rest = share > first_share ? (seconds - first_seconds) * (1 - first_share) / (share - first_share)
                                            : first_seconds * (1 - first_share) / first_share;
    // fewer runs than teams leave some of them idle: then more runs take no longer
    const double rounds = std::max(1.0, number(std::ssize(group)) / std::max(1.0, number(std::ssize(chosen))));
    trial.seconds += rounds * (first_seconds + rest);
  }
  return trial;
}

void add_time(const Device& device, const std::vector<FilterProblem>& problems,
              const std::vector<AssimilationRun>& runs, const AssimilationOptions& options, double before,
              double factor, Forecast& forecast) {
  if (!forecast.fits(device)) return;
  const FilterTrial trial = try_filters(device, problems, runs, options);
  forecast.seconds = before + factor * trial.seconds;
  forecast.how = "from some cycles of every method and size";
}

}  // namespace

Forecast forecast_assimilation(const Device& device, const io::Config& config) {
  const auto start = std::chrono::steady_clock::now();
  const AssimilationPlan plan = make_assimilation_plan(device, config);
  const double before = seconds_since(start);
  const FilterProblem& first = plan.problems.front();
  Forecast forecast;
  forecast.add("state, observed", fmt::format("{}, {}", first.system.n(), first.system.p()));
  forecast.add("cycles", fmt::format("{}, the first {} left out of means", plan.cycles(), plan.burn_in));
  forecast.add("data sets", plan.sets());
  for (const auto& label : plan.labels) forecast.add("filter", label);
  forecast.add("runs", std::ssize(plan.runs));
  forecast.add("means of every cycle", plan.options.keep_means ? "kept" : "not kept");
  forecast.memory.push_back({"filters at work",
                             static_cast<double>(assimilation_bytes(device, plan.problems, plan.runs, plan.options)),
                             true});
  forecast.memory.push_back({"observations and truths", bytes_of(plan.problems)});
  forecast.memory.push_back({"results", result_bytes(first, plan.options, number(std::ssize(plan.runs)))});
  forecast.files = {"result.nc", "summary.json", "config.toml", "figures/"};
  add_time(device, plan.problems, plan.runs, plan.options, before, 1, forecast);
  return forecast;
}

Forecast forecast_sweep(const Device& device, const io::Config& config) {
  const auto start = std::chrono::steady_clock::now();
  const SweepPlan plan = make_sweep_plan(device, config);
  const double before = seconds_since(start);
  const auto runs = sweep_runs(plan);
  const AssimilationOptions options = sweep_options(plan.config);
  const FilterProblem& first = plan.problems.front();
  Forecast forecast;
  forecast.add("state, observed", fmt::format("{}, {}", first.system.n(), first.system.p()));
  forecast.add("cycles", fmt::format("{}, the first {} left out of means", plan.cycles(), plan.burn_in));
  for (const SweepAxis& axis : plan.axes) forecast.add("axis", fmt::format("{}, {} values", axis.name, axis.size()));
  forecast.add("points", fmt::format("{} of {} cells", plan.points.size(), plan.point_of.size()));
  forecast.add("data sets", plan.seeds * std::ssize(plan.data));
  forecast.add("runs", std::ssize(runs));
  const long chunk = std::min(sweep_chunk(plan.cycles()), std::ssize(runs));
  forecast.add("runs at once", chunk);
  validate(plan.problems, runs);
  std::size_t bytes = 0;
  for (std::size_t at = 0; at < runs.size(); at += static_cast<std::size_t>(chunk)) {
    const auto some = std::span(runs).subspan(at, std::min(static_cast<std::size_t>(chunk), runs.size() - at));
    bytes = std::max(bytes, assimilation_bytes(device, plan.problems, some, options));
  }
  forecast.memory.push_back({"filters at work", static_cast<double>(bytes), true});
  forecast.memory.push_back({"observations and truths", bytes_of(plan.problems)});
  forecast.memory.push_back({"results", result_bytes(first, options, number(chunk))});
  forecast.files = {"result.nc", "sweep.csv", "summary.json", "config.toml", "figures/"};
  const double further = number(plan.config.integer("sweep.validate") * std::ssize(plan.groups));
  if (further > 0)
    forecast.add("further twins", fmt::format("{} for each of {} best settings", plan.config.integer("sweep.validate"),
                                              plan.groups.size()));
  add_time(device, plan.problems, runs, options, before, 1 + further / number(std::ssize(runs)), forecast);
  return forecast;
}

}  // namespace vida::jobs
