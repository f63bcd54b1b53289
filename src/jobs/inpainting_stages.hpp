#pragma once

#include <optional>

#include "backend/archive.hpp"
#include "io/inpainting_file.hpp"
#include "jobs/inpainting_file.hpp"

namespace vida::jobs {

/// What takes long in one run of job "inpainting", in order, with the state that it leaves and goes on from.
class InpaintingStages {
 public:
  /// Throws FileError when the checkpoint is of other images.
  InpaintingStages(const Device& device, const InpaintingPlan& plan, const Monitor& monitor, JobCheckpoint& checkpoint,
                   Outcome& outcome);

  /// The classifier's parameters; none when it was interrupted.
  std::optional<std::vector<double>> classifier();
  EpochFit flow(const PixelMap& map);
  /// Of the test images; not all of them when the outcome says that it was interrupted.
  InpaintingScores scores(Inpainter& inpainter);

  InpaintingSeconds seconds;

 private:
  bool report(const EpochStatus& status, const char* unit, double elapsed);
  void note_flagged(long step, const char* what, const char* setting);

  void name_state(Archive& archive);

  const Device& device_;
  const InpaintingPlan& plan_;
  const Monitor& monitor_;
  JobCheckpoint& checkpoint_;
  Outcome& outcome_;
  Snapshot found_;
  std::vector<double> classifier_;  // empty before it is trained
  long classifier_flagged_ = -1;
  EpochFit flow_;  // finished once it is
};

}  // namespace vida::jobs
