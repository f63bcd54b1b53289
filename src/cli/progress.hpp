#pragma once

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

#include "jobs/job.hpp"

namespace vida::cli {

/// One line about a running job on stderr: rewritten in place on a terminal, a plain line every ten seconds elsewhere,
/// an event every second in a log for programs; nothing where the log does not tell of progress.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine() { finish(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const jobs::Status& status);
  /// Ends the line, so that what is printed next starts on a new one.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Style { none, terminal, plain, events };
  Style style_;
  Clock::time_point last_ = Clock::now();
  bool open_ = false;  // the cursor stands on a progress line
  std::optional<jobs::Status> first_;
};

/// "iteration 40/100  31.2 iterations/s  2 s left  cost 64711.20"
/// `first`: the earliest status of this process; a run that goes on has not done all of it here.
std::string progress_text(const jobs::Status& status, const jobs::Status& first);
/// "45 s", "2 min 5 s", "3 h 12 min"
std::string duration_text(double seconds);

}  // namespace vida::cli
