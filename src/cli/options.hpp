#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vida/device.hpp"

namespace vida::cli {

/// Exit codes of every sub-command.
enum ExitCode : int {
  kFinished = 0,
  kNothingUsable = 1,
  kUsage = 2,    ///< the command line or the configuration
  kFlagged = 3,  ///< results are written, but some problems of the batch stopped early
};

struct RunOptions {
  std::filesystem::path config;
  std::vector<std::string> settings;  ///< section.key=value
  std::string out;
  DeviceOptions device;
  bool force = false, quiet = false;
};

int run(const RunOptions& options);
int init(const std::string& example);
int list();
int info();

}  // namespace vida::cli
