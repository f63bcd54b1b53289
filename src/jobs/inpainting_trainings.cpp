#include "jobs/inpainting_trainings.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// What a training depends on: its settings and the images.
std::map<std::string, std::string> identity_of(const io::Config& config, const io::ImageSet& training) {
  std::map<std::string, std::string> identity;
  for (const io::Setting* setting : io::settings_of(config.job())) {
    const std::string section = io::section_of(setting->key);
    const bool counts = section == "mask" || section == "flow" || section == "train" || section == "classifier" ||
                        setting->key == "seed" || setting->key == "images.training";
    if (counts && setting->key != "train.checkpoint" && config.has(setting->key))
      identity[setting->key] = io::to_toml(config.at(setting->key));
  }
  uLong sum = crc32_z(0, training.pixels.data(), training.pixels.size());
  sum = crc32_z(sum, training.labels.data(), training.labels.size());
  identity["images"] = fmt::format("{} x {} x {}, CRC-32 {:08x}", training.count, training.rows, training.columns, sum);
  return identity;
}

}  // namespace

InpaintingTrainings::InpaintingTrainings(const Device& device, const io::Config& config, const InpaintingPlan& plan,
                                         io::OutputFolder& folder, const Monitor& monitor, Outcome& outcome)
    : seconds{kNaN, kNaN, kNaN},
      device_(device),
      plan_(plan),
      monitor_(monitor),
      outcome_(outcome),
      path_(folder.path() / kCheckpoint),
      every_(config.real("train.checkpoint")),
      identity_(identity_of(config, plan.training)) {
  if (!std::filesystem::exists(path_)) return;
  found_ = io::read_checkpoint(path_, identity_);
  outcome.notes.push_back(
      fmt::format("the training went on from step {} of '{}'.", found_->state.step, path_.string()));
}

std::optional<std::vector<double>> InpaintingTrainings::classifier() {
  if (found_) return classifier_ = found_->classifier_parameters;
  const Seconds elapsed;
  const EpochFit fit = fit_classifier(
      device_, plan_.training_images(), plan_.classifier, plan_.classifier_options,
      [&](const EpochStatus& status, const auto&) { return report(status, "classifier steps", elapsed()); });
  classifier_ = fit.parameters;
  seconds.classifier = elapsed();
  note_flagged(fit, "the classifier", "classifier.step");
  if (!fit.finished) return {};
  return classifier_;
}

EpochFit InpaintingTrainings::flow(const PixelMap& map) {
  const Seconds elapsed;
  double saved = 0;
  const auto progress = [&](const EpochStatus& status, const std::function<TrainingState()>& state) {
    const bool go_on = report(status, "steps", elapsed());
    if (every_ > 0 && (!go_on || status.step == status.steps || elapsed() - saved >= every_)) {
      io::write_checkpoint(path_, {identity_, state(), classifier_});
      saved = elapsed();
    }
    return go_on;
  };
  EpochFit fit = fit_inpainting(device_, plan_.training_images(), map, plan_.shape, plan_.options, progress,
                                found_ ? &found_->state : nullptr);
  seconds.training = elapsed();
  note_flagged(fit, "the flow", "train.step");
  if (!fit.finished && every_ > 0)
    outcome_.notes.push_back(
        fmt::format("the training stands in '{}'; the same command goes on from there.", path_.string()));
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
