#pragma once

#include <optional>
#include <string>
#include <vector>

#include "jobs/job.hpp"

namespace vida::jobs {

/// What a job would do, told before it does it.
struct Forecast {
  struct Line {
    std::string what, value;
  };
  struct Memory {
    std::string what;
    double bytes = 0;
    bool on_device = false;  ///< the device plans with it; on a CPU it is the same memory
  };

  std::vector<Line> plan;          ///< sizes, runs, cycles, chunks
  std::vector<Memory> memory;      ///< at the job's peak, without the program itself
  std::vector<std::string> files;  ///< of the result folder
  std::optional<double> seconds;   ///< without the figures; none: it was not tried
  std::string how;                 ///< where `seconds` comes from, or why there are none

  double bytes(bool on_device) const;
  /// Whether the memory that may be planned with suffices.
  bool fits(const Device& device) const;
  void add(const std::string& what, const std::string& value) { plan.push_back({what, value}); }
  void add(const std::string& what, long value) { plan.push_back({what, std::to_string(value)}); }
};

/// Checks a configuration as its job would, with the same errors, and forecasts the job. The time comes from a trial of
/// about a second; there is none when the memory does not suffice. Writes nothing that stays.
Forecast forecast_job(const Device& device, const io::Config& config);

// Each beside the plan of its job. They leave out the time when the memory does not suffice for a trial.
Forecast forecast_gain(const Device& device, const io::Config& config);
Forecast forecast_ensemble(const Device& device, const io::Config& config);
Forecast forecast_posteriors(const Device& device, const io::Config& config);
Forecast forecast_assimilation(const Device& device, const io::Config& config);
Forecast forecast_sweep(const Device& device, const io::Config& config);
Forecast forecast_inpainting(const Device& device, const io::Config& config);

/// A job that was begun, or made small and done, in a folder that is gone.
struct Trial {
  struct Phase {
    std::string unit;          ///< "iterations", "test images"
    long done = 0, total = 0;  ///< units, as far as it went
    double first_seconds = 0;  ///< from its begin to its first report
    double seconds = 0;        ///< from there to the last report
    double first_share = 0;    ///< of its work, done at the first report
    double share = 0;          ///< done at the last one

    /// What the whole phase would take.
    double whole() const;
  };
  std::vector<Phase> phases;
  double before = 0;  ///< seconds until the first report
  double after = 0;   ///< from the last report to the end: scores and files
};

/// Runs the job until its monitor has heard of a phase for `seconds`, and lets it finish as after an interruption.
Trial try_job(const Device& device, const io::Config& config, double seconds);

}  // namespace vida::jobs
