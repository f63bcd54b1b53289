#pragma once

#include <functional>
#include <optional>

#include "vida/checkpoint.hpp"
#include "vida/flow_training.hpp"
#include "vida/mixture_flow.hpp"
#include "vida/pixel_map.hpp"

namespace vida {

/// Grey images of a byte a pixel, [image, row, column], and a class for each where they have one.
struct ImageView {
  std::span<const std::uint8_t> pixels;
  std::span<const std::uint8_t> labels = {};
  int rows = 0, columns = 0;

  int size() const { return rows * columns; }
  long count() const { return size() ? std::ssize(pixels) / size() : 0; }
  ImageView part(long first, long images) const;
};

/// The rectangle of an image that is unknown; everything around it is the context.
struct ImageBlock {
  int top = 7, left = 7, height = 14, width = 14;
};

/// q(unknown pixels | known pixels): a mixture flow on numbers that a PixelMap makes of the unknown pixels, whose
/// context is what an encoder of the known ones gives.
struct InpaintingShape {
  int rows = 28, columns = 28;
  ImageBlock block;
  int encoder = 1024;  ///< units of the encoder's hidden layer
  int features = 256;  ///< units of its last layer: the context of the flow
  int layers = 6;      ///< of the flow, with image_splits of the block
  int hidden = 512, depth = 2, components = 4;
  double scale_limit = 2;

  int unknown() const { return block.height * block.width; }
  int known() const { return rows * columns - unknown(); }
  std::vector<int> unknown_pixels() const;
  std::vector<int> known_pixels() const;
  MixtureFlowShape flow() const;
};

/// Throws InvalidArgument when the block does not lie in the images, or is a pixel or the whole of them.
void validate_block(const InpaintingShape& shape);

/// The map of the unknown pixels over these images. Throws InvalidArgument for images of another size than the shape's.
PixelMap pixel_map_of(const ImageView& images, const InpaintingShape& shape);

/// The parameters in order, named encoder.{k}.{weight|bias}, head.0.{weight|bias}, params.layers.{i}.{k}.{weight|bias}.
std::vector<FlowTensor> inpainting_tensors(const InpaintingShape& shape);

/// Training in single precision and epochs over images that are shuffled anew in each; the last `validation` of them
/// are held out.
struct EpochOptions {
  int epochs = 20;
  int batch = 256;
  long validation = 5000;      ///< images held out; the parameters with the lowest loss on them are the result
  int validate_every = 1;      ///< epochs
  double step = 2e-3;          ///< Adam's learning rate, down to 0 along half a cosine
  long warm_up = 200;          ///< steps over which it rises, at most a tenth of all
  double decay = 0.01;         ///< decoupled weight decay
  double clip = 4;             ///< largest norm of a gradient; 0: any
  double input_dropout = 0.2;  ///< of the first hidden layer, which sees the image
  double dropout = 0.1;        ///< of the others
  int shift = 0;               ///< pixels by which images are shifted at random, at most
  double mean_weight = 4;      ///< in-painting: of the squared error of a mean that the features also have to give
  std::uint64_t seed = 0;
};

struct EpochFit {
  std::vector<double> parameters;
  std::vector<double> losses;  ///< of each step
  std::vector<double> validation, validated_after;
  long steps = 0;        ///< taken, those before a checkpoint too
  long best_after = 0;   ///< steps that led to `parameters`
  long flagged_at = -1;  ///< step whose loss or gradient was not finite: where it ended
  bool finished = true;  ///< false: `progress` stopped it
};

/// Hears from a training and may stop it by returning false.
struct EpochStatus {
  long step = 0, steps = 0;
  double validation = 0;  ///< latest loss on the images held out; NaN before the first
  bool epoch_ended = false;
};
using EpochProgress = std::function<bool(const EpochStatus&)>;

/// Trains q on the images by forward KL: the mean over images of -log q of the unknown pixels, dequantised anew in
/// every step, in bits for each pixel. Throws InvalidArgument for images of another size than the shape's, and for
/// options that cannot be. Device memory: 6 parameter vectors and the activations of a batch; the images stay on the
/// host.
EpochFit fit_inpainting(const Device& device, const ImageView& images, const PixelMap& map,
                        const InpaintingShape& shape, const EpochOptions& options, const EpochProgress& progress = {},
                        Checkpoints* checkpoints = nullptr);

/// Device memory that such a training takes.
std::size_t inpainting_training_bytes(const InpaintingShape& shape, const EpochOptions& options);

/// A classifier of whole images: a network with two hidden layers and softmax.
struct ClassifierShape {
  int pixels = 784;
  std::vector<int> hidden = {512, 256};
  int classes = 10;
};
std::vector<FlowTensor> classifier_tensors(const ClassifierShape& shape);
/// Trains it by cross entropy, in nats. Throws InvalidArgument for labels that are missing or not below `classes`.
EpochFit fit_classifier(const Device& device, const ImageView& images, const ClassifierShape& shape,
                        const EpochOptions& options, const EpochProgress& progress = {},
                        Checkpoints* checkpoints = nullptr);
/// Probabilities [image, class].
Matrix classify(const Device& device, const ClassifierShape& shape, std::span<const double> parameters,
                const ImageView& images);

/// How q does on images, from `samples` draws of each at temperature 1.
struct InpaintingScores {
  Vector bits;                ///< [image] -log2 q of the dequantised unknown pixels, a pixel
  Array<float, 2> mean;       ///< [image, unknown] of the bytes
  Array<float, 2> deviation;  ///< [image, unknown]
  Array<float, 2> rank;       ///< [image, unknown] draws below the true dequantised pixel
  Matrix probability;         ///< [image, class]: the classifier's on completed images, mean over the draws
};

/// Called after each chunk of images; false stops.
using ScoreProgress = std::function<bool(long done, long images)>;

class Inpainter {
 public:
  /// `classifier` parameters may be empty: no probabilities.
  Inpainter(const Device& device, const InpaintingShape& shape, const PixelMap& map, std::span<const double> parameters,
            const ClassifierShape& classifier, std::span<const double> classifier_parameters, std::uint64_t seed);
  ~Inpainter();

  /// -log2 q of each image's unknown pixels, dequantised with fixed uniforms, in bits a pixel.
  Vector bits(const ImageView& images, long first = 0);
  /// Draws of the unknown pixels, [image, sample, unknown] bytes. `first`: number of the first image, which decides
  /// its random numbers.
  Array<std::uint8_t, 3> sample(const ImageView& images, int samples, long first = 0);
  InpaintingScores score(const ImageView& images, int samples, const ScoreProgress& progress = {},
                         Checkpoints* checkpoints = nullptr);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Device memory that Inpainter::score() takes.
std::size_t inpainting_scoring_bytes(const Device& device, const InpaintingShape& shape,
                                     const ClassifierShape& classifier, long images, int samples);

}  // namespace vida
