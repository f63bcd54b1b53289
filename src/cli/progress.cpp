#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>

namespace vida::cli {

std::string duration_text(double seconds) {
  const long total = std::lround(std::max(0.0, seconds));
  if (total < 60) return fmt::format("{} s", total);
  if (total < 3600) return fmt::format("{} min {} s", total / 60, total % 60);
  return fmt::format("{} h {} min", total / 3600, total % 3600 / 60);
}

std::string progress_text(const jobs::Status& status) {
  std::string text = fmt::format("{} {}/{}", status.unit, status.done, status.total);
  if (status.done > 0 && status.elapsed_seconds > 0)
    text += fmt::format("  {:.3g}/s  {} left", static_cast<double>(status.done) / status.elapsed_seconds,
                        duration_text(status.remaining_seconds));
  if (std::isfinite(status.cost)) text += fmt::format("  cost {:.2f}", status.cost);
  return text;
}

ProgressLine::ProgressLine(bool quiet)
    : style_(quiet                     ? Style::none
             : ::isatty(STDERR_FILENO) ? Style::terminal
                                       : Style::plain) {}

void ProgressLine::show(const jobs::Status& status) {
  if (style_ == Style::none) return;
  const auto now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_).count();
  const bool last = status.done >= status.total;
  if (style_ == Style::terminal && (since > 0.1 || last)) {
    fmt::print(stderr, "\r{}\x1b[K", progress_text(status));
    std::fflush(stderr);
    open_ = true;
  } else if (style_ == Style::plain && (since > 10 || last)) {
    fmt::print(stderr, "{}\n", progress_text(status));
  } else {
    return;
  }
  last_ = now;
}

void ProgressLine::finish() {
  if (open_) fmt::print(stderr, "\n");
  open_ = false;
}

}  // namespace vida::cli
