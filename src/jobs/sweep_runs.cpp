#include "jobs/sweep_runs.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <sstream>
#include <tuple>

#include "backend/archive.hpp"
#include "jobs/assimilation_plan.hpp"
#include "jobs/problem.hpp"
#include "ranks/share_out.hpp"

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
  explicit BatchState(std::size_t runs) : summaries(runs, kUnknown), ended(runs) {}

  std::vector<AssimilationSummary> summaries;  // unknown where a run has not ended
  std::vector<int> ended;                      // of each run
  std::vector<long> at_work;                   // runs whose chunk has a state of its own; no number: none
  double seconds = 0;

  void name_state(Archive& archive) {
    archive.fixed("ended", ended), archive("at_work", at_work), archive("seconds", seconds);
    name_summaries(archive, summaries);
  }
};

/// The runs that have not ended, cut into chunks of at most `room`; those at work, which are in order,
/// are the first chunk.
std::vector<std::vector<long>> chunks_of(const BatchState& state, long room) {
  std::vector<std::vector<long>> chunks;
  if (!state.at_work.empty()) chunks.push_back(state.at_work);
  bool full = true;
  for (long run = 0; run < std::ssize(state.ended); ++run) {
    const bool elsewhere = std::binary_search(state.at_work.begin(), state.at_work.end(), run);
    if (state.ended[static_cast<std::size_t>(run)] || elsewhere) continue;
    if (full) chunks.emplace_back();
    chunks.back().push_back(run);
    full = std::ssize(chunks.back()) == room;
  }
  return chunks;
}

/// Every point on each of its data sets.
std::vector<Place> places_of(const SweepPlan& plan, const std::vector<std::size_t>& order) {
  std::vector<Place> places;
  for (const std::size_t point : order)
    for (long k = 0; k < plan.seeds; ++k) places.push_back({point, plan.points[point].kind * plan.seeds + k});
  return places;
}

/// Batches of runs, one after the other, each shared out to the ranks and reduced to its time means.
class Batches {
 public:
  Batches(const Device& device, const io::Config& config, long burn_in, std::size_t chunk_bytes, const Monitor& monitor,
          ranks::Ranks& ranks)
      : device_(device),
        options_(sweep_options(config)),
        burn_in_(burn_in),
        chunk_bytes_(chunk_bytes),
        monitor_(monitor),
        ranks_(ranks) {}

  bool interrupted() const { return interrupted_; }

  /// filters and places: of each run. Returns, on the first rank, the time means of each, unknown where an interruption
  /// kept it from ending. `checkpoints` takes a state that name_state() names beside the batch's own. Several ranks
  /// keep runs that have ended, a process alone those at work, too.
  BatchState run(std::span<const FilterProblem> problems, const std::vector<SweepPoint>& points,
                 const std::vector<Place>& places, const char* unit, Checkpoints& checkpoints) {
    BatchState state(places.size());
    const auto name_state = [&](Archive& archive) { state.name_state(archive); };
    const Snapshot found = checkpoints.found();
    restored(found, name_state);
    if (!ranks_.alone()) know_of_the_first(state);
    PartOfCheckpoints own(&checkpoints, found, "chunk", name_state);

    const long cycles = problems.front().data.y.extent(0), total = std::ssize(places) * cycles;
    const auto chunks = chunks_of(state, room_for(state, cycles));
    const auto board = ranks_.board();
    board->done(ranks_.first() ? cycles * std::count(state.ended.begin(), state.ended.end(), 1) : 0);
    const Seconds elapsed;
    const double before = state.seconds;
    const auto go_on = [&](long more) {
      state.seconds = before + elapsed();
      const long done = board->done(more);
      const double left = static_cast<double>(total - done) / static_cast<double>(std::max(done, 1L));
      if (!monitor_({done, total, unit, kNaN, state.seconds, state.seconds * left})) board->stop();
      return !board->stopped();
    };
    const auto work = [&](long number) {
      const std::vector<long>& chunk = chunks[static_cast<std::size_t>(number)];
      if (ranks_.alone()) state.at_work = chunk;
      long told = 0;
      const auto heard = [&](const AssimilationProgress& progress) {
        return go_on(progress.done - std::exchange(told, progress.done));
      };
      return packed(assimilate(device_, problems, runs(problems, points, chosen(places, chunk)), options_, heard,
                               ranks_.alone() ? &own : nullptr));
    };
    const auto deliver = [&](long number, std::span<const std::byte> bytes) {
      bool whole = true;
      const std::vector<Reduced> reduced = unpacked(bytes);
      for (std::size_t i = 0; i < reduced.size(); ++i) {
        const auto run = static_cast<std::size_t>(chunks[static_cast<std::size_t>(number)][i]);
        whole = whole && reduced[i].ended;
        if (!reduced[i].ended) continue;
        state.summaries[run] = reduced[i].summary;
        state.ended[run] = 1;
      }
      if (!whole) return;  // the chunk has kept its own state
      state.at_work.clear();
      if (checkpoints.due()) checkpoints.keep(saved(name_state));
    };
    ranks::share_out(ranks_, *board, std::ssize(chunks), work, deliver, [&] { return go_on(0); });
    if (ranks_.first() && !ranks_.alone()) go_on(0);  // the last runs may be another's
    interrupted_ = ranks_.gathered(std::count(state.ended.begin(), state.ended.end(), 0) > 0 ? "1" : "").front() == "1";
    if (interrupted_ && !ranks_.alone()) checkpoints.keep(saved(name_state));
    return state;
  }

  static std::vector<AssimilationRun> runs(std::span<const FilterProblem> problems,
                                           const std::vector<SweepPoint>& points, const std::vector<Place>& places) {
    std::vector<AssimilationRun> list;
    for (const Place& place : places)
      list.push_back(
          {place.problem, points[place.point].filter, problems[static_cast<std::size_t>(place.problem)].seed, {}});
    return list;
  }

 private:
  /// What is left of a run, as ranks of one build send it.
  struct Reduced {
    AssimilationSummary summary;
    long ended;
  };
  static_assert(std::is_trivially_copyable_v<Reduced>);

  std::vector<std::byte> packed(const std::vector<AssimilationResult>& results) const {
    std::vector<Reduced> reduced;
    for (const AssimilationResult& result : results)
      reduced.push_back(ended(result) ? Reduced{summarize(result, burn_in_), 1} : Reduced{kUnknown, 0});
    const auto bytes = std::as_bytes(std::span(reduced));
    return {bytes.begin(), bytes.end()};
  }

  static std::vector<Reduced> unpacked(std::span<const std::byte> bytes) {
    std::vector<Reduced> reduced(bytes.size() / sizeof(Reduced));
    std::memcpy(reduced.data(), bytes.data(), bytes.size());
    return reduced;
  }

  static std::vector<Place> chosen(const std::vector<Place>& places, const std::vector<long>& runs) {
    std::vector<Place> some;
    for (const long run : runs) some.push_back(places[static_cast<std::size_t>(run)]);
    return some;
  }

  /// Several ranks take no part in a chunk's own state, and all of them must know which runs have ended.
  void know_of_the_first(BatchState& state) const {
    std::string text;
    for (const int ended : state.ended) text += ended ? '1' : '0';
    const std::string known = ranks_.gathered(text).front();
    for (std::size_t i = 0; i < known.size(); ++i) state.ended[i] = known[i] == '1';
    state.at_work.clear();
  }

  /// Runs of a chunk. Several ranks take smaller ones, so that none waits long for the last of another.
  long room_for(const BatchState& state, long cycles) const {
    const long room = sweep_chunk(cycles, chunk_bytes_);
    if (ranks_.alone()) return room;
    const long open = std::count(state.ended.begin(), state.ended.end(), 0);
    return std::clamp(open / (kChunksOfARank * ranks_.size()), 1L, room);
  }

  static constexpr long kChunksOfARank = 8;

  Device device_;
  AssimilationOptions options_;
  long burn_in_;
  std::size_t chunk_bytes_;
  const Monitor& monitor_;
  ranks::Ranks& ranks_;
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

/// What the first rank found.
std::vector<std::optional<long>> known_to_all(ranks::Ranks& ranks, std::vector<std::optional<long>> best) {
  std::string text;
  for (const auto& point : best) text += std::to_string(point.value_or(-1)) + " ";
  std::istringstream known(ranks.gathered(text).front());
  for (auto& point : best) {
    long number = -1;
    known >> number;
    point = number < 0 ? std::nullopt : std::optional(number);
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
                      ranks::Ranks& ranks, std::size_t chunk_bytes) {
  const auto order = order_of(plan.points);
  const std::vector<Place> places = places_of(plan, order);
  validate(plan.problems, Batches::runs(plan.problems, plan.points, places));
  Batches batches(device, plan.config, plan.burn_in, chunk_bytes, monitor, ranks);
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
  scores.best = known_to_all(ranks, best_of(plan, scores.points));
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
