#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/run_folder.hpp"

namespace vida::report {

struct Page {
  std::string html;                   ///< one file, with its pictures in it
  std::vector<std::string> warnings;  ///< what is missing on it and why
};

/// Reads the runs that the page will be about. Where two folders have the same name, runs are called by their whole
/// paths. Throws as read_run().
std::vector<RunFolder> read_runs(const std::vector<std::filesystem::path>& folders);

/// A page about one run or several. Figures that are missing are drawn into the folders of the runs. An empty title
/// becomes the names of job and run, or the number of runs.
Page make_page(std::vector<RunFolder> runs, const std::string& title);

}  // namespace vida::report
