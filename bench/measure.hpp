#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "peak.hpp"
#include "vida/vida.hpp"

namespace vida::bench {

/// Times `work` of so many operations in float32, beside the measured rate of register-only fma on the device's
/// threads. The fastest of the iterations counts: other work on the machine can only slow one.
template <class Work>
void measure(benchmark::State& state, const Device& device, double flop, Work work) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (auto _ : state) {
    const auto start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  const double peak = peak_flops<false>() * device.threads();
  state.counters["seconds_per_unit"] = best;
  state.counters["Gflop_per_s"] = 1e-9 * flop / best;
  state.counters["percent_of_bound"] = 100 * flop / best / peak;
}

/// The weights of a network's tensors; biases do not count.
inline double weights_of(const std::vector<FlowTensor>& tensors) {
  double weights = 0;
  for (const FlowTensor& tensor : tensors)
    if (tensor.extents.size() == 2) weights += static_cast<double>(tensor.extents[0] * tensor.extents[1]);
  return weights;
}

}  // namespace vida::bench
