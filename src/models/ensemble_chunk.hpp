#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/archive.hpp"
#include "ensemble_statistics.cuh"
#include "ensemble_steps.cuh"
#include "vida/ensemble.hpp"
#include "vida/random.hpp"

namespace vida {

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

inline void name_moments(Archive& archive, std::vector<RunningMoments>& moments) {
  archive.each("count", moments, &RunningMoments::count), archive.each("mean", moments, &RunningMoments::mean);
  archive.each("squares", moments, &RunningMoments::squares);
  archive.each("minimum", moments, &RunningMoments::minimum);
  archive.each("maximum", moments, &RunningMoments::maximum);
}

/// The members that are on the device at the same time.
template <class Real>
class EnsembleChunk {
 public:
  EnsembleChunk(Executor& executor, const EnsembleOptions& options, long capacity)
      : executor_(executor),
        options_(options),
        n_(options.model.n),
        stride_(capacity),
        states_(executor, static_cast<std::size_t>(n_ * stride_)),
        statistics_(executor, static_cast<std::size_t>(capacity / kernels::kEnsembleBlock * n_)) {}

  static long bytes_per_member(long n) {
    return n * static_cast<long>(sizeof(Real)) + n * 5 * static_cast<long>(sizeof(Real)) / kernels::kEnsembleBlock + 1;
  }

  /// The members that it works on from now on: so many from `first` on.
  void take(long first, long count) { first_ = first, count_ = count; }

  /// Puts them into their initial states.
  void start() {
    if (!options_.initial_states.empty()) return upload_states();
    launch(executor_, {.items = blocks()},
           kernels::EnsembleInitialStates<Real>{static_cast<int>(n_), states_.data(), stride_, count_, first_,
                                                options_.seed, static_cast<std::uint32_t>(Stream::initial_state),
                                                static_cast<Real>(options_.initial_mean),
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

  void name_state(Archive& archive) { archive("states", states_); }

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
  long blocks() const { return (count_ + kernels::kEnsembleBlock - 1) / kernels::kEnsembleBlock; }
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

}  // namespace vida
