#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "backend/archive.hpp"
#include "backend/smaller_chunks.hpp"
#include "inference/images/classifier.hpp"
#include "inference/images/epoch_trainer.hpp"
#include "inference/images/inpainting_model.hpp"
#include "network.cuh"
#include "vida/error.hpp"

namespace vida {
namespace {

using namespace kernels;

constexpr int kLikelihoodImages = 256;

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

/// A classifier's parameters with the columns of its first weight in the order known pixels, unknown pixels.
std::vector<float> reordered(const ClassifierShape& shape, std::span<const double> parameters,
                             const InpaintingShape& images) {
  std::vector<float> result(parameters.begin(), parameters.end());
  auto order = images.known_pixels();
  const auto unknown = images.unknown_pixels();
  order.insert(order.end(), unknown.begin(), unknown.end());
  const long rows = classifier_layout(shape).out(0);
  for (long row = 0; row < rows; ++row)
    for (long k = 0; k < shape.pixels; ++k)
      result[count_of(row * shape.pixels + k)] =
          static_cast<float>(parameters[count_of(row * shape.pixels + order[count_of(k)])]);
  return result;
}

long images_at_once(const Device& device, long images, int samples) {
  const long lanes = device.is_cuda() ? 65536 : 1600;
  return std::min(std::max(1L, lanes / samples), images);
}

Buffer<float> uploaded_floats(Executor& executor, std::span<const double> values) {
  return uploaded(executor, std::vector<float>(values.begin(), values.end()));
}

}  // namespace

class Inpainter::Implementation {
 public:
  Implementation(const Device& device, const InpaintingShape& shape, const PixelMap& map,
                 std::span<const double> parameters, const ClassifierShape& classifier,
                 std::span<const double> classifier_parameters, std::uint64_t seed)
      : device_(device),
        shape_(checked(shape, map, parameters)),
        map_(map),
        seed_(seed),
        classifier_(classifier),
        parameters_(uploaded_floats(executor(), parameters)),
        zero_(uploaded(executor(), std::vector<std::uint32_t>{0})) {
    if (classifier_parameters.empty()) return;
    if (std::ssize(classifier_parameters) != classifier_layout(classifier).size() ||
        classifier.pixels != shape.rows * shape.columns)
      throw InvalidArgument("the classifier's parameters are not those of a network for images of this size.");
    classifier_parameters_ = uploaded(executor(), reordered(classifier, classifier_parameters, shape));
  }

  Vector bits(const ImageView& images, long first) {
    require_images(shape_, images);
    InpaintingModel model(executor(), shape_, map_, parameters_.data(), nullptr,
                          std::min<long>(kLikelihoodImages, images.count()), 1);
    Buffer<float> values(executor(), count_of(round_up(kLikelihoodImages, kFlowStride)));
    std::vector<float> host(kLikelihoodImages);
    Vector result({images.count()});
    for (long at = 0; at < images.count(); at += kLikelihoodImages) {
      const ImageView part = images.part(at, std::min<long>(kLikelihoodImages, images.count() - at));
      model.load(part.pixels.data(), part.count());
      model.likelihood({.seed = seed_, .first = first + at}, nullptr, values.data());
      values.download(host.data(), count_of(part.count()));
      for (long i = 0; i < part.count(); ++i)
        result(at + i) = static_cast<double>(host[count_of(i)]) / (shape_.unknown() * std::numbers::ln2);
    }
    return result;
  }

  Array<std::uint8_t, 3> sample(const ImageView& images, int samples, long first) {
    Array<std::uint8_t, 3> result({images.count(), samples, shape_.unknown()});
    std::vector<float> v;
    for_chunks(images, samples, first, 0, {}, [&](Chunk& chunk, long at, long count) {
      v.resize(count_of(shape_.unknown() * chunk.model.flow.stride()));
      chunk.pixels.download(v.data(), v.size());
      for (long k = 0; k < shape_.unknown(); ++k)
        for (long i = 0; i < count; ++i)
          for (long s = 0; s < samples; ++s)
            result(at + i, s, k) =
                static_cast<std::uint8_t>(v[count_of(k * chunk.model.flow.stride() + i * samples + s)]);
    });
    return result;
  }

  InpaintingScores score(const ImageView& images, int samples, const ScoreProgress& progress,
                         Checkpoints* checkpoints) {
    const long all = images.count(), unknown = shape_.unknown();
    InpaintingScores scores{Vector({all}), Array<float, 2>({all, unknown}), Array<float, 2>({all, unknown}),
                            Array<float, 2>({all, unknown}), Matrix({classifies() ? all : 0, classifier_.classes})};
    long done = 0;  // images
    const auto name_state = [&](Archive& archive) {
      archive("done", done);
      archive.fixed("bits", scores.bits), archive.fixed("mean", scores.mean);
      archive.fixed("deviation", scores.deviation), archive.fixed("rank", scores.rank);
      archive.fixed("probability", scores.probability);
    };
    if (!restored(found_in(checkpoints), name_state)) scores.bits = bits(images, 0);
    const ScoreProgress heard = [&](long now, long of) {
      done = now;
      const bool go_on = !progress || progress(now, of);
      if (checkpoints && (!go_on || checkpoints->due())) checkpoints->keep(saved(name_state));
      return go_on;
    };
    std::vector<double> means, squares, below, probabilities;
    for_chunks(images, samples, 0, done, heard, [&](Chunk& chunk, long at, long count) {
      launch(executor(), {.items = unknown},
             PixelTally<float>{chunk.pixels.data(), chunk.truth.data(), chunk.means.data(), chunk.squares.data(),
                               chunk.below.data(), chunk.model.flow.stride(), chunk.model.stride(), count, samples});
      if (classifies()) chunk.classify(classifier_, samples, count);
      for (auto* part : {&means, &squares, &below}) part->resize(count_of(unknown * count));
      probabilities.resize(count_of(classifier_.classes * count));
      chunk.means.download(means.data(), means.size());
      chunk.squares.download(squares.data(), squares.size());
      chunk.below.download(below.data(), below.size());
      if (classifies()) chunk.probabilities.download(probabilities.data(), probabilities.size());
      for (long i = 0; i < count; ++i) {
        for (long k = 0; k < unknown; ++k) {
          const std::size_t from = count_of(k * count + i);
          scores.mean(at + i, k) = static_cast<float>(means[from]);
          const double variance = std::max(squares[from] - means[from] * means[from], 0.0);
          scores.deviation(at + i, k) = static_cast<float>(std::sqrt(variance * samples / std::max(samples - 1, 1)));
          scores.rank(at + i, k) = static_cast<float>(below[from]);
        }
        if (!classifies()) continue;
        for (long c = 0; c < classifier_.classes; ++c)
          scores.probability(at + i, c) = probabilities[count_of(c * count + i)];
      }
    });
    return scores;
  }

 private:
  /// The memory of so many images with samples of each.
  struct Chunk {
    Chunk(Implementation& owner, long images, int samples)
        : model(owner.executor(), owner.shape_, owner.map_, owner.parameters_.data(), nullptr, images, samples),
          executor(owner.executor()) {
      const long unknown = owner.shape_.unknown(), columns = round_up(images, kFlowStride);
      const long lanes = round_up(images * samples, kFlowStride);
      pixels = Buffer<float>(executor, count_of(unknown * lanes));
      truth = Buffer<double>(executor, count_of(unknown * columns));
      for (auto* part : {&means, &squares, &below}) *part = Buffer<double>(executor, count_of(unknown * images));
      if (!owner.classifies()) return;
      known = Buffer<float>(executor, count_of(owner.shape_.known() * columns));
      completed = Buffer<float>(executor, count_of(unknown * lanes));
      probabilities = Buffer<double>(executor, count_of(owner.classifier_.classes * images));
      classifier =
          std::make_unique<Network<float>>(executor, classifier_layout(owner.classifier_), Network<float>::Options{},
                                           owner.classifier_parameters_.data(), nullptr, images * samples);
    }

    /// Probabilities of the completed images, mean over the samples of each.
    void classify(const ClassifierShape& shape, int samples, long images) {
      const int unknown = model.shape().unknown();
      const long stride = model.flow.stride();
      model.spread(false, known.data(), kClassifierScale, kClassifierShift);
      launch(executor, {.items = unknown},
             QuantisePixels<float>{pixels.data(), completed.data(), stride, kClassifierScale, kClassifierShift});
      const NetworkInput<float> inputs[] = {{known.data(), nullptr, model.shape().known(), samples, images},
                                            {completed.data(), nullptr, unknown}};
      classifier->forward(inputs, images * samples);
      launch_lanes(executor, stride,
                   Softmax<float>{classifier->outputs(), nullptr, nullptr, nullptr, stride, shape.classes});
      launch(executor, {.items = shape.classes},
             GroupMeans<float>{classifier->outputs(), probabilities.data(), stride, images, samples});
    }

    InpaintingModel model;
    Executor& executor;
    Buffer<float> pixels, known, completed;
    Buffer<double> truth, means, squares, below, probabilities;
    std::unique_ptr<Network<float>> classifier;
  };

  static const InpaintingShape& checked(const InpaintingShape& shape, const PixelMap& map,
                                        std::span<const double> parameters) {
    validate(shape);
    if (map.size() != shape.unknown())
      throw InvalidArgument(
          fmt::format("the pixel map has {} pixels, but {} are unknown.", map.size(), shape.unknown()));
    if (const long expected = InpaintingLayout(shape).size(); std::ssize(parameters) != expected)
      throw InvalidArgument(fmt::format("{} parameters were given, but an in-painting model of this shape has {}.",
                                        parameters.size(), expected));
    return shape;
  }
  Executor& executor() const { return device_.executor(); }
  bool classifies() const { return classifier_parameters_.size() > 0; }

  /// work(chunk, first image, images) with draws of their unknown pixels in chunk.pixels, and the true ones in truth,
  /// for the images from `begin` on. `number`: of the first of all images.
  template <class Work>
  void for_chunks(const ImageView& images, int samples, long number, long begin, const ScoreProgress& progress,
                  Work work) {
    require_images(shape_, images);
    if (samples < 1) throw InvalidArgument(fmt::format("{} samples were asked for, expected at least 1.", samples));
    long capacity = images_at_once(device_, images.count(), samples);
    Chunk chunk = with_smaller_chunks(capacity, [&](long smaller) { return Chunk(*this, smaller, samples); });
    for (long at = begin; at < images.count(); at += capacity) {
      const ImageView part = images.part(at, std::min(capacity, images.count() - at));
      InpaintingModel& model = chunk.model;
      model.load(part.pixels.data(), part.count());
      model.encode_context();
      model.encode_pixels({.seed = seed_, .first = number + at}, chunk.truth.data());
      model.flow.set_count(part.count() * samples);
      const long stride = model.flow.stride(), blocks = (stride + kFlowBlock - 1) / kFlowBlock;
      launch(executor(), {.items = blocks},
             LatentDraws<float>{model.flow.points(), zero_.data(), stride, part.count() * samples, blocks,
                                (number + at) * samples, seed_, static_cast<std::uint32_t>(Stream::filter),
                                shape_.unknown()});
      model.flow.forward(model.features(samples), false);
      launch(executor(), {.items = shape_.unknown()},
             DecodePixels<float>{model.flow.points(), model.map.laws(), chunk.pixels.data(), stride});
      work(chunk, at, part.count());
      if (progress && !progress(at + part.count(), images.count())) return;
    }
  }

  Device device_;
  InpaintingShape shape_;
  PixelMap map_;
  std::uint64_t seed_;
  ClassifierShape classifier_;
  Buffer<float> parameters_, classifier_parameters_;
  Buffer<std::uint32_t> zero_;
};

Inpainter::Inpainter(const Device& device, const InpaintingShape& shape, const PixelMap& map,
                     std::span<const double> parameters, const ClassifierShape& classifier,
                     std::span<const double> classifier_parameters, std::uint64_t seed)
    : implementation_(
          std::make_unique<Implementation>(device, shape, map, parameters, classifier, classifier_parameters, seed)) {}
Inpainter::~Inpainter() = default;

Vector Inpainter::bits(const ImageView& images, long first) { return implementation_->bits(images, first); }
Array<std::uint8_t, 3> Inpainter::sample(const ImageView& images, int samples, long first) {
  return implementation_->sample(images, samples, first);
}
InpaintingScores Inpainter::score(const ImageView& images, int samples, const ScoreProgress& progress,
                                  Checkpoints* checkpoints) {
  return implementation_->score(images, samples, progress, checkpoints);
}

std::size_t inpainting_scoring_bytes(const Device& device, const InpaintingShape& shape,
                                     const ClassifierShape& classifier, long images, int samples) {
  validate(shape);
  const long at_once = images_at_once(device, images, samples), lanes = round_up(at_once * samples, kFlowStride);
  const auto parameters =
      static_cast<std::size_t>(InpaintingLayout(shape).size() + classifier_layout(classifier).size());
  return sizeof(float) * (parameters + 2 * count_of(shape.unknown() * lanes)) +
         InpaintingModel::bytes(shape, false, at_once, samples) +
         Network<float>::bytes(classifier_layout(classifier), false, lanes);
}

}  // namespace vida
