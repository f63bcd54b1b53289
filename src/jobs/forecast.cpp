#include "jobs/forecast.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace vida::jobs {
namespace {

/// A folder below the system's own for such things, removed with everything in it.
class ScratchFolder {
 public:
  ScratchFolder() : path_(std::filesystem::temp_directory_path() / fmt::format("vida-check-{}", ::getpid())) {}
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

double Forecast::bytes(bool on_device) const {
  double sum = 0;
  for (const Memory& one : memory)
    if (one.on_device == on_device) sum += one.bytes;
  return sum;
}

bool Forecast::fits(const Device& device) const {
  return bytes(true) + (device.is_cuda() ? 0 : bytes(false)) <= static_cast<double>(device.memory_limit());
}

double Trial::Phase::whole() const {
  if (share > first_share && share < 1) return first_seconds + seconds * (1 - first_share) / (share - first_share);
  return (first_seconds + seconds) / std::max(share, 1e-9);
}

Trial try_job(const Device& device, const io::Config& config, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const ScratchFolder scratch;
  Trial trial;
  const auto start = Clock::now();
  auto last = start, first = start;
  const auto heard = [&](const Status& status) {
    if (trial.phases.empty() || trial.phases.back().unit != status.unit) {
      Trial::Phase phase;
      phase.unit = status.unit;
      phase.first_seconds = status.elapsed_seconds;
      if (trial.phases.empty()) trial.before = since(start) - status.elapsed_seconds;
      first = Clock::now();
      trial.phases.push_back(phase);
    }
    Trial::Phase& phase = trial.phases.back();
    const double whole = status.elapsed_seconds + status.remaining_seconds;
    const bool is_first = phase.share == 0;
    phase.done = status.done, phase.total = status.total;
    phase.share = whole > 0 ? status.elapsed_seconds / whole : 1;
    if (is_first) phase.first_share = phase.share;
    last = Clock::now();
    phase.seconds = std::chrono::duration<double>(last - first).count();
    return is_first || phase.seconds < seconds;
  };
  io::OutputFolder folder(scratch.path(), true);
  JobCheckpoint forgotten;
  run_job(device, config, folder, heard, forgotten, *ranks::sole());
  trial.after = since(last);
  return trial;
}

Forecast forecast_job(const Device& device, const io::Config& config) {
  switch (io::job_letter(config.job())) {
    case 'l':
    case 'e':
      return forecast_gain(device, config);
    case 's':
      return forecast_ensemble(device, config);
    case 'd':
      return forecast_assimilation(device, config);
    case 'w':
      return forecast_sweep(device, config);
    case 'p':
      return forecast_inpainting(device, config);
    default:
      return forecast_posteriors(device, config);
  }
}

}  // namespace vida::jobs
