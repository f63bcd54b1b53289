// The in-painting model of MNIST, 7.8 million weights in float32: a training step of 256 images with dropout, clipping
// and Adam, and 100 draws of the unknown pixels of each of 16 images. Bound: six (a step) or two (a draw) operations
// for each weight and image, at the measured rate of register-only fma.

#include "inference/flow_optimizer.hpp"
#include "inference/images/inpainting_objective.hpp"
#include "measure.hpp"

namespace {

using namespace vida;

struct Images {
  Images() {
    for (std::uint32_t i = 0; i < 256 * 784; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 2654435761u >> 24));
  }
  PixelMap map(const InpaintingShape& shape) const { return pixel_map_of({pixels, {}, 28, 28}, shape); }
  std::vector<std::uint8_t> pixels;
};

void Step(benchmark::State& state) {
  const InpaintingShape shape;
  const Images images;
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  Executor& executor = device.executor();
  EpochOptions options;
  options.batch = static_cast<int>(state.range(0));
  const auto start = initial_inpainting_parameters(shape, 0);
  auto parameters = uploaded(executor, std::vector<float>(start.begin(), start.end()));
  Buffer<float> gradient(executor, start.size());
  InpaintingObjective objective(executor, shape, images.map(shape), parameters.data(), gradient.data(), options);
  FlowTrainingOptions adam;
  adam.clip = options.clip, adam.decay = options.decay;
  FlowOptimizer<float> optimizer(executor, {parameters.data(), gradient.data(), 1, std::ssize(start)}, adam, 1 << 16,
                                 {1e-4});
  ShardSummer<float> sums(executor, options.batch);
  const double flop = 6 * bench::weights_of(inpainting_tensors(shape)) * options.batch;
  bench::measure(state, device, flop, [&] {
    objective.load(images.pixels.data(), nullptr, options.batch);
    objective.differentiate({0, optimizer.clock()});
    optimizer.step(sums.shards(objective.values(), options.batch), shards_of(options.batch),
                   objective.unit() / options.batch);
  });
}
BENCHMARK(Step)
    ->Name("inpainting_step")
    ->ArgNames({"batch", "threads"})
    ->Args({256, 1})
    ->Args({256, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void Samples(benchmark::State& state) {
  const InpaintingShape shape;
  const Images images;
  const Device device = Device::cpu(static_cast<int>(state.range(1)));
  const auto parameters = initial_inpainting_parameters(shape, 0);
  Inpainter inpainter(device, shape, images.map(shape), parameters, {}, {}, 0);
  const ImageView some{std::span(images.pixels).subspan(0, 16 * 784), {}, 28, 28};
  const int draws = static_cast<int>(state.range(0) / 16);
  const double flop = 2 * bench::weights_of(flow_tensors(shape.flow())) * static_cast<double>(state.range(0));
  bench::measure(state, device, flop, [&] { benchmark::DoNotOptimize(inpainter.sample(some, draws)); });
}
BENCHMARK(Samples)
    ->Name("inpainting_samples")
    ->ArgNames({"count", "threads"})
    ->Args({1600, 1})
    ->Args({1600, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
