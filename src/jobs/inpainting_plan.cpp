#include "jobs/inpainting_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vida/error.hpp"

namespace vida::jobs {
namespace {

constexpr long kLargest = 1 << 20;  // of a size: sums and products of two fit

int size_of(const io::Config& config, const std::string& key) {
  const long value = config.integer(key);
  if (value > kLargest)
    throw InvalidArgument(fmt::format("{} = {}: expected a whole number, at most {}.", key, value, kLargest));
  return static_cast<int>(value);
}

/// One part of the data set.
io::ImageSet images_of(const io::Config& config, const std::string& part, const std::string& limit) {
  try {
    io::ImageSet set = io::read_image_set(config.text("data"), part, config.integer(limit));
    if (set.pixels.empty())
      throw FileError(fmt::format("'{}' holds no {} images: {} of {} x {} pixels.", config.text("data"), part,
                                  set.count, set.rows, set.columns));
    return set;
  } catch (const FileError& error) {
    const bool own = config.given("data");
    throw FileError(fmt::format("data: {}{}", error.what(),
                                own ? ""
                                    : " Install Debian's dataset-fashion-mnist, or set data to a folder with MNIST or "
                                      "other images in IDX files."));
  }
}

EpochOptions training_options(const io::Config& config) {
  EpochOptions options;
  options.epochs = size_of(config, "train.epochs");
  options.batch = size_of(config, "train.batch");
  options.validation = size_of(config, "train.validation");
  options.validate_every = size_of(config, "train.validate_every");
  options.step = config.real("train.step");
  options.warm_up = config.integer("train.warm_up");
  options.decay = config.real("train.decay");
  options.clip = config.real("train.clip");
  options.input_dropout = config.real("train.input_dropout");
  options.dropout = config.real("train.dropout");
  options.shift = size_of(config, "train.shift");
  options.mean_weight = config.real("train.mean_weight");
  options.seed = static_cast<std::uint64_t>(config.integer("seed"));
  return options;
}

std::vector<long> example_images(const io::Config& config, long images) {
  std::vector<long> examples;
  for (const double index : std::get<std::vector<double>>(config.at("samples.examples"))) {
    const long image = static_cast<long>(index);
    if (image >= images)
      throw InvalidArgument(
          fmt::format("samples.examples: there is no test image {}; expected 0 .. {}.", image, images - 1));
    if (std::find(examples.begin(), examples.end(), image) != examples.end())
      throw InvalidArgument(fmt::format("samples.examples names test image {} twice.", image));
    examples.push_back(image);
  }
  return examples;
}

}  // namespace

ImageView InpaintingPlan::view(const io::ImageSet& set) {
  return {set.pixels, set.labels, static_cast<int>(set.rows), static_cast<int>(set.columns)};
}

ImageView InpaintingPlan::fitted_images() const {
  return training_images().part(0, training.count - options.validation);
}

InpaintingPlan make_inpainting_plan(const io::Config& config) {
  InpaintingPlan plan;
  plan.training = images_of(config, "train", "images.training");
  plan.test = images_of(config, "t10k", "images.test");
  if (plan.training.rows != plan.test.rows || plan.training.columns != plan.test.columns)
    throw InvalidArgument(
        fmt::format("data: the training images have {} x {} pixels, but the test images {} x {}; expected one size.",
                    plan.training.rows, plan.training.columns, plan.test.rows, plan.test.columns));
  const auto whole = [&](const char* key) { return size_of(config, key); };
  plan.shape = {.rows = static_cast<int>(plan.training.rows),
                .columns = static_cast<int>(plan.training.columns),
                .block = {whole("mask.top"), whole("mask.left"), whole("mask.height"), whole("mask.width")},
                .encoder = whole("flow.encoder"),
                .features = whole("flow.features"),
                .layers = whole("flow.layers"),
                .hidden = whole("flow.hidden"),
                .depth = whole("flow.depth"),
                .components = whole("flow.components"),
                .scale_limit = config.real("flow.scale_limit")};
  inpainting_tensors(plan.shape);  // refuses a block that does not fit
  plan.options = training_options(config);
  const int classes = *std::max_element(plan.training.labels.begin(), plan.training.labels.end()) + 1;
  const int hidden = whole("classifier.hidden");
  plan.classifier = {
      .pixels = plan.shape.rows * plan.shape.columns, .hidden = {hidden, hidden / 2}, .classes = classes};
  plan.classifier_options = plan.options;
  plan.classifier_options.epochs = whole("classifier.epochs");
  plan.classifier_options.step = config.real("classifier.step");
  plan.samples = whole("samples.count");
  plan.examples = example_images(config, plan.test.count);
  if (plan.training.count < plan.options.validation + plan.options.batch)
    throw InvalidArgument(fmt::format(
        "there are {} training images, of which train.validation holds {} out: too few for one train.batch of {}. "
        "Make one of the two smaller.",
        plan.training.count, plan.options.validation, plan.options.batch));
  return plan;
}

}  // namespace vida::jobs
