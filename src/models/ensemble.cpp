#include "vida/ensemble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>

#include "backend/smaller_chunks.hpp"
#include "models/ensemble_chunk.hpp"
#include "models/ensemble_lyapunov.hpp"

namespace vida {
namespace {

using kernels::kEnsembleBlock;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  // a statistic of no members
constexpr long kChunkByDefault = 1L << 20;                          // more members at once gain nothing
constexpr double kFirstStretch = 1e7;     // component steps before the first call of the progress function
constexpr double kSecondsPerStretch = 1;  // between two calls later on

long member_count(const EnsembleOptions& options) {
  return options.initial_states.empty() ? options.members : options.initial_states.extent(0);
}

void validate(const EnsembleOptions& options) {
  validate(options.model);
  const auto expect = [](bool good, const char* name, auto value, const char* expected) {
    if (!good) throw InvalidArgument(fmt::format("ensemble: {} is {}; expected {}.", name, value, expected));
  };
  if (!options.initial_states.empty() && options.initial_states.extent(1) != options.model.n)
    throw InvalidArgument(fmt::format("ensemble: initial_states has shape {}; expected [member, {}], as model.n is {}.",
                                      to_string<2>(options.initial_states.extents()), options.model.n,
                                      options.model.n));
  const long members = member_count(options);
  expect(members >= 1 && members <= 0xffffffffL, "members", members, "1 to 4294967295");
  expect(options.steps >= 1, "steps", options.steps, "at least 1");
  expect(std::isfinite(options.initial_mean), "initial_mean", options.initial_mean, "a finite number");
  expect(std::isfinite(options.initial_variance) && options.initial_variance >= 0, "initial_variance",
         options.initial_variance, "a finite variance, 0 or more");
  expect(options.snapshot_every >= 0, "snapshot_every", options.snapshot_every,
         "a number of steps, or 0 for no snapshots");
  expect(options.snapshot_every == 0 || options.snapshot_members >= 1, "snapshot_members", options.snapshot_members,
         "at least 1 when snapshot_every is given");
  expect(options.chunk >= 0, "chunk", options.chunk, "a number of members, or 0 to let the memory limit decide");
  if (options.lyapunov_exponents < 0 || options.lyapunov_exponents > options.model.n)
    throw InvalidArgument(fmt::format("ensemble: lyapunov_exponents is {}; expected 0 to model.n = {}.",
                                      options.lyapunov_exponents, options.model.n));
}

/// Members per chunk: whole blocks, so that the blocks are the same for every size.
template <class Real>
long chunk_capacity(const Device& device, const EnsembleOptions& options) {
  const long bytes = EnsembleChunk<Real>::bytes_per_member(options.model.n);
  const long affordable = static_cast<long>(device.memory_limit()) / bytes / kEnsembleBlock * kEnsembleBlock;
  if (affordable == 0)
    throw OutOfMemory(
        fmt::format("ensemble: {} members of {} variables need {} bytes, but the memory limit is {} bytes. "
                    "Raise the memory limit.",
                    kEnsembleBlock, options.model.n, bytes * kEnsembleBlock, device.memory_limit()));
  const long wanted = options.chunk ? options.chunk : kChunkByDefault;
  return std::min(round_up(std::min(wanted, member_count(options)), kEnsembleBlock), affordable);
}

std::vector<double> first_member(const Device& device, const EnsembleOptions& options) {
  const long n = options.model.n;
  EnsembleOptions alone = options;
  if (!options.initial_states.empty()) alone.initial_states = Matrix({1, n});
  for (long c = 0; c < n && !options.initial_states.empty(); ++c)
    alone.initial_states(0, c) = options.initial_states(0, c);
  alone.members = 1;
  EnsembleChunk<double> chunk(device.executor(), alone, kEnsembleBlock);
  chunk.take(0, 1);
  chunk.start();
  Matrix state({1, n});
  chunk.keep(state);
  return {state.begin(), state.end()};
}

void name_statistics(Archive& archive, std::vector<EnsembleStatistics>& statistics) {
  using S = EnsembleStatistics;
  archive.each("members", statistics, &S::members), archive.each("finite_members", statistics, &S::finite_members);
  archive.each("time", statistics, &S::time), archive.each("snapshot_time", statistics, &S::snapshot_time);
  archive.each("mean", statistics, &S::mean), archive.each("variance", statistics, &S::variance);
  archive.each("minimum", statistics, &S::minimum), archive.each("maximum", statistics, &S::maximum);
  archive.each("snapshots", statistics, &S::snapshots);
}

/// The exponents' part of the work: their perturbations advance one at a time, where members fill the vectors.
double share_of_exponents(const EnsembleOptions& options) {
  if (options.lyapunov_exponents == 0) return 0;
  const double exponents = 8.0 * (1 + 3 * options.lyapunov_exponents);
  return exponents / (exponents + static_cast<double>(member_count(options)));
}

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Where an integration is.
struct Place {
  long first = 0, capacity = 0;  // members: of the chunk at work
  long step = 0;                 // which it has taken
};

template <class Real>
EnsembleStatistics integrate(const Device& device, const EnsembleOptions& options, const EnsembleProgress& progress,
                             Checkpoints& checkpoints) {
  const long n = options.model.n, members = member_count(options);
  const long room = chunk_capacity<Real>(device, options);
  EnsembleStatistics result;
  result.time = static_cast<double>(options.steps) * options.model.dt;
  const long kept = options.snapshot_every ? std::min(options.snapshot_members, members) : 0;
  const long snapshots = kept ? 1 + options.steps / options.snapshot_every : 0;
  result.snapshots = Array<double, 3>({snapshots, kept, n}, kNone);
  for (long s = 0; s < snapshots; ++s)
    result.snapshot_time.push_back(static_cast<double>(s * options.snapshot_every) * options.model.dt);

  std::vector<RunningMoments> moments(static_cast<std::size_t>(n));
  Place place{0, room, 0};
  std::unique_ptr<EnsembleChunk<Real>> chunk;
  const auto name_state = [&](Archive& archive) {
    archive("first", place.first), archive("capacity", place.capacity), archive("step", place.step);
    archive("members", result.members), archive.fixed("snapshots", result.snapshots);
    name_moments(archive, moments);
    if (place.step == 0) return;
    if (!chunk) chunk = std::make_unique<EnsembleChunk<Real>>(device.executor(), options, place.capacity);
    chunk->name_state(archive);
  };
  restored(checkpoints.found(), name_state);
  bool go_on = true;
  while (place.first < members && go_on) {
    const auto take = [&](long capacity) {
      return std::make_unique<EnsembleChunk<Real>>(device.executor(), options, capacity);
    };
    if (!chunk) chunk = with_smaller_chunks(place.capacity, take, kEnsembleBlock);
    const long first = place.first, count = std::min(place.capacity, members - first);
    const bool keeping = first < kept;
    double stretch = kFirstStretch / static_cast<double>(n * count);  // steps between two calls
    chunk->take(first, count);
    if (place.step == 0) chunk->start();
    if (keeping && place.step == 0) chunk->keep(result.snapshots.view()[0]);
    while (place.step < options.steps && go_on) {
      const Clock::time_point begin = Clock::now();
      const long steps = std::max(1L, static_cast<long>(std::min(stretch, 1e15)));
      long next = std::min(options.steps, place.step + steps);
      if (keeping) next = std::min(next, (place.step / options.snapshot_every + 1) * options.snapshot_every);
      chunk->advance(next - place.step);
      place.step = next;
      if (keeping && place.step % options.snapshot_every == 0)
        chunk->keep(result.snapshots.view()[place.step / options.snapshot_every]);
      const double share = static_cast<double>(place.step) / static_cast<double>(options.steps);
      if (place.step == options.steps) {
        chunk->add_to(moments);
        result.members = first + count;
        place = {first + count, place.capacity, 0};
      }
      device.executor().wait();
      stretch *= std::clamp(kSecondsPerStretch / std::max(seconds_since(begin), 1e-6), 0.1, 4.0);
      go_on = !progress || progress((static_cast<double>(first) + static_cast<double>(count) * share) /
                                    static_cast<double>(members));
      if (!go_on || checkpoints.due()) checkpoints.keep(saved(name_state));
      if (place.step == 0) break;  // the chunk is done
    }
  }

  for (const RunningMoments& m : moments) {
    result.mean.push_back(m.count > 0 ? m.mean : kNone);
    result.variance.push_back(m.count > 1 ? m.squares / (m.count - 1) : kNone);
    result.minimum.push_back(m.count > 0 ? m.minimum : kNone);
    result.maximum.push_back(m.count > 0 ? m.maximum : kNone);
  }
  result.finite_members = static_cast<long>(moments[0].count);
  return result;
}

}  // namespace

std::size_t ensemble_bytes(const Device& device, const EnsembleOptions& options) {
  validate(options);
  const long n = options.model.n;
  const auto bytes = [&](long capacity, long each) { return static_cast<std::size_t>(capacity * each); };
  return options.precision == Precision::float32
             ? bytes(chunk_capacity<float>(device, options), EnsembleChunk<float>::bytes_per_member(n))
             : bytes(chunk_capacity<double>(device, options), EnsembleChunk<double>::bytes_per_member(n));
}

EnsembleStatistics integrate_ensemble(const Device& device, const EnsembleOptions& options,
                                      const EnsembleProgress& progress, Checkpoints* checkpoints) {
  validate(options);
  const Clock::time_point start = Clock::now();
  const Snapshot found = found_in(checkpoints);
  std::vector<EnsembleStatistics> done;  // all but the exponents, when they are known
  const auto name_state = [&](Archive& archive) {
    long count = std::ssize(done);
    archive("done", count);
    done.resize(static_cast<std::size_t>(count));
    name_statistics(archive, done);
  };
  restored(found, name_state);
  const double exponents_share = share_of_exponents(options);
  const auto part = [&](double first, double size) -> EnsembleProgress {
    return [&progress, first, size](double share) { return !progress || progress(first + size * share); };
  };
  if (done.empty()) {
    PartOfCheckpoints members(checkpoints, found, "members", name_state);
    const EnsembleProgress heard = part(0, 1 - exponents_share);
    done = {options.precision == Precision::float32 ? integrate<float>(device, options, heard, members)
                                                    : integrate<double>(device, options, heard, members)};
  }
  EnsembleStatistics& result = done[0];
  if (options.lyapunov_exponents > 0 && result.members == member_count(options)) {
    PartOfCheckpoints exponents(checkpoints, found, "exponents", name_state);
    result.lyapunov =
        lyapunov_exponents(device, options.model, first_member(device, options), options.steps,
                           options.lyapunov_exponents, part(1 - exponents_share, exponents_share), exponents);
  }
  result.seconds = seconds_since(start);
  return std::move(result);
}

}  // namespace vida
