#pragma once

#include <chrono>
#include <string>

#include "vida/checkpoint.hpp"

namespace vida::jobs {

/// Seconds since it was made.
class Seconds {
 public:
  double operator()() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// What a job leaves its state to. This one forgets: for a job that nobody goes on with.
class JobCheckpoint : public Checkpoints {
 public:
  /// Data of the run that no setting shows, the images of a folder. Throws FileError when they differ from those of the
  /// state that was found.
  virtual void identify(const std::string& /*key*/, const std::string& /*text*/) {}
  virtual double seconds_before() const { return 0; }  ///< that earlier parts of the run took
  bool due() override { return false; }
  void keep(Snapshot) override {}
};

}  // namespace vida::jobs
