#include <fmt/format.h>

#include <algorithm>

#include "jobs/forecast.hpp"
#include "jobs/inpainting_plan.hpp"

namespace vida::jobs {
namespace {

constexpr double kTrialSeconds = 1e9;  // the job that is made small ends by itself
constexpr long kTrialSteps = 8;        // of each training
constexpr long kTrialImages = 64;      // of the test set

double number(long value) { return static_cast<double>(value); }

/// A training in so many steps, which hold out `validation` images every `every` epochs. A pass backward takes about as
/// long as two forward, so that a validation counts a third of its batches.
struct Steps {
  long steps = 0;
  double equivalent = 0;
};
Steps steps_of(long images, const EpochOptions& options) {
  const long each = (images - options.validation) / options.batch, steps = each * options.epochs;
  const double validations = number(options.epochs) / options.validate_every;
  return {steps, number(steps) + validations * number(options.validation) / number(options.batch) / 3};
}

/// The same job on few images.
io::Config small_job(const io::Config& config, const InpaintingPlan& plan) {
  io::Config small = config;
  const long batch = plan.options.batch, images = batch * (kTrialSteps + 1);
  small.give("train.epochs", 1L), small.give("classifier.epochs", 1L);
  small.give("train.validation", batch);
  small.give("images.training", std::min(images, plan.training.count));
  small.give("images.test", std::min(kTrialImages, plan.test.count));
  small.give("samples.examples", std::vector<double>{0});
  return small;
}

const Trial::Phase* phase(const Trial& trial, const std::string& unit) {
  const auto found =
      std::find_if(trial.phases.begin(), trial.phases.end(), [&](const auto& one) { return one.unit == unit; });
  return found == trial.phases.end() ? nullptr : &*found;
}

double seconds_of(const Trial::Phase& phase) { return phase.first_seconds + phase.seconds; }

double estimate(const Device& device, const io::Config& config, const InpaintingPlan& plan) {
  const io::Config small = small_job(config, plan);
  const InpaintingPlan tried = make_inpainting_plan(small);
  const Trial trial = try_job(device, small, kTrialSeconds);
  double seconds = trial.before;
  const auto training = [&](const char* unit, const EpochOptions& options, const EpochOptions& of_trial) {
    const Trial::Phase* steps = phase(trial, unit);
    if (!steps) return;
    seconds += seconds_of(*steps) * steps_of(plan.training.count, options).equivalent /
               steps_of(tried.training.count, of_trial).equivalent;
  };
  training("classifier steps", plan.classifier_options, tried.classifier_options);
  training("steps", plan.options, tried.options);
  if (const auto* images = phase(trial, "test images"))
    seconds += seconds_of(*images) * number(plan.test.count) / number(tried.test.count);
  // the linear-Gaussian law goes over all training images, the rest of the end over the test images
  return seconds + trial.after * number(plan.training.count) / number(tried.training.count);
}

}  // namespace

Forecast forecast_inpainting(const Device& device, const io::Config& config) {
  const InpaintingPlan plan = make_inpainting_plan(config);
  const bool trains = !config.has("weights");
  const long pixels = plan.training.rows * plan.training.columns;
  Forecast forecast;
  forecast.add("training images",
               fmt::format("{} of {} x {}", plan.training.count, plan.training.rows, plan.training.columns));
  forecast.add("test images", fmt::format("{}, {} draws of each", plan.test.count, plan.samples));
  forecast.add("unknown pixels", plan.shape.unknown());
  long parameters = 0;
  for (const FlowTensor& tensor : inpainting_tensors(plan.shape)) {
    long size = 1;
    for (const long extent : tensor.extents) size *= extent;
    parameters += size;
  }
  forecast.add("parameters", parameters);
  const Steps steps = steps_of(plan.training.count, plan.options);
  if (trains) {
    forecast.add("classifier", fmt::format("{} steps", steps_of(plan.training.count, plan.classifier_options).steps));
    forecast.add("training", fmt::format("{} steps of {} images in {} epochs", steps.steps, plan.options.batch,
                                         plan.options.epochs));
  }
  const double training = trains ? static_cast<double>(inpainting_training_bytes(plan.shape, plan.options)) : 0;
  const double scoring =
      static_cast<double>(inpainting_scoring_bytes(device, plan.shape, plan.classifier, plan.test.count, plan.samples));
  forecast.memory.push_back({"training, then scoring", std::max(training, scoring), true});
  forecast.memory.push_back({"images", static_cast<double>(plan.training.pixels.size() + plan.test.pixels.size())});
  forecast.memory.push_back({"weights on the host", 2 * sizeof(double) * number(parameters)});
  // five vectors of a training: gathered, and put into the file's tensors
  forecast.memory.push_back({trains ? "a checkpoint as it is written" : "the model as it is written",
                             (trains ? 2 * 5 * sizeof(float) : 2 * sizeof(double)) * number(parameters)});
  const double scores = number(plan.test.count) * number(plan.shape.unknown());
  forecast.memory.push_back({"scores of each unknown pixel", scores * (3 * sizeof(float) + sizeof(double))});
  forecast.memory.push_back(
      {"examples", number(std::ssize(plan.examples)) * plan.samples * number(pixels) * sizeof(double)});
  const double known = number(plan.shape.known()), all = number(pixels);
  forecast.memory.push_back({"linear-Gaussian law", (2 * all * all + known * known) * sizeof(double)});
  forecast.files = {"result.nc", "model.safetensors", "summary.json", "config.toml", "figures/"};
  if (trains) forecast.files.push_back("checkpoint.safetensors, until the end");
  if (!forecast.fits(device)) return forecast;
  forecast.seconds = estimate(device, config, plan);
  forecast.how = fmt::format("from {} steps of each training and {} test images", kTrialSteps,
                             std::min(kTrialImages, plan.test.count));
  return forecast;
}

}  // namespace vida::jobs
