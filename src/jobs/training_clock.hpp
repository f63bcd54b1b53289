#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

#include "jobs/job.hpp"

namespace vida::jobs {

/// Tells the monitor where a training of `steps` stands; counts the seconds and hears an interruption.
class TrainingClock {
 public:
  TrainingClock(const Monitor& monitor, long steps, Outcome& outcome)
      : monitor_(monitor), steps_(steps), outcome_(outcome) {}

  /// share: done of all, 0 .. 1. False asks the training to stop.
  bool report(double share, double cost) {
    const double elapsed = seconds();
    const long done = std::lround(share * static_cast<double>(steps_));
    const bool go_on = monitor_({done, steps_, "steps", cost, elapsed, elapsed * (1 - share) / std::max(share, 1e-9)});
    outcome_.interrupted |= !go_on && share < 1;
    return go_on;
  }
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  const Monitor& monitor_;
  long steps_;
  Outcome& outcome_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace vida::jobs
