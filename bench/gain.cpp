// Cost and gradient of the gain objective: one reference problem on one and on all cores, and a batch of 64.
// Bound: 1.05 Mflop per cycle (band of the Jacobian and symmetry used) at the measured rate of register-only fma.

#include <benchmark/benchmark.h>

#include <chrono>
#include <map>
#include <vector>

#include "peak.hpp"
#include "vida/vida.hpp"

namespace {

using namespace vida;

constexpr int kN = 40;
constexpr long kCycles = 1000;
constexpr double kFlop = 1.05e6 * kCycles;

const std::vector<FilterProblem>& problems(long count) {
  static std::map<long, std::vector<FilterProblem>> made;
  auto& list = made[count];
  if (!list.empty()) return list;
  const StateSpaceModel system{.model = Lorenz96{.n = kN},
                               .process_noise = scaled_identity(kN, 0.1),
                               .observation_operator = scaled_identity(kN, 1.0),
                               .observation_noise = scaled_identity(kN, 1.0),
                               .initial_mean = Vector({kN}, 1.0),
                               .initial_covariance = scaled_identity(kN, 1.0)};
  std::vector<TwinOptions> twins;
  for (long i = 0; i < count; ++i) twins.push_back({.cycles = kCycles, .seed = static_cast<std::uint64_t>(i)});
  for (Observations& data : simulate(Device::cpu(), {&system, 1}, twins))
    list.push_back({.system = system, .data = std::move(data)});
  return list;
}

/// Arguments: problems, threads (0: all cores).
template <Precision kPrecision>
void CostAndGradient(benchmark::State& state) {
  const auto& batch = problems(state.range(0));
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  GainObjective objective(device, batch, {.precision = kPrecision});
  const std::vector<Matrix> gains(batch.size(), scaled_identity(kN, 0.4));
  objective.evaluate(gains);  // takes the memory
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(objective.evaluate(gains));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double each = seconds / static_cast<double>(batch.size()) / static_cast<double>(state.iterations());
  const double peak = bench::peak_flops<kPrecision == Precision::float64>() * device.threads();
  state.counters["seconds_per_unit"] = each;
  state.counters["Gflop_per_s"] = 1e-9 * kFlop / each;
  state.counters["percent_of_bound"] = 100 * kFlop / each / peak;
  state.counters["MiB"] = static_cast<double>(objective.memory_bytes()) / (1 << 20);
}

void Arguments(benchmark::internal::Benchmark* b) {
  b->ArgNames({"problems", "threads"})
      ->Args({1, 1})
      ->Args({1, 0})
      ->Args({64, 1})
      ->Args({64, 0})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->MeasureProcessCPUTime();
}
BENCHMARK(CostAndGradient<Precision::float64>)->Name("gain_gradient/float64")->Apply(Arguments);
BENCHMARK(CostAndGradient<Precision::float32>)->Name("gain_gradient/float32")->Apply(Arguments);

}  // namespace

BENCHMARK_MAIN();
