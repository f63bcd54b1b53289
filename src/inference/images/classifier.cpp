#include "inference/images/classifier.hpp"

#include <fmt/format.h>

#include <numeric>

#include "images.cuh"
#include "inference/images/epoch_trainer.hpp"
#include "network.cuh"
#include "vida/error.hpp"

namespace vida {
namespace {

using namespace kernels;

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

}  // namespace

NetworkLayout classifier_layout(const ClassifierShape& shape) {
  NetworkLayout layout{shape.pixels, shape.hidden};
  layout.widths.push_back(shape.classes);
  return layout;
}

std::vector<FlowTensor> classifier_tensors(const ClassifierShape& shape) {
  const NetworkLayout net = classifier_layout(shape);
  std::vector<FlowTensor> tensors;
  for (int k = 0; k < net.maps(); ++k) {
    tensors.push_back({fmt::format("classifier.{}.weight", k), net.weight(k), {net.out(k), net.in(k)}});
    tensors.push_back({fmt::format("classifier.{}.bias", k), net.bias(k), {net.out(k)}});
  }
  return tensors;
}

ClassifierObjective::ClassifierObjective(Executor& executor, const ClassifierShape& shape, const float* parameters,
                                         float* gradient, const EpochOptions& options)
    : executor_(executor),
      shape_(shape),
      network_(executor, classifier_layout(shape), {.dropout = {options.input_dropout, options.dropout}, .number = 15},
               parameters, gradient, options.batch),
      sums_(executor, options.batch) {
  const long stride = round_up(options.batch, kFlowStride);
  std::vector<int> pixels(count_of(shape.pixels));
  std::iota(pixels.begin(), pixels.end(), 0);
  pixels_ = uploaded(executor, pixels);
  bytes_ = Buffer<std::uint8_t>(executor, count_of(static_cast<long>(options.batch) * shape.pixels));
  labels_ = Buffer<std::int32_t>(executor, count_of(stride));
  inputs_ = Buffer<float>(executor, count_of(shape.pixels * stride));
  weights_ = Buffer<float>(executor, count_of(stride)), values_ = Buffer<float>(executor, count_of(stride));
}

void ClassifierObjective::load(const std::uint8_t* pixels, const std::uint8_t* labels, long count) {
  count_ = count;
  bytes_.upload(pixels, count_of(count * shape_.pixels));
  std::vector<std::int32_t> numbers(count_of(stride()), 0);
  if (labels) std::copy(labels, labels + count, numbers.begin());
  labels_.upload(numbers.data(), numbers.size());
}

void ClassifierObjective::run(const DropoutDraws& draws) {
  launch(executor_, {.items = shape_.pixels},
         SpreadPixels<float>{bytes_.data(), pixels_.data(), inputs_.data(), stride(), count_, shape_.pixels,
                             kClassifierScale, kClassifierShift});
  const NetworkInput<float> inputs[] = {input()};
  network_.forward(inputs, count_, draws);
}

void ClassifierObjective::compare(double total) {
  fill_weights(executor_, weights_.data(), count_, total);
  launch_lanes(
      executor_, stride(),
      Softmax<float>{network_.outputs(), labels_.data(), weights_.data(), values_.data(), stride(), shape_.classes});
}

void ClassifierObjective::differentiate(const DropoutDraws& draws) {
  run(draws);
  compare(static_cast<double>(count_));
  const NetworkInput<float> inputs[] = {input()};
  network_.backward(inputs, false);
}

double ClassifierObjective::loss_sum(long) {
  run({});
  compare(1);
  return sums_.total(values_.data(), count_);
}

const float* ClassifierObjective::probabilities() {
  run({});
  launch_lanes(executor_, stride(),
               Softmax<float>{network_.outputs(), nullptr, nullptr, nullptr, stride(), shape_.classes});
  return network_.outputs();
}

EpochFit fit_classifier(const Device& device, const ImageView& images, const ClassifierShape& shape,
                        const EpochOptions& options, const EpochProgress& progress, Checkpoints* checkpoints) {
  require_labels(shape, images);
  Executor& executor = device.executor();
  const NetworkLayout layout = classifier_layout(shape);
  TrainedParameters parameters(executor, initial_network_parameters(layout, options.seed + 2, 0));
  validate(options, images.count());
  ClassifierObjective objective(executor, shape, parameters.values.data(), parameters.gradient.data(), options);
  return EpochTrainer(executor, parameters, objective, images, options, checkpoints).run(progress);
}

void require_labels(const ClassifierShape& shape, const ImageView& images) {
  if (images.size() != shape.pixels)
    throw InvalidArgument(
        fmt::format("the images have {} pixels, but the classifier was made for {}.", images.size(), shape.pixels));
  if (std::ssize(images.labels) != images.count())
    throw InvalidArgument(fmt::format("there are {} images but {} labels.", images.count(), images.labels.size()));
  for (long i = 0; i < images.count(); ++i)
    if (images.labels[count_of(i)] >= shape.classes)
      throw InvalidArgument(fmt::format("label {} of image {} is not a class, expected 0 .. {}.",
                                        images.labels[count_of(i)], i, shape.classes - 1));
}

Matrix classify(const Device& device, const ClassifierShape& shape, std::span<const double> parameters,
                const ImageView& images) {
  Executor& executor = device.executor();
  const auto weights = uploaded(executor, std::vector<float>(parameters.begin(), parameters.end()));
  EpochOptions options;
  ClassifierObjective objective(executor, shape, weights.data(), nullptr, options);
  Matrix result({images.count(), shape.classes});
  for (long first = 0; first < images.count(); first += options.batch) {
    const ImageView part = images.part(first, std::min<long>(options.batch, images.count() - first));
    objective.load(part.pixels.data(), nullptr, part.count());
    const long stride = round_up(part.count(), kFlowStride);
    std::vector<float> columns(count_of(shape.classes * stride));
    executor.download(columns.data(), objective.probabilities(), columns.size() * sizeof(float));
    for (long i = 0; i < part.count(); ++i)
      for (int k = 0; k < shape.classes; ++k)
        result(first + i, k) = static_cast<double>(columns[count_of(k * stride + i)]);
  }
  return result;
}

}  // namespace vida
