#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>

#include "backend/archive.hpp"
#include "backend/smaller_chunks.hpp"
#include "filtering/gain_engine.hpp"
#include "filtering/validate.hpp"

namespace vida {
namespace {

bool finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

/// One run while it learns.
struct Learner {
  long index;  // among all runs
  const GainRun* run;
  std::vector<double> parameters, last_good;
  std::unique_ptr<Optimizer> optimizer;
  LearnedGain* result;
  bool active = true;
  long next = 0;                             // iteration
  std::vector<double> optimizer_state = {};  // of a checkpoint
};

std::vector<Learner> learners_of(std::span<const GainRun> runs, const LearnGainOptions& options,
                                 const GainStructure& structure, std::vector<LearnedGain>& results) {
  std::vector<Learner> learners;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto parameters = structure.project(runs[i].initial_gain);
    learners.push_back({static_cast<long>(i), &runs[i], parameters, parameters,
                        make_optimizer(options.optimizer, runs[i].step), &results[i]});
  }
  return learners;
}

/// Everything that learning needs to go on where it was.
void name_state(Archive& archive, std::vector<Learner>& learners, std::vector<LearnedGain>& results) {
  for (Learner& learner : learners) learner.optimizer_state = learner.optimizer->state();
  archive.each("next", learners, &Learner::next), archive.each("active", learners, &Learner::active);
  archive.each("parameters", learners, &Learner::parameters), archive.each("last_good", learners, &Learner::last_good);
  archive.each("optimizer", learners, &Learner::optimizer_state);
  archive.each("cost", results, &LearnedGain::cost), archive.each("mse", results, &LearnedGain::mse);
  archive.each("kl_to_ekf", results, &LearnedGain::kl_to_ekf);
  archive.each("analysis_mean", results, &LearnedGain::analysis_mean);
  archive.each("iterations", results, &LearnedGain::iterations);
  archive.each("converged", results, &LearnedGain::converged);
  archive.each("flagged_at", results, &LearnedGain::flagged_at);
  if (!archive.restores()) return;
  for (Learner& learner : learners) learner.optimizer->restore(learner.optimizer_state);
}

/// Cost and gradient of a learner: the mean over the trajectories that share its gain.
struct SharedValue {
  double cost = 0, mse = 0, kl_to_ekf = 0;
  std::vector<double> gradient;
  Matrix analysis_mean;
};

SharedValue shared_value(const GainStructure& structure, std::span<GainEvaluation> of_trajectories,
                         std::span<const FilterProblem> problems, const GainRun& run) {
  SharedValue shared;
  const double share = 1.0 / static_cast<double>(of_trajectories.size());
  for (std::size_t k = 0; k < of_trajectories.size(); ++k) {
    const GainValue& value = of_trajectories[k].value;
    shared.cost += share * value.cost;
    shared.kl_to_ekf += share * value.kl_to_reference;
    shared.mse +=
        share * mean_squared_error(value.analysis_mean, problems[static_cast<std::size_t>(run.problems[k])].data.truth);
    if (value.gradient.empty()) continue;
    const auto gradient = structure.reduce(value.gradient);
    shared.gradient.resize(gradient.size(), 0.0);
    for (std::size_t e = 0; e < gradient.size(); ++e) shared.gradient[e] += share * gradient[e];
  }
  shared.analysis_mean = std::move(of_trajectories[0].value.analysis_mean);
  return shared;
}

/// Runs whose problems are held in memory together.
class Group {
 public:
  Group(const Device& device, std::span<const FilterProblem> problems, std::span<Learner> learners,
        const LearnGainOptions& options, const GainStructure& structure)
      : options_(options), structure_(structure), learners_(learners), all_problems_(problems) {
    for (const Learner& learner : learners_)
      for (long problem : learner.run->problems)
        if (local_.try_emplace(problem, static_cast<long>(held_.size())).second) {
          held_.push_back(problems[static_cast<std::size_t>(problem)]);
          origin_.push_back(problem);
        }
    engine_ = GainEngine::make(device, held_, options.objective);
  }

  /// EKF of the problems held, at their places in `into`.
  void track_ekf(std::vector<FilterResult>& into) {
    auto results = engine_->track_ekf();
    for (std::size_t k = 0; k < results.size(); ++k) into[static_cast<std::size_t>(origin_[k])] = std::move(results[k]);
  }

  bool any_active() const {
    return std::any_of(learners_.begin(), learners_.end(), [](const Learner& learner) { return learner.active; });
  }

  /// Evaluates every active learner; records, and steps when `step`. Returns the points of the trace.
  std::vector<GainProgress::Point> iterate(long iteration, bool step) {
    std::vector<long> which;
    std::vector<Matrix> gains;
    for (Learner& learner : learners_) {
      if (!learner.active) continue;
      const Matrix gain = structure_.expand(learner.parameters);
      for (long problem : learner.run->problems) {
        which.push_back(local_.at(problem));
        gains.push_back(gain);
      }
    }
    auto values = engine_->evaluate(which, gains, {.gradient = step, .iteration = iteration});
    std::vector<GainProgress::Point> points;
    std::size_t first = 0;
    for (Learner& learner : learners_) {
      if (!learner.active) continue;
      const std::size_t count = learner.run->problems.size();
      SharedValue value =
          shared_value(structure_, std::span(values).subspan(first, count), all_problems_, *learner.run);
      first += count;
      if (record(learner, iteration, value)) points.push_back({learner.index, value.cost, value.mse, value.kl_to_ekf});
      if (learner.active && step) advance(learner, std::move(value.gradient));
    }
    for (Learner& learner : learners_) learner.next = iteration + 1;
    return points;
  }

 private:
  /// False when the value is not usable: the learner then stands at its last good gain and stops.
  bool record(Learner& learner, long iteration, SharedValue& value) {
    if (!std::isfinite(value.cost) || !finite(value.gradient)) {
      learner.active = false;
      learner.result->converged = false;
      learner.result->flagged_at = iteration;
      learner.parameters = learner.last_good;
      learner.result->iterations = std::max(0L, iteration - 1);
      return false;
    }
    learner.last_good = learner.parameters;
    learner.result->iterations = iteration;
    learner.result->cost.push_back(value.cost);
    learner.result->mse.push_back(value.mse);
    if (options_.track_ekf) learner.result->kl_to_ekf.push_back(value.kl_to_ekf);
    learner.result->analysis_mean = std::move(value.analysis_mean);
    return true;
  }

  void advance(Learner& learner, std::vector<double> gradient) {
    if (options_.optimizer == "adam")  // the learning rate is meant for the mean over cycles
      for (double& entry : gradient) entry /= static_cast<double>(held_[0].data.y.extent(0));
    learner.optimizer->step(learner.parameters, gradient);
    if (!finite(learner.parameters)) {
      learner.active = false;
      learner.result->converged = false;
      learner.result->flagged_at = learner.result->iterations;
      learner.parameters = learner.last_good;
    }
  }

  const LearnGainOptions& options_;
  const GainStructure& structure_;
  std::span<Learner> learners_;
  std::span<const FilterProblem> all_problems_;
  std::map<long, long> local_;  // problem -> its place in held_
  std::vector<FilterProblem> held_;
  std::vector<long> origin_;
  std::unique_ptr<GainEngine> engine_;
};

void validate_runs(std::span<const FilterProblem> problems, std::span<const GainRun> runs,
                   const LearnGainOptions& options) {
  if (options.iterations < 0)
    throw InvalidArgument(fmt::format("optimizer.iterations is {}, expected at least 0.", options.iterations));
  for (const GainRun& run : runs) {
    if (run.problems.empty()) throw InvalidArgument("a run of learn_gain names no problem; give at least one.");
    for (long problem : run.problems)
      if (problem < 0 || problem >= static_cast<long>(problems.size()))
        throw InvalidArgument(fmt::format("a run names problem {}; there are {}.", problem, problems.size()));
    validate_gain(run.initial_gain, problems[static_cast<std::size_t>(run.problems[0])].system);
    make_optimizer(options.optimizer, run.step);
  }
}

/// Bytes that one run adds to a group: the EKF that its problems keep.
std::size_t run_bytes(const FilterProblem& problem, const GainRun& run, const LearnGainOptions& options) {
  const auto n = static_cast<std::size_t>(problem.system.n());
  const auto cycles = static_cast<std::size_t>(problem.data.y.extent(0));
  const std::size_t real = options.objective.precision == Precision::float32 ? 4 : 8;
  return run.problems.size() * cycles * real * (options.track_ekf ? n * n + 4 * n : 4 * n);
}

/// Where a group that begins at `first` ends: runs at the same iteration whose problems fit into `limit` bytes.
std::size_t group_end(std::span<const Learner> learners, std::size_t first, std::span<const FilterProblem> problems,
                      const LearnGainOptions& options, std::size_t limit) {
  std::size_t bytes = 0, last = first;
  for (; last < learners.size() && learners[last].next == learners[first].next; ++last) {
    const GainRun& run = *learners[last].run;
    bytes += run_bytes(problems[static_cast<std::size_t>(run.problems[0])], run, options);
    if (last > first && bytes > limit) break;
  }
  return last;
}

}  // namespace

LearnGainResult learn_gain(const Device& device, std::span<const FilterProblem> problems, std::span<const GainRun> runs,
                           const LearnGainOptions& options, const GainProgressFunction& progress,
                           Checkpoints* checkpoints) {
  if (runs.empty() || problems.empty()) throw InvalidArgument("learn_gain needs at least one problem and one run.");
  validate_batch(problems);
  validate_runs(problems, runs, options);
  const GainStructure structure(options.structure, problems[0].system.observation_operator);
  LearnGainResult result;
  result.runs.resize(runs.size());
  if (options.track_ekf) result.ekf.resize(problems.size());
  std::vector<Learner> learners = learners_of(runs, options, structure, result.runs);
  const auto name_all = [&](Archive& archive) { name_state(archive, learners, result.runs); };
  restored(found_in(checkpoints), name_all);
  const auto keep = [&] { checkpoints->keep(saved(name_all)); };

  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const auto start = Clock::now();
  const auto all_steps = static_cast<double>(runs.size()) * static_cast<double>(options.iterations + 1);
  double steps_before = 0, steps_here = 0, stepping = 0;  // run-iterations; seconds
  for (const Learner& learner : learners) steps_before += static_cast<double>(learner.next);
  long steps = 0;
  bool stop = false;
  for (std::size_t first = 0; first < runs.size() && !stop;) {
    auto count = static_cast<long>(group_end(learners, first, problems, options, device.memory_limit() / 2) - first);
    const auto group = with_smaller_chunks(count, [&](long some) {
      const auto members = std::span(learners).subspan(first, static_cast<std::size_t>(some));
      auto made = std::make_unique<Group>(device, problems, members, options, structure);
      if (options.track_ekf) made->track_ekf(result.ekf);
      return made;
    });
    for (long iteration = learners[first].next; iteration <= options.iterations && group->any_active() && !stop;
         ++iteration) {
      const auto step_start = Clock::now();
      const bool step = iteration < options.iterations;
      GainProgress report{
          .iteration = iteration, .iterations = options.iterations, .points = group->iterate(iteration, step)};
      if (step) stepping += seconds_since(step_start), ++steps;
      steps_here += static_cast<double>(count);
      for (const auto& point : report.points) report.cost += point.cost / static_cast<double>(report.points.size());
      report.elapsed_seconds = seconds_since(start);
      report.remaining_seconds = report.elapsed_seconds * (all_steps - steps_before - steps_here) / steps_here;
      stop = progress && !progress(report);
      if (checkpoints && (stop || checkpoints->due())) keep();
    }
    first += static_cast<std::size_t>(count);
  }
  if (checkpoints && !stop) keep();
  for (Learner& learner : learners) {
    LearnedGain& learned = *learner.result;
    learned.gain = learner.next ? structure.expand(learner.last_good) : learner.run->initial_gain;
    learned.stopped = stop && (learner.next == 0 || (learned.converged && learned.iterations < options.iterations));
  }
  result.seconds_per_iteration = steps ? stepping / static_cast<double>(steps) : 0.0;
  return result;
}

}  // namespace vida
