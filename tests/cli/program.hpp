#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vida::test {

/// What a run of the program left.
struct Answer {
  int code = -1;
  std::string out, err;
  double peak_bytes = 0;  ///< of memory
};

/// A folder of its own for one test, removed with everything in it at the end.
class Workplace {
 public:
  Workplace();
  ~Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const;
  std::string read(const std::string& name) const;
  /// Every file below, relative, sorted; hidden ones too.
  std::vector<std::string> files() const;

  /// Runs `vida` with these words in the folder, on the CPU unless they say otherwise. environment: "NAME=value" each.
  Answer vida(const std::vector<std::string>& words, const std::vector<std::string>& environment = {}) const;
  /// Runs the program at this path, which starts `vida`.
  Answer run(const std::string& program, const std::vector<std::string>& words,
             const std::vector<std::string>& environment = {}) const;
  /// Runs `vida` on a disk where no file may grow beyond `bytes`.
  Answer vida_on_a_small_disk(const std::vector<std::string>& words, long bytes) const;
  /// Runs it and kills it (SIGKILL) after so many seconds, unless it ended before.
  Answer vida_killed(const std::vector<std::string>& words, double seconds,
                     const std::vector<std::string>& environment = {}) const;
  /// Starts it, sends `signal` once `file_ready` (a part of a file's name) has content or is a folder, and waits.
  Answer vida_interrupted(const std::vector<std::string>& words, int signal, const std::string& file_ready) const;
  /// Starts it, lets `watch` have the number of its process, sends SIGINT when that returns, and waits.
  Answer vida_watched(const std::vector<std::string>& words, const std::function<void(int process)>& watch) const;

 private:
  int start(const std::vector<std::string>& words, const std::vector<std::string>& environment, long file_limit = 0,
            const std::string& program = "") const;
  Answer wait_for(int process) const;
  std::filesystem::path folder_;
};

/// A learn-gain configuration that takes a moment: n = 8, 30 cycles, 3 steps.
extern const char* const kSmallJob;

}  // namespace vida::test
