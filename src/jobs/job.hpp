#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/config.hpp"
#include "io/files.hpp"
#include "jobs/job_checkpoint.hpp"
#include "ranks/ranks.hpp"
#include "vida/device.hpp"

namespace vida::jobs {

/// Where a job stands. Numbers that do not apply are NaN.
struct Status {
  long done = 0, total = 0;
  std::string unit;  ///< of done and total, "iterations"
  double cost = 0;
  double elapsed_seconds = 0, remaining_seconds = 0;
};

/// Hears from a running job; false asks it to finish its current step, keep what it has and return.
using Monitor = std::function<bool(const Status&)>;

/// What a job leaves behind, besides its files.
struct Outcome {
  bool usable = true;  ///< false: there was nothing to write
  long flagged = 0;    ///< problems that stopped before their end
  bool interrupted = false;
  std::string table;               ///< for people
  std::vector<std::string> notes;  ///< one line each
};

/// Each validates, computes, and writes its result as pending files of the folder; the caller commits them. A job that
/// takes long leaves its state in the checkpoint, and goes on from the one that it finds there.
Outcome learn_gain_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                       JobCheckpoint& checkpoint);
Outcome evaluate_gain_job(const Device& device, const io::Config& config, io::OutputFolder& folder,
                          const Monitor& monitor, JobCheckpoint& checkpoint);
Outcome ensemble_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                     JobCheckpoint& checkpoint);
Outcome gaussian_vi_job(const Device& device, const io::Config& config, io::OutputFolder& folder,
                        const Monitor& monitor, JobCheckpoint& checkpoint);
Outcome flow_vi_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                    JobCheckpoint& checkpoint);
Outcome amortized_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                      JobCheckpoint& checkpoint);
Outcome assimilate_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                       JobCheckpoint& checkpoint);
Outcome sweep_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                  JobCheckpoint& checkpoint, ranks::Ranks& ranks);
Outcome inpainting_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                       JobCheckpoint& checkpoint);
/// The one that config.job() names, on the first rank.
Outcome run_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                JobCheckpoint& checkpoint, ranks::Ranks& ranks);

/// The part of every other rank: it works, and leaves nothing behind.
void help_job(const Device& device, const io::Config& config, const Monitor& monitor, ranks::Ranks& ranks);
/// Throws InvalidArgument for a job that several ranks cannot share.
void require_shared(const io::Config& config, const ranks::Ranks& ranks);

}  // namespace vida::jobs
