#include "jobs/sweep_runs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

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

/// Batches of runs, one after the other, each reduced to its time means.
class Batches {
 public:
  Batches(const Device& device, const io::Config& config, long burn_in, std::size_t chunk_bytes, const Monitor& monitor)
      : device_(device),
        options_{.precision = precision_of(config), .crps_every = static_cast<int>(config.integer("run.crps_every"))},
        burn_in_(burn_in),
        chunk_bytes_(chunk_bytes),
        monitor_(monitor) {}

  bool interrupted() const { return interrupted_; }
  double seconds() const { return seconds_; }

  /// filters and places: of each run. Returns the time means of each, unknown where an interruption kept it from
  /// ending.
  std::vector<AssimilationSummary> run(std::span<const FilterProblem> problems, const std::vector<SweepPoint>& points,
                                       const std::vector<Place>& places, const char* unit) {
    const long cycles = problems.front().data.y.extent(0), total = static_cast<long>(places.size()) * cycles;
    const auto chunk =
        std::max<std::size_t>(1, chunk_bytes_ / (sizeof(double) * kCycleScores * static_cast<std::size_t>(cycles)));
    std::vector<AssimilationSummary> summaries(places.size(), kUnknown);
    seconds_ = 0;
    for (std::size_t first = 0; first < places.size() && !interrupted_; first += chunk) {
      const std::size_t count = std::min(chunk, places.size() - first);
      const auto heard = [&](const AssimilationProgress& progress) {
        const double elapsed = seconds_ + progress.elapsed_seconds;
        const long done = static_cast<long>(first) * cycles + progress.done;
        const bool go_on = monitor_({done, total, unit, kNaN, elapsed,
                                     elapsed * static_cast<double>(total - done) / static_cast<double>(done)});
        interrupted_ |= !go_on && done < total;
        last_ = progress.elapsed_seconds;
        return go_on;
      };
      const auto results = assimilate(device_, problems,
                                      runs(problems, points, std::span(places).subspan(first, count)), options_, heard);
      seconds_ += last_;
      for (std::size_t i = 0; i < count; ++i)
        if (ended(results[i])) summaries[first + i] = summarize(results[i], burn_in_);
    }
    return summaries;
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
  double seconds_ = 0, last_ = 0;
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
                                                  const SweepScores& scores, Batches& batches) {
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
  const auto summaries = batches.run(problems, plan.points, places, "run-cycles of further twins");
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

SweepScores run_sweep(const Device& device, const SweepPlan& plan, const Monitor& monitor, std::size_t chunk_bytes) {
  std::vector<Place> places;
  const auto order = order_of(plan.points);
  for (const std::size_t point : order)
    for (long k = 0; k < plan.seeds; ++k) places.push_back({point, plan.points[point].kind * plan.seeds + k});
  validate(plan.problems, Batches::runs(plan.problems, plan.points, places));
  Batches batches(device, plan.config, plan.burn_in, chunk_bytes, monitor);
  const auto summaries = batches.run(plan.problems, plan.points, places, "run-cycles");
  SweepScores scores;
  scores.seconds = batches.seconds();
  scores.points.resize(plan.points.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto first = summaries.begin() + static_cast<long>(i) * plan.seeds;
    scores.points[order[i]] = filter_scores(std::vector<AssimilationSummary>(first, first + plan.seeds));
  }
  scores.runs = std::count_if(summaries.begin(), summaries.end(), [](const AssimilationSummary& run) {
    return run.failed_at >= 0 || !std::isnan(run.analysis_error);
  });
  scores.best = best_of(plan, scores.points);
  if (plan.config.integer("sweep.validate") > 0 && !batches.interrupted())
    scores.held_out = held_out(device, plan, scores, batches);
  scores.interrupted = batches.interrupted();
  return scores;
}

}  // namespace vida::jobs
