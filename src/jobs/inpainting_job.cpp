#include <fmt/format.h>
#include <sys/resource.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "io/inpainting_file.hpp"
#include "jobs/inpainting_file.hpp"
#include "jobs/inpainting_stages.hpp"
#include "jobs/results.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The model of another run; the configuration must describe the same one.
io::SavedInpainting saved_model(const io::Config& config, const InpaintingPlan& plan) {
  io::SavedInpainting model = io::read_inpainting(config.text("weights"), "weights");
  if (model.shape.unknown_pixels() != plan.shape.unknown_pixels() || model.shape.rows != plan.shape.rows ||
      model.shape.columns != plan.shape.columns)
    throw InvalidArgument(
        fmt::format("weights: '{}' was trained for images of {} x {} pixels with a block of {} x {} at row {}, column "
                    "{}; set mask and data to the same.",
                    config.text("weights"), model.shape.rows, model.shape.columns, model.shape.block.height,
                    model.shape.block.width, model.shape.block.top, model.shape.block.left));
  return model;
}

nlohmann::ordered_json summarize(const Device& device, const io::Config& config, const InpaintingPlan& plan,
                                 const io::SavedInpainting& model, const EpochFit& fit, const InpaintingReport& report,
                                 const InpaintingSeconds& seconds) {
  auto summary = summary_header(config, device);
  summary["training_images"] = plan.training.count;
  summary["test_images"] = plan.test.count;
  summary["unknown_pixels"] = plan.shape.unknown();
  summary["parameters"] = std::ssize(model.parameters);
  summary["steps"] = fit.steps;
  summary["best_after"] = fit.best_after;
  summary["bits_per_pixel"] = number(report.bits.value);
  summary["bits_per_pixel_error"] = number(report.bits.standard_error);
  summary["psnr"] = number(report.psnr);
  summary["class_log_loss"] = number(report.log_loss.value);
  summary["class_log_loss_error"] = number(report.log_loss.standard_error);
  summary["class_accuracy"] = report.accuracy;
  summary["coverage_50"] = report.half;
  summary["coverage_50_nominal"] = report.half_nominal;
  summary["coverage_90"] = report.most;
  summary["coverage_90_nominal"] = report.most_nominal;
  summary["classifier_log_loss"] = number(report.true_log_loss);
  summary["classifier_accuracy"] = report.true_accuracy;
  summary["linear_gaussian_bits_per_pixel"] = number(report.linear_bits);
  summary["linear_gaussian_psnr"] = number(report.linear_psnr);
  summary["mean_image_psnr"] = number(report.mean_psnr);
  summary["draws"] = plan.samples;
  summary["seconds_classifier"] = number(seconds.classifier);
  summary["seconds_training"] = number(seconds.training);
  summary["seconds_sampling"] = number(seconds.sampling);
  summary["draws_per_second"] = number(static_cast<double>(plan.test.count) * plan.samples / seconds.sampling);
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) summary["peak_memory_bytes"] = usage.ru_maxrss * 1024L;
  return summary;
}

void note_weakness(const InpaintingReport& report, Outcome& outcome) {
  if (!(report.bits.value < report.linear_bits))
    outcome.notes.push_back(
        "the flow is no better than a linear-Gaussian law. More train.epochs or images.training may help.");
  if (std::abs(report.most - report.most_nominal) > 0.05)
    outcome.notes.push_back(
        fmt::format("the flow is not calibrated: {:.1f} % of the true pixels lie in their central {:.1f} % intervals. "
                    "More images.training or train.dropout may help.",
                    100 * report.most, 100 * report.most_nominal));
}

}  // namespace

Outcome inpainting_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                       JobCheckpoint& checkpoint) {
  InpaintingPlan plan = make_inpainting_plan(config);
  Outcome outcome;
  EpochFit fit;
  const bool trains = !config.has("weights");
  InpaintingStages stages(device, plan, monitor, checkpoint, outcome);
  const auto model = [&]() -> std::optional<io::SavedInpainting> {
    if (!trains) {
      auto saved = saved_model(config, plan);
      plan.classifier = saved.classifier;
      return saved;
    }
    const auto classifier = stages.classifier();
    if (!classifier) return {};
    const PixelMap map = pixel_map_of(plan.fitted_images(), plan.shape);
    fit = stages.flow(map);
    if (!fit.finished) return {};
    return io::SavedInpainting{plan.shape, map, fit.parameters, plan.classifier, *classifier};
  }();
  if (!model) {
    outcome.usable = false;
    return outcome;
  }

  Inpainter inpainter(device, model->shape, model->map, model->parameters, model->classifier,
                      model->classifier_parameters, plan.options.seed);
  auto scores = stages.scores(inpainter);
  if (outcome.interrupted) {
    outcome.usable = false;
    return outcome;
  }
  const auto report = report_of(plan, std::move(scores),
                                classify(device, model->classifier, model->classifier_parameters, plan.test_images()));
  Array<std::uint8_t, 3> drawn({std::ssize(plan.examples), plan.samples, plan.shape.unknown()});
  for (long e = 0; e < std::ssize(plan.examples); ++e) {
    const long image = plan.examples[static_cast<std::size_t>(e)];
    const auto one = inpainter.sample(plan.test_images().part(image, 1), plan.samples, image);
    std::copy(one.begin(), one.end(), &drawn(e, 0, 0));
  }
  note_weakness(report, outcome);
  outcome.table = inpainting_table(plan, report, stages.seconds);
  write_inpainting_result(folder.pending("result.nc"), device, config, plan, fit, report, drawn);
  io::write_inpainting(folder.pending("model.safetensors"), *model);
  write_summary(folder, config, outcome, summarize(device, config, plan, *model, fit, report, stages.seconds));
  return outcome;
}

}  // namespace vida::jobs
