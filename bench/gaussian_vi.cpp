// Gaussian variational inference of 10,000 oxygen-demand problems at once: 100 steps of Adam, each with 64 Monte Carlo
// draws or with the Gauss-Hermite rule of 16 x 16 points. Bound: the additions, multiplications and fma that a point
// takes, each counted as one fma, at the measured rate of register-only fma.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "peak.hpp"
#include "vida/vida.hpp"

namespace {

using namespace vida;
using Clock = std::chrono::steady_clock;

constexpr long kProblems = 10000, kSteps = 100, kDraws = 64, kNodes = 16;

/// Vector instructions of a point: in the loop of EvaluateDensity<GaussianPosterior<OxygenDemand>>, counted in what g++
/// 12 makes of it for AVX2 (the normal distribution function and density of two numbers, exp, the map and its adjoint),
/// and 12 for m + L z and the sums of loss and gradient. Normal draws are shared by all problems and do not count.
template <Precision kPrecision>
constexpr double kInstructions = kPrecision == Precision::float64 ? 177 + 12 : 135 + 12;

/// Arguments: problems, threads. A unit is a whole call, for all problems.
template <Precision kPrecision, GaussianExpectation kExpectation>
void Fit(benchmark::State& state) {
  const auto target = oxygen_demand();
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  const Matrix observations = simulate(device, *target, state.range(0), 1).y;
  const GaussianViOptions options{.expectation = kExpectation,
                                  .precision = kPrecision,
                                  .nodes = kNodes,
                                  .draws = kDraws,
                                  .steps = kSteps,
                                  .seed = 1};
  double best = 1e9;
  for (auto _ : state) {
    const auto start = Clock::now();
    benchmark::DoNotOptimize(fit_gaussian(device, *target, observations, options));
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  const long points = kExpectation == GaussianExpectation::quadrature ? kNodes * kNodes : kDraws;
  const double peak = bench::peak_flops<kPrecision == Precision::float64>() * device.threads();
  const double bound = 2 * kInstructions<kPrecision> * static_cast<double>(state.range(0) * kSteps * points) / peak;
  state.counters["seconds_per_unit"] = best;
  state.counters["percent_of_bound"] = 100 * bound / best;
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
