#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "jobs/run_checkpoint.hpp"
#include "vida/device.hpp"

namespace vida::cli {

/// Exit codes of every sub-command.
enum ExitCode : int {
  kFinished = 0,
  kNothingUsable = 1,
  kUsage = 2,    ///< the command line or the configuration
  kFlagged = 3,  ///< results are written, but some problems of the batch stopped early
};

/// What a std::bad_alloc means.
inline constexpr const char* kNoMemory =
    "the memory of this machine is exhausted. Make the batch or the problem smaller.";

struct RunOptions {
  std::filesystem::path config;
  std::vector<std::string> settings;  ///< section.key=value
  std::string out;
  std::string resume;  ///< folder of a run to go on with; empty: a new run
  jobs::CheckpointOptions checkpoint;
  DeviceOptions device;
  bool force = false, quiet = false;
};

struct CheckOptions {
  std::filesystem::path config;
  std::vector<std::string> settings;  ///< section.key=value
  DeviceOptions device;
};

struct SchemaOptions {
  std::string job;  ///< empty: all
  bool json = false, words = false;
};

/// What `vida sample` and `vida density` have in common.
struct FlowCommandOptions {
  std::filesystem::path flow;
  std::string context;  ///< numbers as in 0.1,0.2, or a file; empty: none
  long problem = 0;
  std::string precision = "float32";
  std::string out;
  DeviceOptions device;
  bool force = false, quiet = false;
};

struct SampleOptions : FlowCommandOptions {
  long count = 0;  ///< draws of each context
  long seed = 0;
};

struct DensityOptions : FlowCommandOptions {
  std::filesystem::path points;
};

struct ReportOptions {
  std::vector<std::filesystem::path> folders;  ///< of runs, at least one
  std::string out;                             ///< empty: beside the run, or here for several
  std::string title;
  bool force = false, quiet = false;
};

int run(const RunOptions& options);
int check(const CheckOptions& options);
int sample(const SampleOptions& options);
int density(const DensityOptions& options);
int report(const ReportOptions& options);
int init(const std::string& example);
int schema(const SchemaOptions& options);
int list();
int info();

}  // namespace vida::cli
