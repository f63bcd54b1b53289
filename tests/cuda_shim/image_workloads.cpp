#include "image_workloads.hpp"

#include <cmath>

namespace workloads {
namespace {

using namespace vida;

double scattered(long i) { return std::sin(12.9898 * static_cast<double>(i + 1)); }

template <class Container>
void append(std::vector<double>& numbers, const Container& values) {
  for (const auto value : values) numbers.push_back(static_cast<double>(value));
}

template <class Real>
Array<Real, 2> points(long rows, long columns, long phase) {
  Array<Real, 2> result({rows, columns});
  for (long i = 0; i < result.size(); ++i) result.data()[i] = static_cast<Real>(2 * scattered(i + phase));
  return result;
}

/// Images of 6 x 7 with an unknown block of 3 x 4. No product has an extent below five, for which the CPU adds in
/// another order than the plain loops of the shim.
struct Images {
  InpaintingShape shape{.rows = 6,
                        .columns = 7,
                        .block = {1, 2, 3, 4},
                        .encoder = 9,
                        .features = 6,
                        .layers = 3,
                        .hidden = 10,
                        .depth = 2,
                        .components = 3};
  ClassifierShape classifier{.pixels = 42, .hidden = {9, 6}, .classes = 5};
  std::vector<std::uint8_t> pixels, labels;

  explicit Images(long count) {
    for (long i = 0; i < count * 42; ++i)
      pixels.push_back(static_cast<std::uint8_t>(std::lround(127.5 * (1 + scattered(i)))));
    for (long i = 0; i < count; ++i) labels.push_back(static_cast<std::uint8_t>(i % 5));
  }
  ImageView view() const { return {pixels, labels, 6, 7}; }
  PixelMap map() const { return pixel_map_of(view(), shape); }
};

EpochOptions few_steps() {
  EpochOptions options;
  options.epochs = 2, options.batch = 40, options.validation = 21;
  options.input_dropout = 0.3, options.dropout = 0.2;
  return options;
}

}  // namespace

template <class Real>
std::vector<double> mixture_flow(const Device& device) {
  const MixtureFlowShape shape{.dimension = 10,
                               .context = 5,
                               .moved = {{0, 2, 4, 6, 8}, {9, 7, 5, 3, 1}},
                               .hidden = 20,
                               .depth = 2,
                               .components = 3};
  MixtureFlow<Real> flow(device, shape);
  std::vector<double> parameters;
  for (long i = 0; i < flow_parameter_count(shape); ++i) parameters.push_back(0.5 * scattered(i));
  flow.set_parameters(parameters);
  const auto x = points<Real>(40, 10, 0), context = points<Real>(40, 5, 7);
  std::vector<double> numbers;
  const auto there = flow.inverse(x, context), back = flow.forward(x, context);
  for (const auto& image : {there, back}) {
    append(numbers, image.points);
    append(numbers, image.log_det);
  }
  const auto loss = flow.negative_log_likelihood(x, context);
  numbers.push_back(loss.loss);
  append(numbers, loss.gradient);
  append(numbers, loss.context_gradient);
  return numbers;
}
template std::vector<double> mixture_flow<double>(const Device&);
template std::vector<double> mixture_flow<float>(const Device&);

std::vector<double> inpainting_training(const Device& device) {
  const Images images(61);
  std::vector<double> numbers;
  for (const EpochFit& fit : {fit_inpainting(device, images.view(), images.map(), images.shape, few_steps()),
                              fit_classifier(device, images.view(), images.classifier, few_steps())}) {
    append(numbers, fit.parameters);
    append(numbers, fit.losses);
    append(numbers, fit.validation);
  }
  return numbers;
}

std::vector<double> inpainting_scores(const Device& device) {
  const Images images(40);
  std::vector<double> model, classifier;
  long size = 0;
  for (const auto& tensor : inpainting_tensors(images.shape)) {
    long count = 1;
    for (const long extent : tensor.extents) count *= extent;
    size += count;
  }
  for (long i = 0; i < size; ++i) model.push_back(0.3 * scattered(i));
  for (const auto& tensor : classifier_tensors(images.classifier)) {
    long count = 1;
    for (const long extent : tensor.extents) count *= extent;
    for (long i = 0; i < count; ++i) classifier.push_back(0.5 * scattered(i + 3));
  }
  Inpainter inpainter(device, images.shape, images.map(), model, images.classifier, classifier, 5);
  const ImageView some = images.view().part(0, 7);
  const InpaintingScores scores = inpainter.score(some, 19);
  std::vector<double> numbers;
  append(numbers, scores.bits);
  append(numbers, scores.mean);
  append(numbers, scores.deviation);
  append(numbers, scores.rank);
  append(numbers, scores.probability);
  append(numbers, inpainter.sample(some, 5));
  append(numbers, classify(device, images.classifier, classifier, some));
  return numbers;
}

}  // namespace workloads
