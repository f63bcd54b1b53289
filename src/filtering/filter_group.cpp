#include "filtering/filter_group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "backend/smaller_chunks.hpp"

namespace vida {
namespace {

constexpr long kCyclesTogether = 64;  // of a launch, so that progress is told and a stop is heard

std::vector<const FilterProblem*> problems_of(std::span<const FilterProblem> problems,
                                              std::span<const AssimilationRun> runs, const std::vector<long>& indices,
                                              std::vector<int>& set_of) {
  std::vector<const FilterProblem*> chosen;
  std::vector<int> place(problems.size(), -1);
  for (const long index : indices) {
    const auto problem = static_cast<std::size_t>(runs[static_cast<std::size_t>(index)].problem);
    if (place[problem] < 0) {
      place[problem] = static_cast<int>(chosen.size());
      chosen.push_back(&problems[problem]);
    }
    set_of.push_back(place[problem]);
  }
  return chosen;
}

int columns_of(const kernels::FilterTraits& traits, int members, int n) {
  switch (traits.columns) {
    case kernels::FilterColumns::members:
      return members;
    case kernels::FilterColumns::components:
      return n;
    case kernels::FilterColumns::mean:
      return 1;
  }
  return 1;
}

double gibibytes(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

}  // namespace

template <class Real>
FilterGroup<Real>::FilterGroup(const Device& device, std::span<const FilterProblem> problems,
                               std::span<const AssimilationRun> runs, std::vector<long> indices,
                               const AssimilationOptions& options)
    : device_(device),
      runs_(runs),
      indices_(std::move(indices)),
      options_(options),
      entry_(filter_entry<Real>(runs[static_cast<std::size_t>(indices_.front())].filter.method)),
      problems_(problems_of(problems, runs, indices_, set_of_)),
      data_(device.executor(), problems_),
      shape_(data_.shape(columns_of(entry_.traits, runs[static_cast<std::size_t>(indices_.front())].filter.members,
                                    problems_.front()->system.n()))),
      tables_(device.executor(), entry_.traits, shape_, problems_, runs, indices_, set_of_, device.memory_limit()) {}

template <class Real>
std::size_t FilterGroup<Real>::run_bytes() const {
  const std::size_t members =
      keeps_columns() ? static_cast<std::size_t>(shape_.n) * static_cast<std::size_t>(shape_.ld) : 0;
  return sizeof(Real) * (static_cast<std::size_t>(entry_.state_elements(shape_)) + members) +
         sizeof(kernels::FilterRun<Real>) + sizeof(long);
}

template <class Real>
bool FilterGroup<Real>::keeps_columns() const {
  return options_.keep_members && entry_.traits.columns != kernels::FilterColumns::mean;
}

template <class Real>
std::size_t FilterGroup<Real>::cycle_bytes() const {
  const auto n = static_cast<std::size_t>(shape_.n);
  return sizeof(Real) * (kCycleScores + (options_.keep_means ? 3 * n : 0)) +
         (options_.keep_ranks ? sizeof(int) * n : 0);
}

template <class Real>
void FilterGroup<Real>::refuse_size(std::size_t needed) const {
  const std::size_t limit = device_.memory_limit();
  if (!entry_.traits.ensemble())
    throw OutOfMemory(fmt::format(
        "{} of {} components needs {} bytes ({:.1f} GiB); {} bytes ({:.1f} GiB) may be used. Use an ensemble filter of "
        "few members.",
        entry_.traits.name, shape_.n, needed, gibibytes(needed), limit, gibibytes(limit)));
  const auto bytes_of = [&](int members) {
    const kernels::FilterShape shape = data_.shape(members);
    return entry_.scratch_bytes(shape) + sizeof(Real) * static_cast<std::size_t>(entry_.state_elements(shape));
  };
  int fits = 0;
  for (int step = 1 << 28; step > 0; step /= 2)
    if (fits + step <= shape_.members && bytes_of(fits + step) <= limit) fits += step;
  throw OutOfMemory(fmt::format(
      "{} with {} members of {} components needs {} bytes ({:.1f} GiB); {} bytes ({:.1f} GiB) may be used.{}",
      entry_.traits.name, shape_.members, shape_.n, needed, gibibytes(needed), limit, gibibytes(limit),
      fits >= 2 ? fmt::format(" At most {} members fit.", fits) : " Not even 2 members fit."));
}

template <class Real>
typename FilterGroup<Real>::Cut FilterGroup<Real>::cut() const {
  const std::size_t limit = device_.memory_limit(), scratch = entry_.scratch_bytes(shape_);
  const std::size_t needed = scratch + run_bytes() + cycle_bytes();
  if (needed > limit) refuse_size(needed);
  const long cycles = std::min(kCyclesTogether, shape_.cycles);
  const std::size_t each = run_bytes() + static_cast<std::size_t>(cycles) * cycle_bytes();
  const std::size_t teams =
      std::min<std::size_t>(static_cast<std::size_t>(device_.executor().concurrent_teams()), indices_.size()) * scratch;
  const std::size_t room = limit > teams ? limit - teams : 0;
  return {teams, each, cycles, std::clamp<long>(static_cast<long>(room / each), 1, static_cast<long>(indices_.size()))};
}

template <class Real>
std::size_t FilterGroup<Real>::bytes() const {
  const Cut group = cut();
  const auto cycles = static_cast<std::size_t>(shape_.cycles), n = static_cast<std::size_t>(shape_.n);
  const std::size_t data = problems_.size() * cycles * (n + static_cast<std::size_t>(shape_.p)) * sizeof(Real);
  return data + group.scratch + static_cast<std::size_t>(group.together) * group.each;
}

/// What the runs of one launch read and leave, in device memory.
template <class Real>
struct FilterGroup<Real>::Launch {
  Buffer<Real> state, scores, forecast_mean, analysis_mean, analysis_spread, members;
  Buffer<int> ranks;
  Buffer<long> failed;
  Buffer<kernels::FilterRun<Real>> settings;

  /// For so many runs from the group's run `first` on, and so many cycles.
  Launch(const FilterGroup& group, long first, long runs, long cycles) {
    Executor& executor = group.device_.executor();
    const auto of = [&](long each, bool wanted = true) {
      return Buffer<Real>(executor, wanted ? static_cast<std::size_t>(runs * each) : 0);
    };
    const kernels::FilterShape& s = group.shape_;
    const bool means = group.options_.keep_means;
    state = of(group.entry_.state_elements(s)), scores = of(cycles * kCycleScores);
    forecast_mean = of(cycles * s.n, means), analysis_mean = of(cycles * s.n, means),
    analysis_spread = of(cycles * s.n, means);
    members = of(static_cast<long>(s.n) * s.ld, group.keeps_columns());
    ranks = Buffer<int>(executor, group.options_.keep_ranks && group.entry_.traits.ensemble()
                                      ? static_cast<std::size_t>(runs * cycles * s.n)
                                      : 0);
    failed = uploaded(executor, std::vector<long>(static_cast<std::size_t>(runs), -1L));
    std::vector<kernels::FilterRun<Real>> of_runs;
    for (long i = first; i < first + runs; ++i) of_runs.push_back(group.settings_of(i));
    settings = uploaded(executor, of_runs);
  }

  /// Puts the members that a run starts from where its kernel looks for them.
  void start(long run, const AssimilationRun& settings, const FilterGroup& group) {
    const Matrix& members = settings.initial_members;
    if (members.empty()) return;
    const long ld = group.shape_.ld;
    std::vector<Real> columns(static_cast<std::size_t>(members.extent(1) * ld), Real(0));
    for (long k = 0; k < members.extent(0); ++k)
      for (long i = 0; i < members.extent(1); ++i)
        columns[static_cast<std::size_t>(i * ld + k)] = static_cast<Real>(members(k, i));
    state.upload(columns.data(), columns.size(),
                 static_cast<std::size_t>(run * group.entry_.state_elements(group.shape_)));
  }

  kernels::FilterOutput<Real> pointers(int crps_every) const {
    return {state.data(),         scores.data(),          forecast_mean.data(),
            analysis_mean.data(), analysis_spread.data(), members.data(),
            ranks.data(),         failed.data(),          crps_every};
  }
};

template <class Real>
bool FilterGroup<Real>::run(FilterPlace& place, const FilterListener& listener,
                            std::vector<AssimilationResult>& results) {
  Cut group = cut();
  const auto all = static_cast<long>(indices_.size());
  bool going = true;
  while (going && place.first < all) {
    const auto take = [&](long runs) { return Launch(*this, place.first, runs, group.cycles); };
    const bool begun = place.together > 0;  // by the call whose state was found
    if (!begun) place.together = std::min(group.together, all - place.first);
    const long wanted = place.together;
    Launch launch = begun ? take(wanted) : with_smaller_chunks(place.together, take);
    if (place.together < wanted) group.together = place.together;
    if (!run_chunk(place, launch, group.cycles, listener, results, going)) return false;
    place = {place.first + place.together, 0};
    listener.chunk_finished(going);
  }
  return going;
}

namespace {

/// Rows of a launch's output [run, count, width] into the result of one run, from cycle `first` on.
template <class T, class Result>
void copy_rows(const std::vector<T>& from, long run, long first, long count, long stride, Result& to) {
  if (from.empty()) return;
  const long width = to.extent(1);
  const T* source = from.data() + run * stride * width;
  std::transform(source, source + count * width, to.data() + first * width,
                 [](T value) { return static_cast<std::remove_cvref_t<decltype(*to.data())>>(value); });
}

}  // namespace

template <class Real>
kernels::FilterRun<Real> FilterGroup<Real>::settings_of(long position) const {
  const auto at = static_cast<std::size_t>(position);
  return tables_.settings(runs_[static_cast<std::size_t>(indices_[at])], position, set_of_[at],
                          problems_[static_cast<std::size_t>(set_of_[at])]->number);
}

template <class Real>
bool FilterGroup<Real>::run_chunk(const FilterPlace& place, Launch& launch, long cycles_together,
                                  const FilterListener& listener, std::vector<AssimilationResult>& results,
                                  bool& going) {
  Executor& executor = device_.executor();
  const long runs = place.together, n = shape_.n;
  const auto index_of = [&](long i) {
    return static_cast<std::size_t>(indices_[static_cast<std::size_t>(place.first + i)]);
  };
  long first = 0;
  double seconds = 0;
  const auto name_state = [&](Archive& archive) {
    archive("cycle", first), archive("seconds", seconds);
    archive("filters", launch.state), archive("failed", launch.failed);
  };
  if (!restored(listener.chunk.found(), name_state)) {
    for (long i = 0; i < runs; ++i) {
      prepare(results[index_of(i)]);
      launch.start(i, runs_[index_of(i)], *this);
    }
  }
  const double before = seconds;
  const auto start = std::chrono::steady_clock::now();
  while (first < shape_.cycles) {
    const long count = std::min(cycles_together, shape_.cycles - first);
    entry_.run(executor, runs,
               {.shape = shape_,
                .data = data_.data(),
                .tapers = tables_.tapers(),
                .gains = tables_.gains(),
                .runs = launch.settings.data(),
                .output = launch.pointers(options_.crps_every),
                .first = first,
                .count = count});
    const auto scores = launch.scores.download(), forecast = launch.forecast_mean.download(),
               analysis = launch.analysis_mean.download(), spread = launch.analysis_spread.download();
    const auto ranks = launch.ranks.download();
    const auto failed = launch.failed.download();
    for (long i = 0; i < runs; ++i) {
      AssimilationResult& result = results[index_of(i)];
      if (result.failed_at >= 0) continue;
      result.failed_at = failed[static_cast<std::size_t>(i)];
      const long good = result.failed_at >= 0 ? result.failed_at - first : count;
      copy_rows(scores, i, first, good, count, result.scores);
      copy_rows(forecast, i, first, good, count, result.forecast_mean);
      copy_rows(analysis, i, first, good, count, result.analysis_mean);
      copy_rows(spread, i, first, good, count, result.analysis_spread);
      copy_rows(ranks, i, first, good, count, result.ranks);
    }
    first += count;
    seconds = before + std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    going = listener.advanced(runs * count);
    if (first < shape_.cycles && (!going || listener.chunk.due())) listener.chunk.keep(saved(name_state));
    if (!going) break;
  }
  for (long i = 0; i < runs; ++i) results[index_of(i)].seconds = seconds / static_cast<double>(runs);
  const auto members = launch.members.download();
  for (long i = 0; i < runs && !members.empty(); ++i) {
    Matrix columns({shape_.members, n});
    for (long c = 0; c < n; ++c)
      for (long k = 0; k < shape_.members; ++k)
        columns(k, c) = static_cast<double>(members[static_cast<std::size_t>((i * n + c) * shape_.ld + k)]);
    AssimilationResult& result = results[index_of(i)];
    (entry_.traits.ensemble() ? result.members : result.covariance) = std::move(columns);
  }
  return first == shape_.cycles;
}

/// Rows of "not known yet" for every cycle.
template <class Real>
void FilterGroup<Real>::prepare(AssimilationResult& result) const {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Extents<2> rows{shape_.cycles, shape_.n};
  result.scores = Matrix({shape_.cycles, kCycleScores}, nan);
  if (options_.keep_means) result.forecast_mean = result.analysis_mean = result.analysis_spread = Matrix(rows, nan);
  if (options_.keep_ranks && entry_.traits.ensemble()) result.ranks = Array<int, 2>(rows, -1);
}

template class FilterGroup<float>;
template class FilterGroup<double>;

}  // namespace vida
