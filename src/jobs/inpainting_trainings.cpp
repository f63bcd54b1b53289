#include "jobs/inpainting_trainings.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string fingerprint(const io::ImageSet& images) {
  uLong sum = crc32_z(0, images.pixels.data(), images.pixels.size());
  sum = crc32_z(sum, images.labels.data(), images.labels.size());
  return fmt::format("{} x {} x {}, CRC-32 {:08x}", images.count, images.rows, images.columns, sum);
}

}  // namespace

InpaintingTrainings::InpaintingTrainings(const Device& device, const InpaintingPlan& plan, const Monitor& monitor,
                                         JobCheckpoint& checkpoint, Outcome& outcome)
    : seconds{kNaN, kNaN, kNaN},
      device_(device),
      plan_(plan),
      monitor_(monitor),
      checkpoint_(checkpoint),
      outcome_(outcome) {
  checkpoint.identify("training images", fingerprint(plan.training));
  found_ = checkpoint.found();
  restored(found_, [this](Archive& archive) { name_state(archive); });
}

void InpaintingTrainings::name_state(Archive& archive) {
  archive("classifier_parameters", classifier_), archive("classifier_seconds", seconds.classifier);
}

std::optional<std::vector<double>> InpaintingTrainings::classifier() {
  if (!classifier_.empty()) return classifier_;
  const Seconds elapsed;
  PartOfCheckpoints part(&checkpoint_, found_, "classifier", [this](Archive& archive) { name_state(archive); });
  const EpochFit fit = fit_classifier(
      device_, plan_.training_images(), plan_.classifier, plan_.classifier_options,
      [&](const EpochStatus& status) { return report(status, "classifier steps", elapsed()); }, &part);
  seconds.classifier = checkpoint_.seconds_before() + elapsed();
  note_flagged(fit, "the classifier", "classifier.step");
  if (!fit.finished) return {};
  return classifier_ = fit.parameters;
}

EpochFit InpaintingTrainings::flow(const PixelMap& map) {
  const Seconds elapsed;
  PartOfCheckpoints part(&checkpoint_, found_, "flow", [this](Archive& archive) { name_state(archive); });
  const bool goes_on = !found_.part("flow").empty();
  EpochFit fit = fit_inpainting(
      device_, plan_.training_images(), map, plan_.shape, plan_.options,
      [&](const EpochStatus& status) { return report(status, "steps", elapsed()); }, &part);
  const double before = goes_on ? std::max(0.0, checkpoint_.seconds_before() - seconds.classifier) : 0;
  seconds.training = before + elapsed();
  note_flagged(fit, "the flow", "train.step");
  return fit;
}

bool InpaintingTrainings::report(const EpochStatus& status, const char* unit, double elapsed) {
  const double share = static_cast<double>(status.step) / static_cast<double>(status.steps);
  const bool go_on = monitor_(
      {status.step, status.steps, unit, status.validation, elapsed, elapsed * (1 - share) / std::max(share, 1e-9)});
  outcome_.interrupted |= !go_on;
  return go_on;
}

void InpaintingTrainings::note_flagged(const EpochFit& fit, const char* what, const char* setting) {
  if (fit.flagged_at < 0) return;
  ++outcome_.flagged;
  outcome_.notes.push_back(
      fmt::format("{}: loss or gradient was not finite at step {}; its weights are the best before that. A smaller {} "
                  "may help.",
                  what, fit.flagged_at, setting));
}

}  // namespace vida::jobs
