#pragma once

namespace vida::cli {

/// Catches SIGINT and SIGTERM while it lives: the first one is remembered so that the job can finish its step, a second
/// one ends the program at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// The signal that came, 0 for none.
  static int signal();
};

}  // namespace vida::cli
