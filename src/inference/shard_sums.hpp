#pragma once

#include <numeric>
#include <vector>

#include "backend/executor.hpp"
#include "flow.cuh"

namespace vida {

inline long shards_of(long samples) { return (samples + kernels::kFlowShard - 1) / kernels::kFlowShard; }

/// weights[i] = 1 / total for the first `count` samples, 0 for the padding.
template <class Real>
void fill_weights(Executor& executor, Real* weights, long count, double total) {
  const long stride = round_up(count, kernels::kFlowStride);
  launch(executor, {.items = shards_of(stride)},
         kernels::SampleWeights<Real>{weights, stride, count, static_cast<Real>(1.0 / total)});
}

/// Sums over the samples of a chunk, by fixed trees over shards that are added in index order.
template <class Real>
class ShardSummer {
 public:
  ShardSummer(Executor& executor, long capacity)
      : executor_(executor), sums_(executor, static_cast<std::size_t>(shards_of(capacity))) {}

  /// Sums of the first `count` values over shards, left on the device: [shards_of(count)].
  const Real* shards(const Real* values, long count) {
    using Kernel = kernels::ShardSums<Real>;
    launch(executor_, {.items = shards_of(count), .scratch_bytes = Kernel::scratch_bytes()},
           Kernel{values, sums_.data(), round_up(count, kernels::kFlowStride), count, shards_of(count)});
    return sums_.data();
  }
  double total(const Real* values, long count) {
    shards(values, count);
    std::vector<Real> host(static_cast<std::size_t>(shards_of(count)));
    sums_.download(host.data(), host.size());
    return std::accumulate(host.begin(), host.end(), 0.0);
  }

 private:
  Executor& executor_;
  Buffer<Real> sums_;
};

}  // namespace vida
