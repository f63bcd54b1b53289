// Cycles of every filter on the set-up of Sakov and Oke (2008): a batch of 64 runs and a single one on one core, the
// batch on all cores; and the reference sweep of a localised serial filter. A unit is one cycle of one run.
// Bound: the fused multiply-adds that the method needs (forecast: 19 vector instructions a component, see
// docs/performance.md) at the measured rate of register-only fma.

#include <benchmark/benchmark.h>

#include <chrono>
#include <map>

#include "peak.hpp"
#include "vida/vida.hpp"

namespace {

using namespace vida;

constexpr int kN = 40;

StateSpaceModel sakov_system(int steps_per_cycle) {
  Vector mean({kN});
  mean[0] = 1;
  return {.model = Lorenz96{.n = kN},
          .steps_per_cycle = steps_per_cycle,
          .process_noise = Matrix({kN, kN}),
          .observation_operator = scaled_identity(kN, 1.0),
          .observation_noise = scaled_identity(kN, 1.0),
          .initial_mean = mean,
          .initial_covariance = scaled_identity(kN, 0.001)};
}

std::vector<FilterProblem> twins(long runs, long cycles, int steps_per_cycle) {
  const StateSpaceModel system = sakov_system(steps_per_cycle);
  std::vector<TwinOptions> options;
  for (long i = 0; i < runs; ++i) options.push_back({.cycles = cycles, .seed = static_cast<std::uint64_t>(i)});
  std::vector<FilterProblem> problems;
  for (Observations& data : simulate(Device::cpu(), {&system, 1}, options))
    problems.push_back({.system = system, .data = std::move(data)});
  return problems;
}

/// A filter of the published table, and how many multiply-adds one of its cycles takes.
struct Case {
  FilterSettings filter;
  double forecasts = 1;  ///< of its columns, a cycle
  double products;       ///< fma of the analysis
  long cycles = 200;     ///< of a run
};

double cubed(double N) { return N * N * N; }
/// The symmetric transform of N members: Gram matrix, four inverses, five products of its root, and its use.
double transform(double N) { return N * N * kN + 9 * cubed(N) + N * N * kN; }
/// A random rotation: N - 1 reflections of its columns, and its use.
double rotation(double N) { return cubed(N) + N * N * kN; }

const std::map<std::string, Case>& cases() {
  static const std::map<std::string, Case> list = {
      {"3dvar", {{.method = "3dvar"}, 1, kN * kN}},
      {"ekf", {{.method = "ekf", .inflation = 10}, 2 * kN + 1, 1.0 * kN * kN * kN}},
      {"enkf", {{.method = "enkf", .members = 40, .inflation = 1.06}, 40, 5 * cubed(40)}},
      {"denkf", {{.method = "denkf", .members = 40, .inflation = 1.01}, 40, 4 * cubed(40)}},
      {"etkf",
       {{.method = "etkf", .members = 24, .inflation = 1.013, .rotation = true}, 24, transform(24) + rotation(24)}},
      {"serial",
       {{.method = "serial", .members = 28, .inflation = 1.02, .rotation = true},
        28,
        2.0 * kN * 28 * 28 + kN * kN * 28 + 28 * 28 * kN + rotation(28)}},
      {"letkf",
       {{.method = "letkf", .members = 7, .inflation = 1.04, .rotation = true, .radius = 4, .local_states = 2},
        7,
        kN / 2 * (29 * 49 + 9 * cubed(7) + 2 * 49) + rotation(7)}},
      {"enkf-n",
       {{.method = "enkf-n", .members = 24, .rotation = true, .xn = 2},
        24,
        transform(24) + rotation(24) + 4 * cubed(24)}},
      {"ienks",
       {{.method = "ienks", .members = 40, .inflation = 1.01, .rotation = true},
        11 * 40,
        10 * (transform(40) + 2 * cubed(40)) + rotation(40),
        60}},
      {"particle", {{.method = "particle", .members = 3000}, 3000, 2.0 * 3000 * kN, 20}},
  };
  return list;
}

/// Arguments: runs, threads (0: all cores).
void Filter(benchmark::State& state, const std::string& name) {
  const Case& one = cases().at(name);
  const long runs = state.range(0), cycles = runs == 1 ? 4 * one.cycles : one.cycles;
  const auto problems = twins(runs, cycles, 1);
  std::vector<AssimilationRun> list;
  for (long i = 0; i < runs; ++i)
    list.push_back({.problem = i, .filter = one.filter, .seed = static_cast<std::uint64_t>(i)});
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  benchmark::DoNotOptimize(assimilate(device, problems, list));
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(assimilate(device, problems, list));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double each = seconds / static_cast<double>(state.iterations() * runs * cycles);
  const double bound = 2 * (19.0 * kN * one.forecasts + one.products) / (bench::peak_flops<true>() * device.threads());
  state.counters["seconds_per_unit"] = each;
  state.counters["cycles_per_s"] = 1 / each;
  state.counters["percent_of_bound"] = 100 * bound / each;
}

/// 1,800 runs of 200 cycles: a localised serial filter over radius, inflation, size and seed. Argument: threads.
void ReferenceSweep(benchmark::State& state) {
  constexpr long kCycles = 200;
  const auto problems = twins(10, kCycles, 5);
  std::vector<AssimilationRun> list;
  for (const double radius : {1.0, 2.0, 4.0, 6.0, 8.0, 16.0})
    for (const double inflation : {1.0, 1.02, 1.05, 1.1, 1.2, 1.3})
      for (const int members : {5, 10, 20, 30, 40})
        for (long seed = 0; seed < 10; ++seed)
          list.push_back({.problem = seed,
                          .filter = {.method = "serial", .members = members, .inflation = inflation, .radius = radius},
                          .seed = static_cast<std::uint64_t>(seed)});
  const Device device = Device::cpu(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(assimilate(device, problems, list));
  state.counters["runs_per_s"] =
      benchmark::Counter(static_cast<double>(list.size()), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(ReferenceSweep)
    ->Name("filter_sweep/serial")
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(0)
    ->Unit(benchmark::kSecond)
    ->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  for (const auto& [name, one] : cases())
    benchmark::RegisterBenchmark(("filters/" + name).c_str(),
                                 [name = name](benchmark::State& state) { Filter(state, name); })
        ->ArgNames({"runs", "threads"})
        ->Args({64, 1})
        ->Args({1, 1})
        ->Args({64, 0})
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
