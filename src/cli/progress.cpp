#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/log.hpp"

namespace vida::cli {
namespace {

struct Pace {
  double per_second = 0, seconds_left = 0;
};

/// From what was done since `first`; from the whole where that is all there is.
std::optional<Pace> pace_of(const jobs::Status& status, const jobs::Status& first) {
  if (status.done <= 0 || !(status.elapsed_seconds > 0)) return {};
  if (status.done > first.done && status.elapsed_seconds > first.elapsed_seconds) {
    const double rate =
        static_cast<double>(status.done - first.done) / (status.elapsed_seconds - first.elapsed_seconds);
    return Pace{rate, static_cast<double>(status.total - status.done) / rate};
  }
  return Pace{static_cast<double>(status.done) / status.elapsed_seconds, status.remaining_seconds};
}

nlohmann::ordered_json json_of(const jobs::Status& status, const jobs::Status& first) {
  nlohmann::ordered_json json = {{"unit", status.unit}, {"done", status.done}, {"total", status.total}};
  json["elapsed_seconds"] = status.elapsed_seconds;
  if (const auto pace = pace_of(status, first)) json["remaining_seconds"] = pace->seconds_left;
  if (std::isfinite(status.cost)) json["cost"] = status.cost;
  return json;
}

}  // namespace

std::string duration_text(double seconds) {
  const long total = std::lround(std::max(0.0, seconds));
  if (total < 60) return fmt::format("{} s", total);
  if (total < 3600) return fmt::format("{} min {} s", total / 60, total % 60);
  return fmt::format("{} h {} min", total / 3600, total % 3600 / 60);
}

std::string progress_text(const jobs::Status& status, const jobs::Status& first) {
  std::string text = fmt::format("{} {}/{}", status.unit, status.done, status.total);
  if (const auto pace = pace_of(status, first))
    text += fmt::format("  {:.3g}/s  {} left", pace->per_second, duration_text(pace->seconds_left));
  if (std::isfinite(status.cost)) text += fmt::format("  cost {:.2f}", status.cost);
  return text;
}

ProgressLine::ProgressLine()
    : style_(!log().speaks(Log::Level::info)     ? Style::none
             : log().format == Log::Format::json ? Style::events
             : ::isatty(STDERR_FILENO)           ? Style::terminal
                                                 : Style::plain) {}

void ProgressLine::show(const jobs::Status& status) {
  if (style_ == Style::none) return;
  if (!first_ || first_->unit != status.unit) first_ = status;  // another part of the job
  const auto now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_).count();
  const bool last = status.done >= status.total;
  if (style_ == Style::terminal && (since > 0.1 || last)) {
    fmt::print(stderr, "\r{}\x1b[K", progress_text(status, *first_));
    std::fflush(stderr);
    open_ = true;
  } else if (style_ == Style::plain && (since > 10 || last)) {
    fmt::print(stderr, "{}\n", progress_text(status, *first_));
  } else if (style_ == Style::events && (since > 1 || last)) {
    log().event(Log::Level::info, "progress", json_of(status, *first_));
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
