#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "backend/executor.hpp"
#include "jobs/forecast.hpp"
#include "jobs/problem.hpp"

namespace vida::jobs {
namespace {

constexpr double kTrialSeconds = 1;

double bytes_of(const std::vector<FilterProblem>& problems) {
  double numbers = 0;
  for (const FilterProblem& problem : problems)
    numbers += static_cast<double>(problem.data.y.size() + problem.data.truth.size());
  return numbers * sizeof(double);
}

long trajectories_of(const Plan& plan) {
  long count = 0;
  for (const Run& run : plan.runs) count += std::ssize(run.problems);
  return count;
}

/// Memory of learn_gain() and evaluate() as they take it; see the groups of learn_gain().
void add_memory(const Device& device, const Plan& plan, bool learn, Forecast& forecast) {
  const GainObjective objective(device, std::span(plan.problems).first(1), objective_options(plan.config));
  const double each = static_cast<double>(objective.memory_bytes()),
               reference = static_cast<double>(objective.reference_bytes()),
               limit = static_cast<double>(device.memory_limit());
  const double problems = static_cast<double>(plan.problems.size()),
               flights = static_cast<double>(trajectories_of(plan));
  const double fitting = device.is_cuda()
                             ? limit / each
                             : std::min(limit / each, static_cast<double>(device.executor().concurrent_teams()));
  forecast.memory.push_back(
      {"filter and adjoint of the problems in flight", each * std::max(1.0, std::min(fitting, flights)), true});
  forecast.memory.push_back(
      {"extended Kalman filter of each problem",
       learn ? std::max(reference, std::min(reference * problems, limit / 2)) : reference * problems, true});
  const FilterProblem& first = plan.first();
  const double means = static_cast<double>(first.data.y.extent(0)) * first.system.n() * sizeof(double);
  // the plan's, the group's and the engine's
  forecast.memory.push_back({"observations and truths", 3 * bytes_of(plan.problems) + bytes_of(plan.tests)});
  // analysis means of the filter and of the EKF, kept, reported and stacked for the file
  forecast.memory.push_back({"analysis means", means * (3 * static_cast<double>(plan.runs.size()) + 2 * problems)});
  const double tests = plan.tests.empty() ? 0 : static_cast<double>(plan.tests.front().data.y.extent(0));
  forecast.memory.push_back({"analysis means of the held-out data",
                             tests * first.system.n() * sizeof(double) *
                                 (4 * static_cast<double>(plan.runs.size()) + static_cast<double>(plan.tests.size()))});
}

}  // namespace

Forecast forecast_gain(const Device& device, const io::Config& config) {
  const bool learn = config.job() == "learn-gain";
  const Plan plan = make_plan(device, config);
  Forecast forecast;
  const FilterProblem& first = plan.first();
  forecast.add("state, observed", fmt::format("{}, {}", first.system.n(), first.system.p()));
  forecast.add("cycles", first.data.y.extent(0));
  forecast.add("runs", std::ssize(plan.runs));
  forecast.add("problems", fmt::format("{}, {} trajectories", plan.problems.size(), trajectories_of(plan)));
  forecast.add(
      "gain", learn ? fmt::format("{} x {}, {}", first.system.n(), first.system.p(), plan.config.text("gain.structure"))
                    : fmt::format("{} x {}", first.system.n(), first.system.p()));
  if (learn) forecast.add("iterations", plan.config.integer("optimizer.iterations"));
  if (learn && !plan.tests.empty())
    forecast.add("held-out data",
                 fmt::format("{} twins of {} cycles", plan.tests.size(), plan.tests.front().data.y.extent(0)));
  forecast.add("cycles in a chunk", std::min(plan.config.integer("objective.chunk"), first.data.y.extent(0)));
  add_memory(device, plan, learn, forecast);
  forecast.files = {"result.nc", "summary.json", "config.toml"};
  if (learn) forecast.files.insert(forecast.files.end(), {"gain.nc", "metrics.jsonl", "figures/"});
  if (!forecast.fits(device)) return forecast;
  const auto start = std::chrono::steady_clock::now();
  const Trial trial = try_job(device, config, kTrialSeconds);
  if (!learn) {  // one evaluation: the trial is the job
    forecast.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    forecast.how = "the job was done for it";
    return forecast;
  }
  const Trial::Phase& steps = trial.phases.front();
  forecast.seconds = trial.before + steps.whole() + trial.after;
  forecast.how = fmt::format("from {} of {} iterations, and the scores at the end", steps.done + 1, steps.total + 1);
  return forecast;
}

}  // namespace vida::jobs
