#pragma once

#include <optional>

#include "backend/archive.hpp"
#include "io/inpainting_file.hpp"
#include "jobs/inpainting_file.hpp"

namespace vida::jobs {

/// The trainings of one run of job "inpainting", with the state that they leave and go on from.
class InpaintingTrainings {
 public:
  /// Throws FileError when the checkpoint is of other images.
  InpaintingTrainings(const Device& device, const InpaintingPlan& plan, const Monitor& monitor,
                      JobCheckpoint& checkpoint, Outcome& outcome);

  /// The classifier's parameters; none when it was interrupted.
  std::optional<std::vector<double>> classifier();
  EpochFit flow(const PixelMap& map);

  InpaintingSeconds seconds;

 private:
  bool report(const EpochStatus& status, const char* unit, double elapsed);
  void note_flagged(const EpochFit& fit, const char* what, const char* setting);

  void name_state(Archive& archive);

  const Device& device_;
  const InpaintingPlan& plan_;
  const Monitor& monitor_;
  JobCheckpoint& checkpoint_;
  Outcome& outcome_;
  Snapshot found_;
  std::vector<double> classifier_;  // empty before it is trained
};

}  // namespace vida::jobs
