#pragma once

#include <algorithm>
#include <cmath>

#include "jobs/job.hpp"

namespace vida::jobs {

/// Tells the monitor where a training of `steps` stands; counts the seconds and hears an interruption.
class TrainingClock {
 public:
  /// `before`: seconds that earlier parts of the training took.
  TrainingClock(const Monitor& monitor, long steps, double before, Outcome& outcome)
      : monitor_(monitor), steps_(steps), before_(before), outcome_(outcome) {}

  /// share: done of all, 0 .. 1. False asks the training to stop.
  bool report(double share, double cost) {
    const double elapsed = elapsed_();
    const long done = std::lround(share * static_cast<double>(steps_));
    const bool go_on = monitor_({done, steps_, "steps", cost, elapsed, elapsed * (1 - share) / std::max(share, 1e-9)});
    outcome_.interrupted |= !go_on && share < 1;
    return go_on;
  }
  double seconds() const { return before_ + elapsed_(); }

 private:
  const Monitor& monitor_;
  long steps_;
  double before_;
  Outcome& outcome_;
  Seconds elapsed_;
};

}  // namespace vida::jobs
