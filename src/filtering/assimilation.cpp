#include "vida/assimilation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <tuple>
#include <variant>

#include "filtering/filter_data.hpp"
#include "filtering/filter_group.hpp"
#include "filtering/filter_methods.hpp"
#include "filtering/validate.hpp"

namespace vida {
namespace {

void check_number(const AssimilationRun& run, long index, const char* name, double value, bool fine,
                  const char* expected) {
  if (!fine)
    throw InvalidArgument(
        fmt::format("run {} ({}): {} is {}, expected {}.", index, run.filter.method, name, value, expected));
}

/// Localisation needs to know where an observation is, and that it has a place of its own.
void validate_places(const AssimilationRun& run, long index, const StateSpaceModel& system) {
  const auto refuse = [&](const std::string& what) {
    throw InvalidArgument(fmt::format("run {} ({}): localisation with radius {} {}. Set radius = inf, or change it.",
                                      index, run.filter.method, run.filter.radius, what));
  };
  const Matrix &H = system.observation_operator, &R = system.observation_noise;
  for (long j = 0; j < H.extent(0); ++j)
    if (single_component(H, j) < 0)
      refuse(fmt::format("needs observations of single components, but row {} of H is not a row of the identity", j));
  for (long i = 0; i < R.extent(0); ++i)
    for (long j = 0; j < R.extent(1); ++j)
      if (i != j && R(i, j) != 0)
        refuse(fmt::format("needs independent observation errors, but R[{}, {}] is {}", i, j, R(i, j)));
}

/// What the filters without an ensemble need of their model and settings.
void validate_gaussian(const AssimilationRun& run, long index, const FilterProblem& problem,
                       const kernels::FilterTraits& traits) {
  const FilterSettings& filter = run.filter;
  const StateSpaceModel& system = problem.system;
  const std::string where = fmt::format("run {} ({}): ", index, filter.method);
  if (filter.tangent != "exact" && filter.tangent != "frozen")
    throw InvalidArgument(fmt::format("{}tangent is \"{}\", expected \"exact\" or \"frozen\".", where, filter.tangent));
  const bool identity = system.observation_function == ObservationFunction::identity;
  if (traits.linear && !(std::holds_alternative<LinearDynamics>(system.model) && identity))
    throw InvalidArgument(
        fmt::format("{}the model of data set {} is {} and its observations are {}; this filter needs a linear model "
                    "and linear observations. Use \"ekf\".",
                    where, run.problem, name_of(system.model), identity ? "linear" : "not linear"));
  if (traits.tables != kernels::FilterTables::gains) return;
  const bool variational = filter.method == "3dvar", given = variational && !filter.gain.empty();
  check_number(run, index, "background_scale", filter.background_scale,
               filter.background_scale > 0 && std::isfinite(filter.background_scale), "a positive number");
  if (given) return validate_gain(filter.gain, system, where);
  validate_background(where, filter.background, system.n());
  const Vector& mean = filter.background_mean;
  if (!mean.empty() && (mean.extent(0) != system.n() ||
                        !std::all_of(mean.begin(), mean.end(), [](double value) { return std::isfinite(value); })))
    throw InvalidArgument(fmt::format("{}the background mean has {} entries, expected {} finite ones.", where,
                                      mean.extent(0), system.n()));
  const bool needs_mean = !variational || !identity;
  if (problem.data.truth.extent(0) < 2 && (filter.background.empty() || (needs_mean && mean.empty())))
    throw InvalidArgument(
        fmt::format("{}data set {} has no truth of at least two cycles to take {} from. Give background{}{}.", where,
                    run.problem, filter.background.empty() ? "the background covariance" : "the background mean",
                    needs_mean ? " and background_mean" : "", variational ? ", or a gain" : ""));
}

/// The proposal is a Gaussian only for linear observations, and moves particles only along model noise.
void check_optimal_proposal(const AssimilationRun& run, long index, std::span<const FilterProblem> problems) {
  const StateSpaceModel& system = problems[static_cast<std::size_t>(run.problem)].system;
  const auto refuse = [&](const char* what) {
    throw InvalidArgument(fmt::format("run {} (optimal-particle): data set {} has {}. Use the method \"particle\".",
                                      index, run.problem, what));
  };
  if (system.observation_function != ObservationFunction::identity)
    refuse("observations f(H v) with a function f; the optimal proposal needs linear ones, H v");
  if (std::all_of(system.process_noise.begin(), system.process_noise.end(), [](double value) { return value == 0; }))
    refuse("no model noise (process_noise is zero), which the optimal proposal draws from");
}

void validate_run(const AssimilationRun& run, long index, std::span<const FilterProblem> problems) {
  const FilterSettings& filter = run.filter;
  const auto& traits = filter_entry<double>(filter.method).traits;
  if (run.problem < 0 || run.problem >= static_cast<long>(problems.size()))
    throw InvalidArgument(fmt::format("run {} ({}): data set {} does not exist; there are {}.", index, filter.method,
                                      run.problem, problems.size()));
  const auto check = [&](const char* name, double value, bool fine, const char* expected) {
    check_number(run, index, name, value, fine, expected);
  };
  if (traits.ensemble())
    check("members", filter.members, filter.members >= 2, "at least 2: the spread of one member is unknown");
  if (const Matrix& members = run.initial_members; !members.empty()) {
    const Extents<2> expected{filter.members, problems[static_cast<std::size_t>(run.problem)].system.n()};
    if (!traits.ensemble() || members.extents() != expected)
      throw InvalidArgument(fmt::format("run {} ({}): initial members have shape {}, expected {}.", index,
                                        filter.method, to_string<2>(members.extents()),
                                        traits.ensemble() ? to_string<2>(expected) : "none: it has no ensemble"));
  }
  check("inflation", filter.inflation, filter.inflation > 0 && std::isfinite(filter.inflation), "a positive number");
  check("relaxation", filter.relaxation, filter.relaxation >= 0 && filter.relaxation <= 1, "a number from 0 to 1");
  check("xn", filter.xn, filter.xn > 0 && std::isfinite(filter.xn), "a positive number");
  check("tolerance", filter.tolerance, filter.tolerance > 0, "a positive number");
  check("lag", filter.lag, filter.lag >= 1, "at least 1 cycle");
  check("iterations", filter.iterations, filter.iterations >= 1, "at least 1");
  check("radius", filter.radius, filter.radius > 0, "a positive number of components, or infinity for no localisation");
  check("local_states", filter.local_states, filter.local_states >= 1, "at least 1 component");
  if (traits.localised() && std::isfinite(filter.radius))
    validate_places(run, index, problems[static_cast<std::size_t>(run.problem)].system);
  check("resampling_threshold", filter.resampling_threshold,
        filter.resampling_threshold >= 0 && filter.resampling_threshold <= 1, "a share of the members from 0 to 1");
  check("jitter", filter.jitter, filter.jitter >= 0 && std::isfinite(filter.jitter), "0 or a positive number");
  if (!traits.ensemble() && filter.tangent == "frozen" &&
      std::holds_alternative<KuramotoSivashinsky>(problems[static_cast<std::size_t>(run.problem)].system.model))
    throw InvalidArgument(
        fmt::format("run {} ({}): the model kuramoto-sivashinsky has no tangent \"frozen\". Set tangent = \"exact\".",
                    index, filter.method));
  if (filter.method == "optimal-particle") check_optimal_proposal(run, index, problems);
  validate_gaussian(run, index, problems[static_cast<std::size_t>(run.problem)], traits);
}

void validate_noise(const AssimilationRun& run, long index, const FilterProblem& problem) {
  const Matrix& Q = problem.system.process_noise;
  if (run.filter.method == "ienks" && std::any_of(Q.begin(), Q.end(), [](double value) { return value != 0; }))
    throw InvalidArgument(fmt::format(
        "run {} (ienks): data set {} has model noise, expected none (Q = 0): a trajectory of the window must "
        "follow from its start. Set process_noise to zero, or take another filter.",
        index, run.problem));
}

void validate_observed(const FilterProblem& problem, long index) {
  validate(problem);
  if (std::all_of(problem.data.y.begin(), problem.data.y.end(), [](double value) { return std::isnan(value); }))
    throw InvalidArgument(
        fmt::format("data set {}: every entry of y is missing (NaN); a filter needs an observation.", index));
}

/// Counts run-cycles for the caller's progress function.
class Clock {
 public:
  /// `before`: done by an earlier call.
  Clock(const AssimilationProgressFunction& progress, long before, long total) : progress_(progress), before_(before) {
    now_.done = before, now_.total = total;
  }

  bool advance(long run_cycles) {
    now_.done += run_cycles;
    now_.elapsed_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    now_.remaining_seconds = now_.elapsed_seconds * static_cast<double>(now_.total - now_.done) /
                             static_cast<double>(std::max(now_.done - before_, 1L));
    return !progress_ || progress_(now_);
  }
  long done() const { return now_.done; }

 private:
  const AssimilationProgressFunction& progress_;
  long before_;
  AssimilationProgress now_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void name_results(Archive& archive, std::vector<AssimilationResult>& results) {
  using R = AssimilationResult;
  archive.each("scores", results, &R::scores), archive.each("forecast_mean", results, &R::forecast_mean);
  archive.each("analysis_mean", results, &R::analysis_mean);
  archive.each("analysis_spread", results, &R::analysis_spread);
  archive.each("ranks", results, &R::ranks), archive.each("members", results, &R::members);
  archive.each("covariance", results, &R::covariance);
  archive.each("failed_at", results, &R::failed_at), archive.each("run_seconds", results, &R::seconds);
}

/// What runs must share to work side by side, and their places among all.
using Groups = std::map<std::tuple<ProblemClass, std::string, int>, std::vector<long>>;

template <class Real>
Groups groups_of(std::span<const FilterProblem> problems, std::span<const AssimilationRun> runs) {
  Groups groups;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const bool ensemble = filter_entry<Real>(runs[i].filter.method).traits.ensemble();
    groups[{ProblemClass(problems[static_cast<std::size_t>(runs[i].problem)]), runs[i].filter.method,
            ensemble ? runs[i].filter.members : 0}]
        .push_back(static_cast<long>(i));
  }
  return groups;
}

template <class Real>
std::vector<AssimilationResult> assimilate_as(const Device& device, std::span<const FilterProblem> problems,
                                              std::span<const AssimilationRun> runs, const AssimilationOptions& options,
                                              const AssimilationProgressFunction& progress, Checkpoints* checkpoints) {
  long total = 0;
  for (const AssimilationRun& run : runs) total += problems[static_cast<std::size_t>(run.problem)].data.y.extent(0);
  std::vector<AssimilationResult> results(runs.size());
  long done = 0, groups_done = 0;
  FilterPlace place;
  const auto name_state = [&](Archive& archive) {
    archive("done", done), archive("groups_done", groups_done);
    archive("first", place.first), archive("together", place.together);
    name_results(archive, results);
  };
  const Snapshot found = found_in(checkpoints);
  restored(found, name_state);
  Clock clock(progress, done, total);
  PartOfCheckpoints chunk(checkpoints, found, "chunk", name_state);
  const FilterListener listener{[&](long run_cycles) {
                                  const bool going = clock.advance(run_cycles);
                                  done = clock.done();
                                  return going;
                                },
                                chunk,
                                [&](bool going) {
                                  if (checkpoints && (!going || checkpoints->due()))
                                    checkpoints->keep(saved(name_state));
                                }};
  long number = 0;
  for (const auto& [key, indices] : groups_of<Real>(problems, runs)) {
    if (number++ < groups_done) continue;
    FilterGroup<Real> group(device, problems, runs, indices, options);
    if (!group.run(place, listener, results)) break;
    ++groups_done;
    place = {};
  }
  return results;
}

template <class Real>
std::size_t bytes_as(const Device& device, std::span<const FilterProblem> problems,
                     std::span<const AssimilationRun> runs, const AssimilationOptions& options) {
  std::size_t most = 0;  // one group at a time
  for (const auto& [key, indices] : groups_of<Real>(problems, runs))
    most = std::max(most, FilterGroup<Real>(device, problems, runs, indices, options).bytes());
  return most;
}

}  // namespace

void validate(std::span<const FilterProblem> problems, std::span<const AssimilationRun> runs) {
  for (std::size_t i = 0; i < runs.size(); ++i) validate_run(runs[i], static_cast<long>(i), problems);
  for (std::size_t i = 0; i < problems.size(); ++i) validate_observed(problems[i], static_cast<long>(i));
  for (std::size_t i = 0; i < runs.size(); ++i)
    validate_noise(runs[i], static_cast<long>(i), problems[static_cast<std::size_t>(runs[i].problem)]);
}

std::vector<AssimilationResult> assimilate(const Device& device, std::span<const FilterProblem> problems,
                                           std::span<const AssimilationRun> runs, const AssimilationOptions& options,
                                           const AssimilationProgressFunction& progress, Checkpoints* checkpoints) {
  validate(problems, runs);
  if (options.crps_every < 0)
    throw InvalidArgument(fmt::format("crps_every is {}, expected 0 or more cycles.", options.crps_every));
  return options.precision == Precision::float32
             ? assimilate_as<float>(device, problems, runs, options, progress, checkpoints)
             : assimilate_as<double>(device, problems, runs, options, progress, checkpoints);
}

std::size_t assimilation_bytes(const Device& device, std::span<const FilterProblem> problems,
                               std::span<const AssimilationRun> runs, const AssimilationOptions& options) {
  validate(problems, runs);
  return options.precision == Precision::float32 ? bytes_as<float>(device, problems, runs, options)
                                                 : bytes_as<double>(device, problems, runs, options);
}

}  // namespace vida
