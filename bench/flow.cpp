// RealNVP flows, 6 layers, h = 256, d = 2, float32: a training step by reverse KL (BOD target), by forward KL on given
// data (context of 5) and by forward KL on new joint draws (amortised inference), each with gradient and Adam, and 1e5
// conditional samples. Bound: six (a step) or two (a sample) operations for each weight and sample, at the measured
// rate of register-only fma.

#include <benchmark/benchmark.h>

#include "inference/flow_engine.hpp"
#include "inference/flow_objective.hpp"
#include "inference/prepared_target.hpp"
#include "measure.hpp"
#include "vida/vida.hpp"

namespace {

using namespace vida;
using bench::measure;

double weights_of(const FlowShape& shape) { return bench::weights_of(flow_tensors(shape)); }

struct Training {
  Training(const Device& device, const FlowShape& shape, long batch)
      : executor(device.executor()),
        parameters(uploaded(executor, started(shape))),
        engine(executor, shape, 1, batch, parameters.data(), true),
        optimizer(executor, engine.optimized(), options, 1 << 20, {1e-4}) {
    engine.set_count(batch, batch);
  }
  static std::vector<float> started(const FlowShape& shape) {
    const auto values = initial_flow_parameters(shape, 1);
    return {values.begin(), values.end()};
  }
  void step() { optimizer.step(engine.sum_shards(), engine.shards(), 1.0 / static_cast<double>(engine.count())); }
  Executor& executor;
  FlowTrainingOptions options;
  Buffer<float> parameters;
  FlowEngine<float> engine;
  FlowOptimizer<float> optimizer;
};

void ReverseKl(benchmark::State& state) {
  const FlowShape shape{.hidden = 256};
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  const long batch = state.range(0);
  Training training(device, shape, batch);
  const auto prepared = prepare<float>(*oxygen_demand(), training.executor);
  const auto y = uploaded(training.executor, std::vector<float>{.1615f, .1868f, .3949f, .3728f, .4177f});
  const FlowTarget<float> target = [&](const FlowTargetBatch<float>& points) {
    prepared->evaluate({points.problems, points.stride, points.points, y.data(), points.log_density, points.gradient});
  };
  long t = 0;
  measure(state, device, 6 * weights_of(shape) * static_cast<double>(batch), [&] {
    training.engine.draw({.first = t * batch});
    training.engine.forward();
    training.engine.reverse_terms(target, {}, false, false);
    training.step();
    ++t;
  });
}

void ForwardKl(benchmark::State& state) {
  const FlowShape shape{.context = 5, .hidden = 256};
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  const long batch = state.range(0);
  Training training(device, shape, batch);
  const std::vector<float> context(static_cast<std::size_t>(5 * training.engine.stride()), 0.3f);
  training.executor.upload(training.engine.context(), context.data(), context.size() * sizeof(float));
  long t = 0;
  measure(state, device, 6 * weights_of(shape) * static_cast<double>(batch), [&] {
    training.engine.draw({.first = t * batch});  // in place of data
    training.engine.inverse();
    training.engine.likelihood_backward({}, false);
    training.step();
    ++t;
  });
}

/// The step of fit_amortized_flow: forward KL with new draws (u, y) of the oxygen-demand problem.
void Amortized(benchmark::State& state) {
  const FlowShape shape{.context = 5, .hidden = 256};
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  const long batch = state.range(0);
  Training training(device, shape, batch);
  const ContextScale scale{std::vector<double>(5, 0.5), std::vector<double>(5, 4.0)};
  ForwardKlObjective<float> objective(training.executor, *oxygen_demand(), batch, scale);
  measure(state, device, 6 * weights_of(shape) * static_cast<double>(batch), [&] {
    objective.evaluate(training.engine, {.seed = 1, .clock = training.optimizer.clock()}, true);
    training.step();
  });
}

void Samples(benchmark::State& state) {
  const FlowShape shape{.context = 5, .hidden = 256};
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  Flow<float> flow(device, shape);
  flow.set_parameters(0, initial_flow_parameters(shape, 1, 0, false));
  const Array<float, 3> context({1, 1, 5}, 0.3f);
  measure(state, device, 2 * weights_of(shape) * static_cast<double>(state.range(0)),
          [&] { benchmark::DoNotOptimize(flow.sample({}, state.range(0), context)); });
}

void Steps(benchmark::internal::Benchmark* b) {
  b->ArgNames({"batch", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();
  for (int threads : {1, 2})
    for (long batch : {64, 1024}) b->Args({batch, threads});
}
BENCHMARK(ReverseKl)->Name("flow_reverse_kl")->Apply(Steps);
BENCHMARK(ForwardKl)->Name("flow_forward_kl")->Apply(Steps);
BENCHMARK(Amortized)->Name("flow_amortized")->Apply(Steps);
BENCHMARK(Samples)
    ->Name("flow_samples")
    ->ArgNames({"count", "threads"})
    ->Args({100000, 1})
    ->Args({100000, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
