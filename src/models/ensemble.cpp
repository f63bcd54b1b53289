#include "vida/ensemble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "backend/executor.hpp"
#include "ensemble_statistics.cuh"
#include "ensemble_steps.cuh"
#include "models/ensemble_lyapunov.hpp"
#include "vida/random.hpp"

namespace vida {
namespace {

using kernels::kEnsembleBlock;

constexpr std::uint32_t kInitialState = static_cast<std::uint32_t>(Stream::initial_state);
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  // a statistic of no members
constexpr long kChunkByDefault = 1L << 20;                          // more members at once gain nothing
constexpr double kComponentStepsPerCall = 2e10;                     // between two calls of the progress function

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

/// Mean and spread of a growing set: blocks are added in index order, in double (Chan et al. 1979).
struct RunningMoments {
  double count = 0, mean = 0, squares = 0;
  double minimum = std::numeric_limits<double>::infinity(), maximum = -std::numeric_limits<double>::infinity();

  template <class Real>
  void add(const kernels::BlockStatistics<Real>& block) {
    if (!(block.count > 0)) return;
    const double total = count + block.count, difference = block.mean - mean;
    squares += block.squares + difference * difference * count * block.count / total;
    mean += difference * block.count / total;
    count = total;
    minimum = std::min<double>(minimum, block.minimum);
    maximum = std::max<double>(maximum, block.maximum);
  }
};

/// The members that are on the device at the same time.
template <class Real>
class Chunk {
 public:
  Chunk(Executor& executor, const EnsembleOptions& options, long capacity)
      : executor_(executor),
        options_(options),
        n_(options.model.n),
        stride_(capacity),
        states_(executor, static_cast<std::size_t>(n_ * stride_)),
        statistics_(executor, static_cast<std::size_t>(capacity / kEnsembleBlock * n_)) {}

  static long bytes_per_member(long n) {
    return n * static_cast<long>(sizeof(Real)) + n * 5 * static_cast<long>(sizeof(Real)) / kEnsembleBlock + 1;
  }

  void start(long first, long count) {
    first_ = first;
    count_ = count;
    if (!options_.initial_states.empty()) return upload_states();
    launch(executor_, {.items = blocks()},
           kernels::EnsembleInitialStates<Real>{static_cast<int>(n_), states_.data(), stride_, count_, first_,
                                                options_.seed, kInitialState, static_cast<Real>(options_.initial_mean),
                                                static_cast<Real>(std::sqrt(options_.initial_variance))});
  }

  void advance(long steps) {
    switch (n_) {
      case 8:
        return lanes<8>(steps);
      case 12:
        return lanes<12>(steps);
      case 20:
        return lanes<20>(steps);
      case 36:
        return lanes<36>(steps);
      case 40:
        return lanes<40>(steps);
      case 80:
        return lanes<80>(steps);
      default:
        break;
    }
    using Kernel = kernels::EnsembleTeams<Real>;
    const int n = static_cast<int>(n_);
    launch(executor_,
           {.items = count_,
            .lanes = static_cast<int>(std::min(128L, round_up(n_, 32))),
            .scratch_bytes = Kernel::scratch_bytes(n)},
           Kernel{n, states_.data(), stride_, steps, dt(), forcing()});
  }

  void add_to(std::vector<RunningMoments>& moments) {
    using Kernel = kernels::EnsembleStatisticsOfBlocks<Real>;
    launch(executor_, {.items = blocks(), .scratch_bytes = Kernel::scratch_bytes()},
           Kernel{static_cast<int>(n_), states_.data(), stride_, count_, statistics_.data()});
    const auto found = statistics_.download();
    for (long block = 0; block < blocks(); ++block)
      for (long c = 0; c < n_; ++c)
        moments[static_cast<std::size_t>(c)].add(found[static_cast<std::size_t>(block * n_ + c)]);
  }

  /// to: [member, n] of the whole ensemble; the members of this chunk that it holds are written.
  void keep(View<double, 2> to) {
    const long count = std::min(to.extent(0) - first_, count_);
    std::vector<Real> row(static_cast<std::size_t>(std::max(count, 0L)));
    for (long c = 0; c < n_; ++c) {
      states_.download(row.data(), row.size(), static_cast<std::size_t>(c * stride_));
      for (long m = 0; m < count; ++m) to(first_ + m, c) = row[static_cast<std::size_t>(m)];
    }
  }

 private:
  long blocks() const { return (count_ + kEnsembleBlock - 1) / kEnsembleBlock; }
  Real dt() const { return static_cast<Real>(options_.model.dt); }
  Real forcing() const { return static_cast<Real>(options_.model.forcing); }

  template <int N>
  void lanes(long steps) {
    launch_lanes(executor_, round_up(count_, executor_.pack_width(sizeof(Real))),
                 kernels::EnsembleLanes<Real, N>{states_.data(), states_.data(), stride_, steps, dt(), forcing()});
  }

  void upload_states() {
    std::vector<Real> row(static_cast<std::size_t>(count_));
    for (long c = 0; c < n_; ++c) {
      for (long m = 0; m < count_; ++m)
        row[static_cast<std::size_t>(m)] = static_cast<Real>(options_.initial_states(first_ + m, c));
      states_.upload(row.data(), row.size(), static_cast<std::size_t>(c * stride_));
    }
  }

  Executor& executor_;
  const EnsembleOptions& options_;
  long n_, stride_;
  long first_ = 0, count_ = 0;
  Buffer<Real> states_;  // [n, stride]
  Buffer<kernels::BlockStatistics<Real>> statistics_;
};

/// Members per chunk: whole blocks, so that the blocks are the same for every size.
template <class Real>
long chunk_capacity(const Device& device, const EnsembleOptions& options) {
  const long bytes = Chunk<Real>::bytes_per_member(options.model.n);
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
  Chunk<double> chunk(device.executor(), alone, kEnsembleBlock);
  chunk.start(0, 1);
  Matrix state({1, n});
  chunk.keep(state);
  return {state.begin(), state.end()};
}

template <class Real>
EnsembleStatistics integrate(const Device& device, const EnsembleOptions& options, const EnsembleProgress& progress) {
  const long n = options.model.n, members = member_count(options);
  const long capacity = chunk_capacity<Real>(device, options);
  EnsembleStatistics result;
  result.time = static_cast<double>(options.steps) * options.model.dt;
  const long kept = options.snapshot_every ? std::min(options.snapshot_members, members) : 0;
  const long snapshots = kept ? 1 + options.steps / options.snapshot_every : 0;
  result.snapshots = Array<double, 3>({snapshots, kept, n}, kNone);
  for (long s = 0; s < snapshots; ++s)
    result.snapshot_time.push_back(static_cast<double>(s * options.snapshot_every) * options.model.dt);

  std::vector<RunningMoments> moments(static_cast<std::size_t>(n));
  Chunk<Real> chunk(device.executor(), options, capacity);
  bool go_on = true;
  for (long first = 0; first < members && go_on; first += capacity) {
    const long count = std::min(capacity, members - first);
    const bool keeping = first < kept;
    const long stretch = std::max(1L, static_cast<long>(kComponentStepsPerCall / static_cast<double>(n * count)));
    chunk.start(first, count);
    if (keeping) chunk.keep(result.snapshots.view()[0]);
    for (long step = 0; step < options.steps && go_on;) {
      long next = std::min(options.steps, step + stretch);
      if (keeping) next = std::min(next, (step / options.snapshot_every + 1) * options.snapshot_every);
      chunk.advance(next - step);
      step = next;
      if (keeping && step % options.snapshot_every == 0)
        chunk.keep(result.snapshots.view()[step / options.snapshot_every]);
      if (step == options.steps) {
        chunk.add_to(moments);
        result.members = first + count;
      }
      if (progress) {
        device.executor().wait();
        const double share = static_cast<double>(step) / static_cast<double>(options.steps);
        go_on =
            progress((static_cast<double>(first) + static_cast<double>(count) * share) / static_cast<double>(members));
      }
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

EnsembleStatistics integrate_ensemble(const Device& device, const EnsembleOptions& options,
                                      const EnsembleProgress& progress) {
  validate(options);
  const auto start = std::chrono::steady_clock::now();
  auto result = options.precision == Precision::float32 ? integrate<float>(device, options, progress)
                                                        : integrate<double>(device, options, progress);
  if (options.lyapunov_exponents > 0 && result.members == member_count(options))
    result.lyapunov = lyapunov_exponents(device, options.model, first_member(device, options), options.steps,
                                         options.lyapunov_exponents);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace vida
