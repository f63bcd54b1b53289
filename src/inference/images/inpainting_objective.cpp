#include "inference/images/inpainting_objective.hpp"

#include <numbers>

#include "network.cuh"

namespace vida {
namespace {

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

}  // namespace

InpaintingObjective::InpaintingObjective(Executor& executor, const InpaintingShape& shape, const PixelMap& map,
                                         const float* parameters, float* gradient, const EpochOptions& options)
    : model_(executor, shape, map, parameters, gradient, options.batch, 1, options),
      options_(options),
      nats_(shape.unknown() * std::numbers::ln2),
      sums_(executor, options.batch) {
  const long stride = round_up(options.batch, kernels::kFlowStride);
  const auto take = [&](long rows) { return Buffer<float>(executor, count_of(rows * stride)); };
  weights_ = take(1), error_weights_ = take(1), errors_ = take(1), values_ = take(1), targets_ = take(shape.unknown());
}

/// The loss is the mean over images of (-log q) / nats + mean_weight (squared error of the head): in bits for each
/// pixel, so that neither the clipping nor the weight of the error depends on the size of the block.
void InpaintingObjective::differentiate(const DropoutDraws& draws) {
  Executor& executor = model_.executor();
  const long count = model_.images(), stride = model_.stride();
  const int unknown = model_.shape().unknown();
  fill_weights(executor, weights_.data(), count, static_cast<double>(count) * nats_);
  fill_weights(executor, error_weights_.data(), count, static_cast<double>(count) / options_.mean_weight);
  model_.encode_context(draws);
  model_.encode_pixels({.seed = options_.seed, .clock = draws.clock});
  const NetworkInput<float> features = model_.features(1);
  executor.clear(features.gradient, sizeof(float) * count_of(features.rows * stride));

  const NetworkInput<float> inputs[] = {features};
  model_.head.forward(inputs, count, draws);
  model_.spread(true, targets_.data(), 1.0f / 255, 0);
  launch_lanes(executor, stride,
               kernels::SigmoidSquares<float>{model_.head.outputs(), targets_.data(), error_weights_.data(),
                                              errors_.data(), stride, unknown});
  model_.head.backward(inputs, false);

  model_.flow.inverse(features, draws);
  model_.flow.likelihood_terms(weights_.data(), values_.data());
  model_.flow.likelihood_backward(features, weights_.data(), false);
  const NetworkInput<float> known[] = {model_.known()};
  model_.encoder.backward(known, false, features.gradient);
}

double InpaintingObjective::loss_sum(long first) {
  fill_weights(model_.executor(), weights_.data(), model_.images(), 1.0);
  model_.likelihood({.seed = options_.seed, .stream = Stream::validation, .first = first}, weights_.data(),
                    values_.data());
  return sums_.total(values_.data(), model_.images());
}

}  // namespace vida
