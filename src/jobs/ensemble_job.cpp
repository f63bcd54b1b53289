#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "io/netcdf.hpp"
#include "jobs/ensemble_plan.hpp"
#include "jobs/job.hpp"
#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

void write_netcdf(const std::filesystem::path& path, const Device& device, const io::Config& config,
                  const EnsembleStatistics& s) {
  io::NetcdfWriter file(path);
  describe(file, config, device, "Ensemble of Lorenz-96 trajectories");
  const auto put = [&](const char* name, const char* dim, const std::vector<double>& values,
                       const io::Description& what) {
    file.put(name, {dim}, {static_cast<long>(values.size())}, std::span<const double>(values), what);
  };
  put_index(file, "state", static_cast<long>(s.mean.size()), "component of the state");
  put("mean", "state", s.mean, {"mean over members"});
  put("variance", "state", s.variance, {"variance over members, divided by members - 1"});
  put("minimum", "state", s.minimum, {"least value over members"});
  put("maximum", "state", s.maximum, {"largest value over members"});
  const std::vector<double> time = {s.time};
  file.put("time", {}, {}, std::span<const double>(time), {"time of the statistics", "model time units"});
  if (!s.snapshot_time.empty()) {
    put("snapshot_time", "snapshot", s.snapshot_time, {"time of each snapshot", "model time units"});
    put_index(file, "member", s.snapshots.extent(1), "member of the ensemble");
    file.put("snapshots", {"snapshot", "member", "state"}, s.snapshots, {"states", "1", "snapshot_time"});
  }
  if (!s.lyapunov.empty())
    put("lyapunov", "exponent", s.lyapunov, {"leading Lyapunov exponents", "1 / model time unit"});
  file.close();
}

nlohmann::ordered_json summarize(const Device& device, const io::Config& config, const EnsembleStatistics& s,
                                 double seconds) {
  auto summary = summary_header(config, device);
  const auto mean_of = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value / static_cast<double>(values.size());
    return sum;
  };
  summary["members"] = s.members;
  summary["finite_members"] = s.finite_members;
  summary["steps"] = config.integer("ensemble.steps");
  summary["time"] = s.time;
  summary["mean"] = number(mean_of(s.mean));
  summary["variance"] = number(mean_of(s.variance));
  summary["minimum"] = number(*std::min_element(s.minimum.begin(), s.minimum.end()));
  summary["maximum"] = number(*std::max_element(s.maximum.begin(), s.maximum.end()));
  if (!s.lyapunov.empty()) {
    summary["lyapunov"] = s.lyapunov;
    summary["positive_exponents"] = std::count_if(s.lyapunov.begin(), s.lyapunov.end(), [](double x) { return x > 0; });
  }
  summary["seconds"] = seconds;
  summary["member_steps_per_second"] =
      number(static_cast<double>(s.members) * static_cast<double>(config.integer("ensemble.steps")) / seconds);
  return summary;
}

std::string table(const nlohmann::ordered_json& summary) {
  std::string text;
  const auto row = [&](const char* name, const char* key) {
    if (summary[key].is_number()) text += fmt::format("{:<32}{:>12.5g}\n", name, summary[key].get<double>());
  };
  text += fmt::format("{:<32}{:>12}\n", "members", summary["members"].get<long>());
  row("time, model time units", "time");
  row("mean over members, components", "mean");
  row("variance, mean over components", "variance");
  row("least value", "minimum");
  row("largest value", "maximum");
  if (summary.contains("lyapunov")) {
    text += fmt::format("{:<32}{:>12.5g}\n", "largest Lyapunov exponent", summary["lyapunov"][0].get<double>());
    row("positive exponents", "positive_exponents");
  }
  row("member steps per second", "member_steps_per_second");
  return text;
}

}  // namespace

Outcome ensemble_job(const Device& device, const io::Config& given, io::OutputFolder& folder, const Monitor& monitor,
                     JobCheckpoint& checkpoint) {
  io::Config config = given;
  const EnsembleOptions options = ensemble_options(device, config);
  Outcome outcome;
  const auto start = std::chrono::steady_clock::now();
  const auto heard = [&](double share) {
    const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const long done = std::lround(share * static_cast<double>(options.members));
    const bool go_on = monitor({done, options.members, "members", std::numeric_limits<double>::quiet_NaN(), elapsed,
                                share > 0 ? elapsed * (1 - share) / share : 0});
    outcome.interrupted |= !go_on && share < 1;
    return go_on;
  };
  const auto statistics = integrate_ensemble(device, options, heard, &checkpoint);
  outcome.flagged = statistics.members - statistics.finite_members;
  outcome.usable = statistics.finite_members > 0;
  if (outcome.flagged > 0)
    outcome.notes.push_back(
        fmt::format("{} of {} members left the finite numbers and are not part of the statistics; a "
                    "smaller model.dt (now {}) may help.",
                    outcome.flagged, statistics.members, options.model.dt));
  if (!outcome.usable) return outcome;
  auto summary = summarize(device, config, statistics, checkpoint.seconds_before() + statistics.seconds);
  outcome.table = table(summary);
  write_netcdf(folder.pending("result.nc"), device, config, statistics);
  write_summary(folder, config, outcome, std::move(summary));
  return outcome;
}

}  // namespace vida::jobs
