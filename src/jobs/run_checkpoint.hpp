#pragma once

#include <functional>
#include <optional>
#include <string>

#include "io/checkpoint.hpp"
#include "io/config.hpp"
#include "io/files.hpp"
#include "jobs/job_checkpoint.hpp"
#include "vida/device.hpp"

namespace vida::jobs {

/// When a run leaves its state.
struct CheckpointOptions {
  double seconds = 60;  ///< so long after the last time; 0: only when it is interrupted
  long steps = 0;       ///< also after so many steps at which the job can be left; 0: not by count
};

/// The checkpoint of one run in the folder of its result: the file is there from the run's start to its end, so that
/// whatever stops the run, "vida run --resume" goes on.
class RunCheckpoint final : public JobCheckpoint {
 public:
  static constexpr const char* kFile = "checkpoint.safetensors";
  /// Who hears of what befalls the file.
  struct Listener {
    std::function<void(const std::string&)> warn, debug;
  };

  /// The checkpoint in `folder`, with what is needed to run it again. None when there is none. Throws FileError.
  static std::optional<io::Checkpoint> in(const std::filesystem::path& folder);
  /// The configuration that a checkpoint was made for.
  static io::ConfigSource source_of(const io::Checkpoint& checkpoint);

  /// Begins a run, or goes on with `found`. Throws FileError when `found` is of another configuration or of other input
  /// files. The listener is warned when a state cannot be written; the run then goes on, and the last state stays.
  RunCheckpoint(io::OutputFolder& folder, const io::ConfigSource& source, const io::Config& config,
                const Device& device, const CheckpointOptions& options, std::optional<io::Checkpoint> found,
                Listener listener);
  /// Removes the file of a run that ended before it had a state, by an error.
  ~RunCheckpoint() override;
  RunCheckpoint(const RunCheckpoint&) = delete;
  RunCheckpoint& operator=(const RunCheckpoint&) = delete;

  void identify(const std::string& key, const std::string& text) override;

  Snapshot found() override { return std::exchange(found_.state, {}); }
  bool due() override;
  void keep(Snapshot state) override;

  /// Removes the file: the run has ended without a result.
  void remove() const;

  bool resumed() const { return resumed_; }  ///< there was a state to go on from
  /// The latest state that the job wanted kept is in the file.
  bool safe() const { return has_state_ && safe_; }
  double seconds_before() const override { return before_; }
  double seconds() const { return before_ + now_(); }  ///< of the whole run so far

 private:
  void write(Snapshot state);

  io::OutputFolder& folder_;
  CheckpointOptions options_;
  io::Checkpoint found_, kept_;  // kept_: identity and notes
  Listener listener_;
  bool resumed_, safe_ = true, has_state_ = false;
  double before_ = 0, last_ = 0, writing_ = 0;  // seconds: of earlier parts; when and for how long it was written last
  long asked_ = 0;
  Seconds now_;
};

}  // namespace vida::jobs
