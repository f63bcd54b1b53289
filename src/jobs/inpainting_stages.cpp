#include "jobs/inpainting_stages.hpp"

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

InpaintingStages::InpaintingStages(const Device& device, const InpaintingPlan& plan, const Monitor& monitor,
                                   JobCheckpoint& checkpoint, Outcome& outcome)
    : seconds{kNaN, kNaN, kNaN},
      device_(device),
      plan_(plan),
      monitor_(monitor),
      checkpoint_(checkpoint),
      outcome_(outcome) {
  flow_.finished = false;
  checkpoint.identify("training images", fingerprint(plan.training));
  checkpoint.identify("test images", fingerprint(plan.test));
  found_ = checkpoint.found();
  restored(found_, [this](Archive& archive) { name_state(archive); });
}

void InpaintingStages::name_state(Archive& archive) {
  archive("classifier_parameters", classifier_), archive("classifier_seconds", seconds.classifier);
  archive("classifier_flagged_at", classifier_flagged_), archive("flow_finished", flow_.finished);
  if (!flow_.finished) return;
  archive("flow_parameters", flow_.parameters), archive("flow_losses", flow_.losses);
  archive("flow_validation", flow_.validation), archive("flow_validated_after", flow_.validated_after);
  archive("flow_best_after", flow_.best_after), archive("flow_steps", flow_.steps);
  archive("flow_flagged_at", flow_.flagged_at), archive("flow_seconds", seconds.training);
  archive("sampling_seconds", seconds.sampling);
}

std::optional<std::vector<double>> InpaintingStages::classifier() {
  const auto note = [&] { note_flagged(classifier_flagged_, "the classifier", "classifier.step"); };
  if (!classifier_.empty()) return note(), classifier_;
  const Seconds elapsed;
  PartOfCheckpoints part(&checkpoint_, found_, "classifier", [this](Archive& archive) { name_state(archive); });
  const EpochFit fit = fit_classifier(
      device_, plan_.training_images(), plan_.classifier, plan_.classifier_options,
      [&](const EpochStatus& status) { return report(status, "classifier steps", elapsed()); }, &part);
  seconds.classifier = checkpoint_.seconds_before() + elapsed();
  classifier_flagged_ = fit.flagged_at;
  note();
  if (!fit.finished) return {};
  return classifier_ = fit.parameters;
}

EpochFit InpaintingStages::flow(const PixelMap& map) {
  const auto note = [&](const EpochFit& fit) { note_flagged(fit.flagged_at, "the flow", "train.step"); };
  if (flow_.finished) return note(flow_), flow_;
  const Seconds elapsed;
  PartOfCheckpoints part(&checkpoint_, found_, "flow", [this](Archive& archive) { name_state(archive); });
  const bool goes_on = !found_.part("flow").empty();
  EpochFit fit = fit_inpainting(
      device_, plan_.training_images(), map, plan_.shape, plan_.options,
      [&](const EpochStatus& status) { return report(status, "steps", elapsed()); }, &part);
  const double before = goes_on ? std::max(0.0, checkpoint_.seconds_before() - seconds.classifier) : 0;
  seconds.training = before + elapsed();
  note(fit);
  if (fit.finished) flow_ = fit;
  return fit;
}

InpaintingScores InpaintingStages::scores(Inpainter& inpainter) {
  const Seconds elapsed;
  PartOfCheckpoints part(&checkpoint_, found_, "scores", [this](Archive& archive) { name_state(archive); });
  const double before = std::isnan(seconds.sampling) ? 0 : seconds.sampling;
  long begun = -1;
  auto scores = inpainter.score(
      plan_.test_images(), plan_.samples,
      [&](long done, long images) {
        if (begun < 0) begun = done;  // the first chunk tells no pace
        const auto left = static_cast<double>(images - done), here = static_cast<double>(done - begun);
        seconds.sampling = before + elapsed();
        const bool go_on =
            monitor_({done, images, "test images", kNaN, elapsed(), here > 0 ? elapsed() * left / here : kNaN});
        outcome_.interrupted |= !go_on;
        return go_on;
      },
      &part);
  seconds.sampling = before + elapsed();
  return scores;
}

bool InpaintingStages::report(const EpochStatus& status, const char* unit, double elapsed) {
  const double share = static_cast<double>(status.step) / static_cast<double>(status.steps);
  const bool go_on = monitor_(
      {status.step, status.steps, unit, status.validation, elapsed, elapsed * (1 - share) / std::max(share, 1e-9)});
  outcome_.interrupted |= !go_on;
  return go_on;
}

void InpaintingStages::note_flagged(long step, const char* what, const char* setting) {
  if (step < 0) return;
  ++outcome_.flagged;
  outcome_.notes.push_back(
      fmt::format("{}: loss or gradient was not finite at step {}; its weights are the best before that. A smaller {} "
                  "may help.",
                  what, step, setting));
}

}  // namespace vida::jobs
