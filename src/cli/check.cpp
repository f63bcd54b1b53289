#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <cmath>

#include "cli/device.hpp"
#include "cli/interrupt.hpp"
#include "cli/log.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "io/config.hpp"
#include "jobs/forecast.hpp"

namespace vida::cli {
namespace {

std::string size_text(double bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; bytes >= 1024 && unit < 4; ++unit) bytes /= 1024;
  return unit ? fmt::format("{:.1f} {}", bytes, kUnits[unit]) : fmt::format("{:.0f} B", bytes);
}

std::string time_text(double seconds) {
  return seconds < 10 ? fmt::format("{:.1f} s", seconds) : duration_text(seconds);
}

/// What the program takes before it has a job.
double own_bytes() {
  rusage usage{};
  return getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<double>(usage.ru_maxrss) * 1024 : 0;
}

void line(const std::string& what, const std::string& value) { fmt::print("{:<24}{}\n", what, value); }

void print_memory(const Device& device, const jobs::Forecast& forecast, double program) {
  for (const auto& one : forecast.memory)
    if (one.bytes >= 1024) line("  " + size_text(one.bytes), one.what);
  line("  " + size_text(program), "the program itself");
  const double on_device = forecast.bytes(true), on_host = forecast.bytes(false) + program;
  const double limit = static_cast<double>(device.memory_limit());
  if (device.is_cuda()) {
    line("memory of the GPU", fmt::format("{} of {} that may be planned with", size_text(on_device), size_text(limit)));
    line("memory of the host", size_text(on_host));
  } else {
    line("memory", fmt::format("{} of {} that may be planned with", size_text(on_device + on_host), size_text(limit)));
  }
}

}  // namespace

int check(const CheckOptions& options) {
  const io::Config config = io::load_config(options.config, options.settings);
  const Device device = open_device(options.device);
  const double program = own_bytes();
  const InterruptGuard guard;  // the trial takes its files away
  const jobs::Forecast forecast = jobs::forecast_job(device, config);
  if (const int signal = InterruptGuard::signal()) return 128 + signal;
  line("job", config.job());
  line("device", fmt::format("{}, {}", device.name(),
                             device.is_cuda() ? device.description() : fmt::format("{} threads", device.threads())));
  if (config.has("precision")) line("precision", config.text("precision"));
  for (const auto& [what, value] : forecast.plan) line(what, value);
  line("files", fmt::format("{}", fmt::join(forecast.files, ", ")));
  print_memory(device, forecast, program);
  if (forecast.seconds)
    line("time", fmt::format("about {}, {}; figures come on top", time_text(*forecast.seconds), forecast.how));
  if (!forecast.fits(device)) {
    log().warning(
        "this takes more memory than may be planned with, so its time was not tried. Make the batch or the problem "
        "smaller.");
    return kFlagged;
  }
  return kFinished;
}

}  // namespace vida::cli
