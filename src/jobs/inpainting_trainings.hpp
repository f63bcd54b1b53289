#pragma once

#include <chrono>
#include <map>
#include <optional>

#include "io/inpainting_file.hpp"
#include "jobs/inpainting_file.hpp"

namespace vida::jobs {

/// Seconds since it was made.
class Seconds {
 public:
  double operator()() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The trainings of one run of job "inpainting", with the checkpoint that they leave and go on from.
class InpaintingTrainings {
 public:
  static constexpr const char* kCheckpoint = "checkpoint.safetensors";

  /// Reads the folder's checkpoint where there is one. Throws FileError when it is of another training.
  InpaintingTrainings(const Device& device, const io::Config& config, const InpaintingPlan& plan,
                      io::OutputFolder& folder, const Monitor& monitor, Outcome& outcome);

  /// The classifier's parameters; none when it was interrupted.
  std::optional<std::vector<double>> classifier();
  EpochFit flow(const PixelMap& map);

  InpaintingSeconds seconds;

 private:
  bool report(const EpochStatus& status, const char* unit, double elapsed);
  void note_flagged(const EpochFit& fit, const char* what, const char* setting);

  const Device& device_;
  const InpaintingPlan& plan_;
  const Monitor& monitor_;
  Outcome& outcome_;
  std::filesystem::path path_;
  double every_;
  std::map<std::string, std::string> identity_;
  std::optional<io::Checkpoint> found_;
  std::vector<double> classifier_;
};

}  // namespace vida::jobs
