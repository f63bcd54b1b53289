#include "jobs/sweep_runs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "backend/archive.hpp"
#include "jobs/assimilation_plan.hpp"
#include "jobs/problem.hpp"

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr AssimilationSummary kUnknown{kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, -1, -1};

/// Where run i of a batch belongs.
struct Place {
  std::size_t point;
  long problem;
};

/// Not stopped on its way.
bool ended(const AssimilationResult& result) {
  if (result.failed_at >= 0) return true;
  if (result.scores.empty()) return false;
  const auto last = result.scores[result.scores.extent(0) - 1];
  return std::any_of(last.begin(), last.end(), [](double value) { return !std::isnan(value); });
}

/// Runs of one method and size stand together, so that they work side by side.
std::vector<std::size_t> order_of(const std::vector<SweepPoint>& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto key = [&](std::size_t i) {
      return std::tie(points[i].filter.method, points[i].filter.members, points[i].kind);
    };
    return key(a) < key(b);
  });
  return order;
}

void name_summaries(Archive& archive, std::vector<AssimilationSummary>& summaries) {
  using S = AssimilationSummary;
  archive.each("forecast_error", summaries, &S::forecast_error);
  archive.each("analysis_error", summaries, &S::analysis_error);
  archive.each("analysis_error_deviation", summaries, &S::analysis_error_deviation);
  archive.each("forecast_spread", summaries, &S::forecast_spread);
  archive.each("analysis_spread", summaries, &S::analysis_spread);
  archive.each("ratio", summaries, &S::ratio), archive.each("chi_square", summaries, &S::chi_square);
  archive.each("forecast_crps", summaries, &S::forecast_crps);
  archive.each("analysis_crps", summaries, &S::analysis_crps);
  archive.each("lost_at", summaries, &S::lost_at), archive.each("failed_at", summaries, &S::failed_at);
}

/// The runs of one batch, reduced to their time means, and how far they are.
struct BatchState {
  std::vector<AssimilationSummary> summaries;  // unknown where a run has not ended
  std::size_t first = 0, together = 0;         // of the chunk at work; 0: none is
  double seconds = 0;

  void name_state(Archive& archive) {
    archive("first", first), archive("together", together), archive("seconds", seconds);
    name_summaries(archive, summaries);
  }
};

/// Every point on each of its data sets.
std::vector<Place> places_of(const SweepPlan& plan, const std::vector<std::size_t>& order) {
  std::vector<Place> places;
  for (const std::size_t point : order)
    for (long k = 0; k < plan.seeds; ++k) places.push_back({point, plan.points[point].kind * plan.seeds + k});
  return places;
}

/// Batches of runs, one after the other, each reduced to its time means.
class Batches {
 public:
  Batches(const Device& device, const io::Config& config, long burn_in, std::size_t chunk_bytes, const Monitor& monitor)
      : device_(device),
        options_(sweep_options(config)),
        burn_in_(burn_in),
        chunk_bytes_(chunk_bytes),
        monitor_(monitor) {}

  bool interrupted() const { return interrupted_; }

  /// filters and places: of each run. Returns the time means of each, unknown where an interruption kept it from
  /// ending. `checkpoints` takes a state that name_state() names beside the batch's own.
  BatchState run(std::span<const FilterProblem> problems, const std::vector<SweepPoint>& points,
                 const std::vector<Place>& places, const char* unit, Checkpoints& checkpoints) {
    const long cycles = problems.front().data.y.extent(0), total = static_cast<long>(places.size()) * cycles;
    const auto room = static_cast<std::size_t>(sweep_chunk(cycles, chunk_bytes_));
    BatchState state{std::vector<AssimilationSummary>(places.size(), kUnknown)};
    const auto name_state = [&](Archive& archive) { state.name_state(archive); };
    const Snapshot found = checkpoints.found();
    restored(found, name_state);
    PartOfCheckpoints chunk(&checkpoints, found, "chunk", name_state);
    const Seconds elapsed;
    const double before = state.seconds;
    while (state.first < places.size() && !interrupted_) {
      if (state.together == 0) state.together = std::min(room, places.size() - state.first);
      const auto heard = [&](const AssimilationProgress& progress) {
        state.seconds = before + elapsed();
        const long done = static_cast<long>(state.first) * cycles + progress.done;
        const bool go_on = monitor_({done, total, unit, kNaN, state.seconds,
                                     state.seconds * static_cast<double>(total - done) / static_cast<double>(done)});
        interrupted_ |= !go_on && done < total;
        return go_on;
      };
      const auto results =
          assimilate(device_, problems, runs(problems, points, std::span(places).subspan(state.first, state.together)),
                     options_, heard, &chunk);
      for (std::size_t i = 0; i < results.size(); ++i)
        if (ended(results[i])) state.summaries[state.first + i] = summarize(results[i], burn_in_);
      if (interrupted_) break;  // the chunk has kept its own state
      state.first += state.together, state.together = 0;
      if (checkpoints.due()) checkpoints.keep(saved(name_state));
    }
    return state;
  }

  static std::vector<AssimilationRun> runs(std::span<const FilterProblem> problems,
                                           const std::vector<SweepPoint>& points, std::span<const Place> places) {
    std::vector<AssimilationRun> list;
    for (const Place& place : places)
      list.push_back(
          {place.problem, points[place.point].filter, problems[static_cast<std::size_t>(place.problem)].seed, {}});
    return list;
  }

 private:
  Device device_;
  AssimilationOptions options_;
  long burn_in_;
  std::size_t chunk_bytes_;
  const Monitor& monitor_;
  bool interrupted_ = false;
};

std::vector<std::optional<long>> best_of(const SweepPlan& plan, const std::vector<FilterScores>& scores) {
  std::vector<std::optional<long>> best(plan.groups.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto error = [&](long point) { return scores[static_cast<std::size_t>(point)].median.analysis_error; };
    auto& chosen = best[static_cast<std::size_t>(plan.points[i].group)];
    const auto point = static_cast<long>(i);
    if (std::isfinite(error(point)) && (!chosen || error(point) < error(*chosen))) chosen = point;
  }
  return best;
}

/// The best points on further twins of their kind of data.
std::vector<std::optional<FilterScores>> held_out(const Device& device, const SweepPlan& plan,
                                                  const SweepScores& scores, Batches& batches,
                                                  Checkpoints& checkpoints) {
  const long twins = plan.config.integer("sweep.validate");
  std::vector<FilterProblem> problems;
  std::vector<Place> places;
  for (const io::Config& kind : plan.data) {
    auto sets = held_out_sets(device, kind, twins);
    std::move(sets.begin(), sets.end(), std::back_inserter(problems));
  }
  for (const auto& best : scores.best)
    for (long k = 0; best && k < twins; ++k)
      places.push_back(
          {static_cast<std::size_t>(*best), plan.points[static_cast<std::size_t>(*best)].kind * twins + k});
  const auto summaries =
      batches.run(problems, plan.points, places, "run-cycles of further twins", checkpoints).summaries;
  std::vector<std::optional<FilterScores>> result;
  auto next = summaries.begin();
  for (const auto& best : scores.best) {
    result.emplace_back();
    if (!best) continue;
    result.back() = filter_scores(std::vector<AssimilationSummary>(next, next + twins));
    next += twins;
  }
  return result;
}

}  // namespace

AssimilationOptions sweep_options(const io::Config& config) {
  return {.precision = precision_of(config), .crps_every = static_cast<int>(config.integer("run.crps_every"))};
}

long sweep_chunk(long cycles, std::size_t chunk_bytes) {
  return std::max(1L,
                  static_cast<long>(chunk_bytes / (sizeof(double) * kCycleScores * static_cast<std::size_t>(cycles))));
}

std::vector<AssimilationRun> sweep_runs(const SweepPlan& plan) {
  return Batches::runs(plan.problems, plan.points, places_of(plan, order_of(plan.points)));
}

SweepScores run_sweep(const Device& device, const SweepPlan& plan, const Monitor& monitor, Checkpoints& checkpoints,
                      std::size_t chunk_bytes) {
  const auto order = order_of(plan.points);
  const std::vector<Place> places = places_of(plan, order);
  validate(plan.problems, Batches::runs(plan.problems, plan.points, places));
  Batches batches(device, plan.config, plan.burn_in, chunk_bytes, monitor);
  const Snapshot found = checkpoints.found();
  PartOfCheckpoints runs(&checkpoints, found, "runs", [](Archive&) {});
  BatchState done = batches.run(plan.problems, plan.points, places, "run-cycles", runs);
  SweepScores scores;
  scores.seconds = done.seconds;
  scores.points.resize(plan.points.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto first = done.summaries.begin() + static_cast<long>(i) * plan.seeds;
    scores.points[order[i]] = filter_scores(std::vector<AssimilationSummary>(first, first + plan.seeds));
  }
  scores.runs = std::count_if(done.summaries.begin(), done.summaries.end(), [](const AssimilationSummary& run) {
    return run.failed_at >= 0 || !std::isnan(run.analysis_error);
  });
  scores.best = best_of(plan, scores.points);
  if (plan.config.integer("sweep.validate") > 0 && !batches.interrupted()) {
    const Snapshot whole = saved([&](Archive& archive) { done.name_state(archive); });
    PartOfCheckpoints further(&checkpoints, found, "further",
                              [&](Archive& archive) { archive.put_part("runs", whole); });
    scores.held_out = held_out(device, plan, scores, batches, further);
  }
  scores.interrupted = batches.interrupted();
  return scores;
}

}  // namespace vida::jobs
