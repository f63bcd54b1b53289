#include "inference/images/epoch_trainer.hpp"

#include <Random123/philox.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "inference/images/inpainting_objective.hpp"
#include "shuffle.cuh"
#include "vida/error.hpp"

namespace vida {
namespace {

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

FlowTrainingOptions adam_options(const EpochOptions& options, long steps) {
  FlowTrainingOptions adam;
  adam.schedule = LearningSchedule::cosine;
  adam.warm_up = std::min(options.warm_up, steps / 10);
  adam.clip = options.clip;
  adam.decay = options.decay;
  return adam;
}

struct Shift {
  int down = 0, right = 0;
};

/// How far an image is shifted: in each direction the difference of two uniform numbers of 0 .. shift.
Shift shift_of(const EpochOptions& options, std::uint32_t epoch, std::uint32_t position) {
  if (options.shift == 0) return {};
  const r123::Philox4x32::key_type key{
      {static_cast<std::uint32_t>(options.seed), static_cast<std::uint32_t>(options.seed >> 32)}};
  const auto bits = r123::Philox4x32{}({{position, epoch, 0, static_cast<std::uint32_t>(Stream::augmentation)}}, key);
  const auto uniform = [&](std::size_t k) {
    return static_cast<int>(std::uint64_t{bits[k]} * (static_cast<std::uint64_t>(options.shift) + 1) >> 32);
  };
  return {uniform(0) - uniform(1), uniform(2) - uniform(3)};
}

/// to <- the image moved, with 0 where nothing was.
void copy_shifted(const ImageView& image, const Shift& shift, std::uint8_t* to) {
  for (int row = 0; row < image.rows; ++row)
    for (int column = 0; column < image.columns; ++column) {
      const int y = row - shift.down, x = column - shift.right;
      const bool inside = y >= 0 && y < image.rows && x >= 0 && x < image.columns;
      to[row * image.columns + column] = inside ? image.pixels[count_of(y * image.columns + x)] : 0;
    }
}

}  // namespace

void validate(const EpochOptions& options, long images) {
  const auto at_least = [](const char* name, long value, long least) {
    if (value < least) throw InvalidArgument(fmt::format("train.{} is {}, expected at least {}.", name, value, least));
  };
  at_least("epochs", options.epochs, 1);
  at_least("batch", options.batch, 1);
  at_least("validation", options.validation, 1);
  at_least("validate_every", options.validate_every, 1);
  at_least("warm_up", options.warm_up, 0);
  at_least("shift", options.shift, 0);
  if (images < options.validation + options.batch)
    throw InvalidArgument(
        fmt::format("there are {} training images, of which train.validation holds {} out: too few for one train.batch "
                    "of {}. Make one of the two smaller.",
                    images, options.validation, options.batch));
  for (const auto& [name, value] : {std::pair{"input_dropout", options.input_dropout}, {"dropout", options.dropout}})
    if (!(value >= 0 && value < 1))
      throw InvalidArgument(fmt::format("train.{} is {}, expected at least 0 and below 1.", name, value));
  for (const auto& [name, value, least] : {std::tuple{"decay", options.decay, 0.0}, {"clip", options.clip, 0.0}})
    if (!(value >= least) || !std::isfinite(value))
      throw InvalidArgument(fmt::format("train.{} is {}, expected a number, at least {}.", name, value, least));
  for (const auto& [name, value] : {std::pair{"step", options.step}, {"mean_weight", options.mean_weight}})
    if (!(value > 0) || !std::isfinite(value))
      throw InvalidArgument(fmt::format("train.{} is {}, expected a positive number.", name, value));
}

TrainedParameters::TrainedParameters(Executor& executor, const std::vector<double>& initial)
    : values(uploaded(executor, std::vector<float>(initial.begin(), initial.end()))),
      gradient(executor, initial.size()) {}

EpochTrainer::EpochTrainer(Executor& executor, TrainedParameters& parameters, ImageObjective& objective,
                           const ImageView& images, const EpochOptions& options, Checkpoints* checkpoints)
    : executor_(executor),
      parameters_(parameters),
      objective_(objective),
      images_(images),
      options_(options),
      held_out_(images.count() - options.validation),
      epoch_steps_(held_out_ / options.batch),
      steps_(epoch_steps_ * options.epochs),
      adam_(adam_options(options, steps_)),
      optimizer_(executor,
                 {parameters.values.data(), parameters.gradient.data(), 1, static_cast<long>(parameters.values.size())},
                 adam_, steps_, {options.step}),
      sums_(executor, options.batch),
      pixels_(count_of(options.batch * images.size())),
      labels_(count_of(options.batch)),
      best_loss_(std::numeric_limits<double>::infinity()),
      checkpoints_(checkpoints) {
  restored(found_in(checkpoints), [this](Archive& archive) { name_state(archive); });
}

/// The images of a step: an epoch is a permutation of those that are not held out.
void EpochTrainer::load(long step) {
  const auto epoch = static_cast<std::uint32_t>(step / epoch_steps_);
  const long first = step % epoch_steps_ * options_.batch;
  for (long i = 0; i < options_.batch; ++i) {
    const auto position = static_cast<std::uint32_t>(first + i);
    const long image = kernels::shuffled(options_.seed, epoch, position, static_cast<std::uint32_t>(held_out_));
    copy_shifted(images_.part(image, 1), shift_of(options_, epoch, position), pixels_.data() + i * images_.size());
    if (!images_.labels.empty()) labels_[count_of(i)] = images_.labels[count_of(image)];
  }
  objective_.load(pixels_.data(), labels_.data(), options_.batch);
}

/// The first step sets up what a recording must not; the others are its replay.
void EpochTrainer::take_step() {
  const auto work = [this] {
    objective_.differentiate({options_.seed, optimizer_.clock()});
    optimizer_.step(sums_.shards(objective_.values(), options_.batch), shards_of(options_.batch),
                    objective_.unit() / static_cast<double>(options_.batch));
  };
  load(taken_);
  if (!recording_ && warm_) recording_ = executor_.record(work);
  recording_ ? recording_->play() : work();
  warm_ = true;
  ++taken_;
}

void EpochTrainer::validate_now() {
  double sum = 0;
  for (long first = held_out_; first < images_.count(); first += options_.batch) {
    const ImageView part = images_.part(first, std::min<long>(options_.batch, images_.count() - first));
    objective_.load(part.pixels.data(), part.labels.empty() ? nullptr : part.labels.data(), part.count());
    sum += objective_.loss_sum(first);
  }
  const double loss = objective_.unit() * sum / static_cast<double>(options_.validation);
  fit_.validation.push_back(loss);
  fit_.validated_after.push_back(static_cast<double>(taken_));
  if (!(loss < best_loss_)) return;
  best_loss_ = loss;
  fit_.best_after = taken_;
  optimizer_.keep_best({1});
}

EpochFit EpochTrainer::run(const EpochProgress& progress) {
  while (taken_ < steps_) {
    take_step();
    const bool last = taken_ == steps_, epoch = taken_ % epoch_steps_ == 0;
    if (last || (epoch && taken_ / epoch_steps_ % options_.validate_every == 0)) validate_now();
    if (!epoch && !last && taken_ % 8) continue;
    if (epoch && optimizer_.flagged_at()[0] >= 0) break;  // it would stay where it is
    const double validation = fit_.validation.empty() ? std::nan("") : fit_.validation.back();
    const bool going = !progress || progress({taken_, steps_, validation, epoch});
    if (checkpoints_ && (!going || last || checkpoints_->due()))
      checkpoints_->keep(saved([this](Archive& archive) { name_state(archive); }));
    if (!going && !last) return finish(false);
  }
  return finish(true);
}

void EpochTrainer::name_state(Archive& archive) {
  archive("taken", taken_);
  optimizer_.name_state(archive);
  archive("validation", fit_.validation), archive("validated_after", fit_.validated_after);
  archive("best_loss", best_loss_), archive("best_after", fit_.best_after);
}

EpochFit EpochTrainer::finish(bool finished) {
  fit_.flagged_at = optimizer_.flagged_at()[0];
  if (std::isfinite(best_loss_)) optimizer_.restore_best({1});
  const auto values = parameters_.values.download(), losses = optimizer_.losses();
  fit_.parameters.assign(values.begin(), values.end());
  fit_.losses.assign(losses.begin(), losses.begin() + taken_);
  fit_.steps = taken_;
  fit_.finished = finished;
  return std::move(fit_);
}

std::size_t inpainting_training_bytes(const InpaintingShape& shape, const EpochOptions& options) {
  validate(shape);
  const auto parameters = static_cast<std::size_t>(InpaintingLayout(shape).size());
  return 6 * sizeof(float) * parameters + InpaintingModel::bytes(shape, true, options.batch, 1);
}

EpochFit fit_inpainting(const Device& device, const ImageView& images, const PixelMap& map,
                        const InpaintingShape& shape, const EpochOptions& options, const EpochProgress& progress,
                        Checkpoints* checkpoints) {
  validate(shape);
  require_images(shape, images);
  validate(options, images.count());
  Executor& executor = device.executor();
  TrainedParameters parameters(executor, initial_inpainting_parameters(shape, options.seed));
  InpaintingObjective objective(executor, shape, map, parameters.values.data(), parameters.gradient.data(), options);
  return EpochTrainer(executor, parameters, objective, images, options, checkpoints).run(progress);
}

}  // namespace vida
