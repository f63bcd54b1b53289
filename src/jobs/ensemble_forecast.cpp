#include <fmt/format.h>

#include <algorithm>

#include "jobs/ensemble_plan.hpp"
#include "jobs/forecast.hpp"

namespace vida::jobs {
namespace {

constexpr double kTrialSeconds = 1;
constexpr long kLyapunovSteps = 1000;  // of a trial

/// Seconds that the exponents take, which are computed one after the other when the members are done.
double lyapunov_seconds(const Device& device, const EnsembleOptions& options) {
  if (options.lyapunov_exponents == 0) return 0;
  EnsembleOptions alone = options;
  alone.members = 1, alone.initial_states = {}, alone.snapshot_every = 0;
  alone.steps = std::min(options.steps, kLyapunovSteps);
  return integrate_ensemble(device, alone).seconds * static_cast<double>(options.steps) /
         static_cast<double>(alone.steps);
}

}  // namespace

Forecast forecast_ensemble(const Device& device, const io::Config& given) {
  io::Config config = given;
  EnsembleOptions options = ensemble_options(device, config);
  const long times = options.snapshot_every ? 1 + options.steps / options.snapshot_every : 0;
  const double snapshots = static_cast<double>(times), n = options.model.n;
  Forecast forecast;
  const double bytes = static_cast<double>(ensemble_bytes(device, options));
  forecast.add("state", options.model.n);
  forecast.add("members", options.members);
  forecast.add("steps", fmt::format("{} of {} time units", options.steps, options.model.dt));
  if (options.chunk) forecast.add("members at once", std::min(options.chunk, options.members));
  if (snapshots > 0)
    forecast.add("snapshots", fmt::format("{:.0f} of {} members", snapshots, options.snapshot_members));
  if (options.lyapunov_exponents) forecast.add("Lyapunov exponents", options.lyapunov_exponents);
  forecast.memory.push_back({"members at once", bytes, true});
  forecast.memory.push_back(
      {"snapshots", snapshots * static_cast<double>(options.snapshot_members) * n * sizeof(double)});
  forecast.memory.push_back(
      {"states of the file", static_cast<double>(options.initial_states.size()) * sizeof(double)});
  forecast.files = {"result.nc", "summary.json", "config.toml", "figures/"};
  if (!forecast.fits(device)) return forecast;
  options.lyapunov_exponents = 0;
  config.give("ensemble.lyapunov_exponents", 0L);
  const Trial trial = try_job(device, config, kTrialSeconds);
  const Trial::Phase& members = trial.phases.front();
  options.lyapunov_exponents = static_cast<int>(given.integer("ensemble.lyapunov_exponents"));
  forecast.seconds = trial.before + members.whole() + trial.after + lyapunov_seconds(device, options);
  forecast.how = fmt::format("from {} of {} members", members.done, members.total);
  return forecast;
}

}  // namespace vida::jobs
