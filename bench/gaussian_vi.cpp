// Gaussian variational inference of 10,000 oxygen-demand problems at once: 100 steps of Adam, each with 64 Monte Carlo
// draws or with the Gauss-Hermite rule of 16 x 16 points. Bound: what a point takes when problems lie side by side in
// vectors, kOperations operations, at the measured rate of register-only fma (two operations each).

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "peak.hpp"
#include "vida/vida.hpp"

namespace {

using namespace vida;
using Clock = std::chrono::steady_clock;

constexpr long kProblems = 10000, kSteps = 100;

/// Arguments: problems, threads. A unit is a whole call, for all problems.
template <Precision kPrecision, GaussianExpectation kExpectation>
void Fit(benchmark::State& state) {
  const auto target = oxygen_demand();
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  const Matrix observations = simulate(device, *target, state.range(0), 1).y;
  const GaussianViOptions options{
      .expectation = kExpectation, .precision = kPrecision, .draws = 64, .steps = kSteps, .seed = 1};
  double best = 1e9;
  for (auto _ : state) {
    const auto start = Clock::now();
    benchmark::DoNotOptimize(fit_gaussian(device, *target, observations, options));
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  state.counters["seconds_per_unit"] = best;
}

void Arguments(benchmark::internal::Benchmark* b) {
  b->ArgNames({"problems", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();
  for (int threads : {1, 2}) b->Args({kProblems, threads});
}
BENCHMARK(Fit<Precision::float64, GaussianExpectation::monte_carlo>)->Name("gaussian_vi/float64")->Apply(Arguments);
BENCHMARK(Fit<Precision::float32, GaussianExpectation::monte_carlo>)->Name("gaussian_vi/float32")->Apply(Arguments);
BENCHMARK(Fit<Precision::float64, GaussianExpectation::quadrature>)
    ->Name("gaussian_vi_quadrature/float64")
    ->Apply(Arguments);
BENCHMARK(Fit<Precision::float32, GaussianExpectation::quadrature>)
    ->Name("gaussian_vi_quadrature/float32")
    ->Apply(Arguments);

}  // namespace

BENCHMARK_MAIN();
