#include "jobs/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "jobs/system.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {
using io::Config;
using io::DataFile;

/// Configurations of all runs: the product of the axes, the first one slowest.
std::vector<Config> expand(const Config& config) {
  std::vector<Config> runs = {config};
  for (const io::Axis& axis : config.axes()) {
    std::vector<Config> product;
    for (const Config& run : runs)
      for (const io::Value& value : axis.values) product.emplace_back(run).give(axis.key, value);
    runs = std::move(product);
  }
  return runs;
}

/// What tells the data and the filter of two runs apart.
std::string identity(const Config& run, const std::string& seed_key, std::uint32_t number, long item) {
  std::string text = fmt::format("{}|{}|{}", run.integer(seed_key), number, item);
  for (const io::Setting& setting : io::settings())
    if (const auto dot = setting.key.find('.'); dot != setting.key.npos) {
      const std::string section = setting.key.substr(0, dot);
      if ((section == "model" || section == "observations" || section == "filter") && run.has(setting.key))
        text.append("|").append(io::to_toml(run.at(setting.key)));
    }
  return text;
}

/// Collects distinct problems; the data of all twins are simulated in one call at the end.
class ProblemSet {
 public:
  ProblemSet(std::string seed_key, std::string cycles_key)
      : seed_key_(std::move(seed_key)), cycles_key_(std::move(cycles_key)) {}

  long simulated(const Config& run, const DataFile* data, long item, std::uint32_t number) {
    const auto [index, added] = add(run, item, number);
    if (!added) return index;
    problems_.push_back({filter_system(run, data, item), {}, seed(run), number});
    twins_.push_back({run.integer(cycles_key_), run.integer("observations.spin_up"), seed(run), number});
    systems_.push_back(truth_system(
        run, data, item, starts_as_the_filter(run) ? TruthStart::as_the_filter : TruthStart::standard_normal));
    return index;
  }

  long measured(const Config& run, const DataFile& data, long item) {
    const auto [index, added] = add(run, item, static_cast<std::uint32_t>(item));
    if (!added) return index;
    Observations observations{data.matrix("y", item), {}};
    if (data.has("truth")) observations.truth = data.matrix("truth", item);
    problems_.push_back({filter_system(run, &data, item), observations, seed(run), static_cast<std::uint32_t>(item)});
    return index;
  }

  std::vector<FilterProblem> finish(const Device& device) {
    if (!twins_.empty()) {
      auto observations = simulate(device, systems_, twins_);
      for (std::size_t i = 0; i < problems_.size(); ++i) problems_[i].data = std::move(observations[i]);
    }
    for (const auto& problem : problems_) validate(problem);
    return std::move(problems_);
  }

 private:
  std::pair<long, bool> add(const Config& run, long item, std::uint32_t number) {
    const auto [found, added] =
        index_.try_emplace(identity(run, seed_key_, number, item), static_cast<long>(index_.size()));
    return {found->second, added};
  }
  std::uint64_t seed(const Config& run) const { return static_cast<std::uint64_t>(run.integer(seed_key_)); }

  std::string seed_key_, cycles_key_;
  std::map<std::string, long> index_;
  std::vector<FilterProblem> problems_;
  std::vector<StateSpaceModel> systems_;
  std::vector<TwinOptions> twins_;
};

/// K of the file, K of the data or initial * H'; one for each data set where the file has an axis more.
class GainSource {
 public:
  GainSource(const Config& config, const DataFile* data) : data_(data), evaluate_(config.job() == "evaluate-gain") {
    if (!config.has("gain.file")) return;
    file_ = io::read_gains(config.text("gain.file"));
    path_ = config.text("gain.file");
    if (uses_data() && (file_->batched || data->batched("K") || !(file_->gains[0] == data->matrix("K", 0))))
      throw InvalidArgument(fmt::format("gain.file = \"{}\", but '{}' holds K too, another one. Remove one of the two.",
                                        path_, data->path().string()));
  }
  /// Gains along a leading axis of gain.file, 1 without one.
  long count() const { return file_ ? static_cast<long>(file_->gains.size()) : 1; }
  bool batched() const { return file_ && file_->batched; }
  bool from_file() const { return file_ || uses_data(); }

  Matrix gain(const Config& run, const StateSpaceModel& system, long item, long number) const {
    if (!file_ && !uses_data()) return scaled_transpose(system.observation_operator, run.real("gain.initial"));
    Matrix K = file_ ? file_->gains[number] : data_->matrix("K", item);
    if (K.extents() != Extents<2>{system.n(), system.p()})
      throw InvalidArgument(
          fmt::format("gain.file: '{}' holds K with shape {}; the model and the observations need {}.", path_,
                      to_string<2>(K.extents()), to_string<2>({system.n(), system.p()})));
    return K;
  }

 private:
  bool uses_data() const { return evaluate_ && data_ && data_->has("K"); }
  const DataFile* data_;
  bool evaluate_;
  std::optional<io::GainFile> file_;
  std::string path_;
};

void refuse_axes_of_the_simulation(const Config& config, const DataFile& data) {
  if (config.trajectories > 1)
    throw InvalidArgument("[batch] trajectories are simulated; leave them out with observations.file.");
  for (const io::Axis& axis : config.axes())
    if (axis.key == "observations.spin_up" || axis.key == "observations.start" ||
        (axis.key == "model.forcing" && data.has("F")) || (axis.key == "model.dt" && data.has("dt")) ||
        (axis.key == "seed" && config.text("objective.expectation") == "exact"))
      throw InvalidArgument(
          fmt::format("[batch] {}: this is told by '{}' and cannot be an axis.", axis.key, data.path().string()));
}

}  // namespace

Plan make_plan(const Device& device, const Config& config) {
  Plan plan{config, false, {}, {}, {}};
  std::optional<DataFile> data;
  if (config.has("observations.file")) {
    data.emplace(config.text("observations.file"));
    refuse_axes_of_the_simulation(config, *data);
    adopt(plan.config, *data);
  }
  const DataFile* file = data ? &*data : nullptr;
  const GainSource gains(config, file);
  const bool learn = config.job() == "learn-gain";
  const bool held_out = learn && config.integer("test.cycles") > 0;
  ProblemSet problems("seed", "observations.cycles"), tests("test.seed", "test.cycles");
  std::vector<std::pair<long, long>> pending;  // data set and gain of the file, for each run
  for (const Config& run : expand(plan.config))
    for (long item = 0; item < (data ? data->count() : 1); ++item)
      for (long number = 0; number < gains.count(); ++number) {
        Run entry{run, {}, -1, {}};
        if (file)
          entry.problems.push_back(problems.measured(run, *file, item));
        else
          for (long k = 0; k < config.trajectories; ++k)
            entry.problems.push_back(problems.simulated(run, file, item, static_cast<std::uint32_t>(k)));
        if (held_out) entry.test = tests.simulated(run, file, item, kHeldOut);
        plan.runs.push_back(std::move(entry));
        pending.push_back({item, number});
      }
  for (const io::Axis& axis : config.axes())
    if (axis.key == "gain.initial" && gains.from_file())
      throw InvalidArgument("[batch] gain.initial: the gain comes from a file, so this axis would change nothing.");
  if (gains.from_file()) plan.config.forget("gain.initial");
  plan.batched = plan.runs.size() > 1 || !config.axes().empty() || (data && data->batched()) || gains.batched();
  plan.problems = problems.finish(device);
  if (held_out) plan.tests = tests.finish(device);
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    Run& run = plan.runs[i];
    const auto& [item, number] = pending[i];
    run.gain = gains.gain(run.settings, plan.problems[run.problems[0]].system, item, number);
  }
  return plan;
}

Precision precision_of(const Config& config) {
  return config.text("precision") == "float32" ? Precision::float32 : Precision::float64;
}

GainObjectiveOptions objective_options(const Config& config) {
  GainObjectiveOptions options;
  options.precision = precision_of(config);
  options.expectation = config.text("objective.expectation") == "exact" ? Expectation::exact : Expectation::monte_carlo;
  options.samples = static_cast<int>(config.integer("objective.samples"));
  options.chunk = config.integer("objective.chunk");
  options.checkpoint_interval = config.integer("objective.checkpoint_interval");
  return options;
}

}  // namespace vida::jobs
