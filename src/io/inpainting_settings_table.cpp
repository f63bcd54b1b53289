#include "io/inpainting_settings_table.hpp"

namespace vida::io {
namespace {

constexpr const char* kJobs = "p";

Setting whole(const char* key, long fallback, const char* description, double minimum) {
  return {.key = key,
          .jobs = kJobs,
          .kind = Kind::integer,
          .fallback = fallback,
          .description = description,
          .minimum = minimum};
}

Setting number(const char* key, double fallback, const char* description, bool above) {
  return {.key = key, .jobs = kJobs, .fallback = fallback, .description = description, .minimum = 0, .above = above};
}

}  // namespace

std::vector<Setting> inpainting_settings_table() {
  return {
      {.key = "precision",
       .jobs = kJobs,
       .kind = Kind::text,
       .fallback = Value(std::string("float32")),
       .description = "of the arithmetic",
       .choices = {"float32"}},
      {.key = "data",
       .jobs = kJobs,
       .kind = Kind::path,
       .fallback = Value(std::string("/usr/share/datasets/fashion-mnist")),
       .description = "folder of train-images-idx3-ubyte, train-labels-idx1-ubyte and t10k-..., each plain or .gz"},
      {.key = "weights",
       .jobs = kJobs,
       .kind = Kind::path,
       .fallback = Fallback::none("\"runs/inpainting/model.safetensors\""),
       .description = "of an earlier run, in place of a training"},

      whole("images.training", 20000, "of the training set, from the first; 0: all", 0),
      whole("images.test", 1000, "of the test set, from the first; 0: all", 0),

      whole("mask.top", 7, "first row of the unknown block, from 0", 0),
      whole("mask.left", 7, "its first column", 0),
      whole("mask.height", 14, "its rows", 1),
      whole("mask.width", 14, "its columns", 1),

      whole("flow.encoder", 512, "units of the encoder's hidden layer", 1),
      whole("flow.features", 128, "numbers that the flow sees of the known pixels", 1),
      whole("flow.layers", 6, "coupling layers", 1),
      whole("flow.hidden", 256, "units of a hidden layer", 1),
      whole("flow.depth", 2, "hidden layers of a net", 1),
      whole("flow.components", 4, "logistic laws in a mixture; 0: affine layers", 0),
      number("flow.scale_limit", 2, "bound of the log scales of a layer", true),

      whole("train.epochs", 8, "passes over the training images", 1),
      whole("train.batch", 256, "images in a step", 1),
      whole("train.validation", 2000, "training images held out to choose the best parameters by", 1),
      whole("train.validate_every", 1, "epochs between two validations", 1),
      number("train.step", 2e-3, "learning rate, falling along half a cosine", true),
      whole("train.warm_up", 100, "steps over which it rises, at most a tenth of all", 0),
      number("train.clip", 4, "largest norm of a gradient; 0 for none", false),
      number("train.decay", 0.01, "of the weights, decoupled from the gradient", false),
      number("train.input_dropout", 0.2, "of the hidden layer that sees the image", false),
      number("train.dropout", 0.1, "of the other hidden layers", false),
      whole("train.shift", 0, "pixels by which training images are moved at random, at most", 0),
      number("train.mean_weight", 4, "of the squared error of a mean that the features also have to give", true),

      whole("classifier.hidden", 512, "units of its first hidden layer; the second has half", 2),
      whole("classifier.epochs", 4, "of its training on whole images", 1),
      number("classifier.step", 1e-3, "learning rate", true),

      whole("samples.count", 100, "draws of the unknown pixels for each test image", 1),
      {.key = "samples.examples",
       .jobs = kJobs,
       .kind = Kind::indices,
       .fallback = Value(std::vector<double>{0, 1, 2, 3}),
       .description = "test images, from 0, whose draws are kept and drawn"},
  };
}

}  // namespace vida::io
