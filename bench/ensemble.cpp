// The time loop of a Lorenz-96 ensemble, n = 40: trajectory steps a second, against the floating-point issue bound of
// 19 vector instructions per component and step, measured in this process by bench/peak.hpp.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <type_traits>

#include "backend/executor.hpp"
#include "ensemble_statistics.cuh"
#include "ensemble_steps.cuh"
#include "peak.hpp"

namespace vida {
namespace {

constexpr int kVariables = 40;
constexpr int kInstructions = 19;  // per component and step

/// Trajectory steps a second of one core that issues nothing but useful vector instructions.
template <class Real>
double bound_of_one_core() {
  return bench::peak_flops<std::is_same_v<Real, double>>() / 2 / (kInstructions * kVariables);  // an fma counts twice
}

/// args: members, threads (0: all). One iteration is a launch of a tenth of a second or less; the best one counts,
/// since other work on the machine can only slow it.
template <class Real>
void ensemble(benchmark::State& state) {
  const long members = state.range(0);
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  Executor& executor = device.executor();
  const long stride = round_up(members, kernels::kEnsembleBlock);
  const long steps = std::max(20L, 10'000'000 / members);
  Buffer<Real> states(executor, static_cast<std::size_t>(kVariables * stride));
  launch(executor, {.items = stride / kernels::kEnsembleBlock},
         kernels::EnsembleInitialStates<Real>{kVariables, states.data(), stride, members, 0, 1, 3, Real(8), Real(1)});
  const auto run = [&] {
    launch_lanes(
        executor, round_up(members, executor.pack_width(sizeof(Real))),
        kernels::EnsembleLanes<Real, kVariables>{states.data(), states.data(), stride, steps, Real(0.05), Real(8)});
    executor.wait();
  };
  run();  // reaches the attractor, warms caches and clocks
  double best = 1e300;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const double rate = static_cast<double>(members * steps) / best;
  const double bound = bound_of_one_core<Real>() * device.threads();
  state.counters["steps_per_s"] = rate;
  state.counters["percent_of_bound"] = 100 * rate / bound;
  state.counters["seconds_per_unit"] = 1 / rate;
  state.counters["bound_seconds_per_unit"] = 1 / bound;
}

void cases(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{64, 1024, 4096, 100'000}, {1, 0}})
      ->ArgNames({"N", "threads"})
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond)
      ->MinTime(0.5);
}
BENCHMARK(ensemble<float>)->Name("lorenz96_ensemble/float32")->Apply(cases);
BENCHMARK(ensemble<double>)->Name("lorenz96_ensemble/float64")->Apply(cases);

}  // namespace
}  // namespace vida

BENCHMARK_MAIN();
