#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/archive.hpp"
#include "jobs/gain_scores.hpp"
#include "jobs/job.hpp"
#include "jobs/problem.hpp"
#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

std::vector<GainRun> gain_runs(const Plan& plan) {
  std::vector<GainRun> runs;
  for (const Run& run : plan.runs) runs.push_back({run.problems, run.gain, run.settings.real("optimizer.step")});
  return runs;
}

LearnGainOptions learn_options(const io::Config& config) {
  LearnGainOptions options;
  options.objective = objective_options(config);
  options.structure = config.text("gain.structure");
  options.optimizer = config.text("optimizer.name");
  options.iterations = config.integer("optimizer.iterations");
  return options;
}

/// One line of metrics.jsonl.
struct Metrics {
  long run = 0, iteration = 0;
  double cost = 0, mse = 0, kl_to_ekf = 0, seconds = 0;
};

/// A line for each run and iteration, as they come; those of an earlier part of the run are written again.
class MetricsStream {
 public:
  explicit MetricsStream(const std::filesystem::path& path) : file_(path) {}
  void add(const GainProgress& progress, double seconds) {
    for (const auto& point : progress.points) {
      lines_.push_back({point.run, progress.iteration, point.cost, point.mse, point.kl_to_ekf, seconds});
      write(lines_.back());
    }
    file_.flush();
  }
  void name_state(Archive& archive) {
    long count = std::ssize(lines_);
    archive("count", count);
    lines_.resize(static_cast<std::size_t>(count));
    archive.each("run", lines_, &Metrics::run), archive.each("iteration", lines_, &Metrics::iteration);
    archive.each("cost", lines_, &Metrics::cost), archive.each("mse", lines_, &Metrics::mse);
    archive.each("kl_to_ekf", lines_, &Metrics::kl_to_ekf), archive.each("seconds", lines_, &Metrics::seconds);
    if (!archive.restores()) return;
    for (const Metrics& line : lines_) write(line);
  }
  void close() {
    file_.close();
    if (!file_) throw io::WriteError("metrics.jsonl cannot be written: the disk may be full.");
  }

 private:
  void write(const Metrics& metrics) {
    nlohmann::ordered_json line;
    line["run"] = metrics.run;
    line["iteration"] = metrics.iteration;
    line["cost"] = number(metrics.cost);
    line["mse"] = number(metrics.mse);
    line["kl_to_ekf"] = number(metrics.kl_to_ekf);
    line["seconds"] = metrics.seconds;
    file_ << line.dump() << '\n';
  }

  std::ofstream file_;
  std::vector<Metrics> lines_;
};

/// A field of every run as one array [run, ...].
template <class Part>
auto stacked(std::size_t runs, const Part& part) {
  std::vector<std::decay_t<decltype(part(std::size_t{0}))>> items;
  for (std::size_t i = 0; i < runs; ++i) items.push_back(part(i));
  return stack(std::span<const typename decltype(items)::value_type>(items));
}

void put_training(io::NetcdfWriter& file, const Plan& plan, const LearnGainResult& learned,
                  const std::vector<GainReport>& reports) {
  const std::size_t runs = plan.runs.size();
  const auto problem = [&](std::size_t i) -> const FilterProblem& {
    return plan.problems[static_cast<std::size_t>(plan.runs[i].problems[0])];
  };
  const std::string time = "time";
  file.put("cost", {"run", "iteration"}, stacked(runs, [&](auto i) { return learned.runs[i].cost; }),
           {"cost at the gain before each step and at the last gain"});
  file.put("mse", {"run", "iteration"}, stacked(runs, [&](auto i) { return learned.runs[i].mse; }),
           {"mean squared error against the truth, training data"});
  file.put("kl_to_ekf", {"run", "iteration"}, stacked(runs, [&](auto i) { return learned.runs[i].kl_to_ekf; }),
           {"KL(analysis of the fixed gain || analysis of the EKF), mean over cycles", "nat"});
  file.put("kl", {"run", "cycle"}, stacked(runs, [&](auto i) { return reports[i].kl; }),
           {"KL(analysis || forecast) at the learned gain, first trajectory", "nat", time});
  file.put("loglik", {"run", "cycle"}, stacked(runs, [&](auto i) { return reports[i].loglik; }),
           {"expected log-likelihood at the learned gain, first trajectory", "nat", time});
  file.put("y", {"run", "cycle", "obs"}, stacked(runs, [&](auto i) { return problem(i).data.y; }),
           {"observations, training data", "1", time});
  if (!problem(0).data.truth.empty())
    file.put("truth", {"run", "cycle", "state"}, stacked(runs, [&](auto i) { return problem(i).data.truth; }),
             {"true state, training data", "1", time});
  file.put("analysis_mean", {"run", "cycle", "state"},
           stacked(runs, [&](auto i) { return learned.runs[i].analysis_mean; }),
           {"analysis mean of the learned gain, training data", "1", time});
  file.put("ekf_mean", {"run", "cycle", "state"}, stacked(runs, [&](auto i) { return reports[i].ekf_mean; }),
           {"analysis mean of the EKF, training data", "1", time});
}

void put_held_out(io::NetcdfWriter& file, const Plan& plan, const std::vector<GainReport>& reports) {
  const std::size_t runs = plan.runs.size();
  const auto test = [&](std::size_t i) -> const FilterProblem& {
    return plan.tests[static_cast<std::size_t>(plan.runs[i].test)];
  };
  const std::string time = "test_time";
  put_index(file, "test_cycle", test(0).data.y.extent(0), "cycle of the held-out data");
  put_time(file, time, "test_cycle", test(0), plan.config.integer("observations.spin_up"));
  file.put("test_y", {"run", "test_cycle", "obs"}, stacked(runs, [&](auto i) { return test(i).data.y; }),
           {"observations, held-out data", "1", time});
  file.put("test_truth", {"run", "test_cycle", "state"}, stacked(runs, [&](auto i) { return test(i).data.truth; }),
           {"true state, held-out data", "1", time});
  file.put("test_analysis_mean", {"run", "test_cycle", "state"},
           stacked(runs, [&](auto i) { return reports[i].test_mean; }),
           {"analysis mean of the learned gain, held-out data", "1", time});
  file.put("test_initial_mean", {"run", "test_cycle", "state"},
           stacked(runs, [&](auto i) { return reports[i].test_initial_mean; }),
           {"analysis mean of the gain at the start, held-out data", "1", time});
  file.put("test_ekf_mean", {"run", "test_cycle", "state"},
           stacked(runs, [&](auto i) { return reports[i].test_ekf_mean; }),
           {"analysis mean of the EKF, held-out data", "1", time});
}

void put_gains(io::NetcdfWriter& file, const LearnGainResult& learned, const std::vector<GainReport>& reports) {
  const std::size_t runs = reports.size();
  file.put("gain", {"run", "state", "obs"}, stacked(runs, [&](auto i) { return learned.runs[i].gain; }),
           {"learned gain K"});
  file.put("gain_initial", {"run", "state", "obs"}, stacked(runs, [&](auto i) { return reports[i].initial_gain; }),
           {"gain at the start, K_0"});
  file.put("gain_steady", {"run", "state", "obs"}, stacked(runs, [&](auto i) { return reports[i].steady_gain; }),
           {"mean gain of the EKF over the last 50 cycles"});
}

/// Scores, and the place of each run on the axes, as [run].
void put_scores(io::NetcdfWriter& file, const Plan& plan, const std::vector<GainReport>& reports) {
  const long runs = static_cast<long>(reports.size());
  for (const ScoreField& field : score_fields()) {
    if (std::string(field.name) == "kl_to_ekf") continue;  // the last entry of the trace
    Vector values({runs});
    for (long i = 0; i < runs; ++i) values[i] = reports[static_cast<std::size_t>(i)].scores.*field.part;
    file.put(field.name, {"run"}, values, {field.long_name});
  }
  for (const io::Axis& axis : plan.config.axes()) {
    Vector values({runs});
    for (long i = 0; i < runs; ++i) values[i] = number_of(plan.runs[static_cast<std::size_t>(i)].settings.at(axis.key));
    std::string name = "axis_" + axis.key;
    std::replace(name.begin(), name.end(), '.', '_');
    file.put(name, {"run"}, values, {axis.key + " of each run"});
  }
}

void write_netcdf(const std::filesystem::path& path, const Device& device, const Plan& plan,
                  const LearnGainResult& learned, const std::vector<GainReport>& reports) {
  io::NetcdfWriter file(path);
  describe(file, plan.config, device, "Learned gain of 3DVar on Lorenz-96");
  const FilterProblem& first = plan.first();
  put_index(file, "run", static_cast<long>(plan.runs.size()), "run of the batch");
  put_index(file, "cycle", first.data.y.extent(0), "cycle of the training data");
  put_index(file, "state", first.system.n(), "component of the state");
  put_index(file, "obs", first.system.p(), "observation");
  std::size_t longest = 1;
  for (const auto& run : learned.runs) longest = std::max(longest, run.cost.size());
  put_index(file, "iteration", static_cast<long>(longest), "steps taken");
  put_time(file, "time", "cycle", first, plan.config.integer("observations.spin_up"));
  put_gains(file, learned, reports);
  put_training(file, plan, learned, reports);
  if (!plan.tests.empty()) put_held_out(file, plan, reports);
  put_scores(file, plan, reports);
  file.close();
}

void write_gain(const std::filesystem::path& path, const Device& device, const Plan& plan,
                const LearnGainResult& learned) {
  io::NetcdfWriter file(path);
  describe(file, plan.config, device, "Learned gain of 3DVar on Lorenz-96");
  if (plan.batched)
    file.put("K", {"run", "state", "obs"}, stacked(learned.runs.size(), [&](auto i) { return learned.runs[i].gain; }),
             {"learned gain"});
  else
    file.put("K", {"state", "obs"}, learned.runs[0].gain, {"learned gain"});
  file.close();
}

nlohmann::ordered_json run_summary(const Run& run, const LearnedGain& learned, const GainReport& report) {
  auto json = to_json(report.scores);
  json["iterations"] = learned.iterations;
  json["converged"] = learned.converged;
  json["flagged_at"] =
      learned.flagged_at < 0 ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(learned.flagged_at);
  json["interrupted"] = learned.stopped;
  json["trajectories"] = run.problems.size();
  return json;
}

nlohmann::ordered_json summarize(const Device& device, const Plan& plan, const LearnGainResult& learned,
                                 const std::vector<GainReport>& reports) {
  auto summary = summary_header(plan.config, device);
  summary["structure"] = plan.config.text("gain.structure");
  summary["optimizer"] = plan.config.text("optimizer.name");
  summary["seconds_per_iteration"] = learned.seconds_per_iteration;
  if (!plan.batched) {
    summary.update(run_summary(plan.runs[0], learned.runs[0], reports[0]));
    return summary;
  }
  summary["iterations"] = plan.config.integer("optimizer.iterations");
  summary["runs"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < reports.size(); ++i) {
    auto run = run_summary(plan.runs[i], learned.runs[i], reports[i]);
    for (const char* key : {"device", "precision", "version", "structure", "seconds_per_iteration"})
      run[key] = summary[key];
    run["seed"] = plan.runs[i].settings.integer("seed");
    for (const io::Axis& axis : plan.config.axes())
      run[axis.key] = nlohmann::ordered_json::parse(io::to_toml(plan.runs[i].settings.at(axis.key)));
    summary["runs"].push_back(std::move(run));
  }
  return summary;
}

std::string flag_note(std::size_t index, const Run& run, const LearnedGain& learned) {
  if (learned.cost.empty())
    return fmt::format(
        "run {} has no result: its cost is not finite at the gain at the start. Another gain.initial (now {})"
        " may help.",
        index, run.settings.has("gain.initial") ? io::to_toml(run.settings.at("gain.initial")) : "from a file");
  return fmt::format(
      "run {} stopped: its cost was not finite at iteration {}; its last good gain is kept. A smaller "
      "optimizer.step (now {}) may help.",
      index, learned.flagged_at, io::to_toml(run.settings.at("optimizer.step")));
}

std::vector<std::string> notes(const Plan& plan, const LearnGainResult& learned) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < learned.runs.size(); ++i)
    if (!learned.runs[i].converged) lines.push_back(flag_note(i, plan.runs[i], learned.runs[i]));
  if (plan.first().data.truth.empty())
    lines.push_back("the observations come without a truth: scores that need it are left out.");
  return lines;
}

}  // namespace

Outcome learn_gain_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                       JobCheckpoint& checkpoint) {
  const Plan plan = make_plan(device, config);
  MetricsStream metrics(folder.pending("metrics.jsonl"));
  const Snapshot found = checkpoint.found();
  const auto name_metrics = [&](Archive& archive) { metrics.name_state(archive); };
  restored(found, name_metrics);
  PartOfCheckpoints learning(&checkpoint, found, "learning", name_metrics);
  const auto heard = [&](const GainProgress& progress) {
    metrics.add(progress, checkpoint.seconds_before() + progress.elapsed_seconds);
    return monitor({progress.iteration, progress.iterations, "iterations", progress.cost, progress.elapsed_seconds,
                    progress.remaining_seconds});
  };
  const auto learned = learn_gain(device, plan.problems, gain_runs(plan), learn_options(plan.config), heard, &learning);

  Outcome outcome;
  outcome.flagged =
      std::count_if(learned.runs.begin(), learned.runs.end(), [](const auto& run) { return !run.converged; });
  outcome.interrupted =
      std::any_of(learned.runs.begin(), learned.runs.end(), [](const auto& run) { return run.stopped; });
  outcome.usable =
      std::any_of(learned.runs.begin(), learned.runs.end(), [](const auto& run) { return !run.cost.empty(); });
  outcome.notes = notes(plan, learned);
  if (!outcome.usable) return outcome;
  const auto reports = assess(device, plan, learned);
  outcome.table = score_table(plan, learned, reports);
  write_netcdf(folder.pending("result.nc"), device, plan, learned, reports);
  write_gain(folder.pending("gain.nc"), device, plan, learned);
  write_summary(folder, plan.config, outcome, summarize(device, plan, learned, reports));
  return outcome;
}

}  // namespace vida::jobs
