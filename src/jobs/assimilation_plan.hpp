#pragma once

#include <string>
#include <vector>

#include "io/config.hpp"
#include "vida/vida.hpp"

namespace vida::jobs {

/// The data sets that a configuration means: run.seeds twins that start from the filters' initial law, or what
/// observations.file holds. Fills in what the files tell. Throws InvalidArgument or FileError with one message when the
/// configuration and its files do not fit together.
std::vector<FilterProblem> data_sets(const Device& device, io::Config& config);

/// So many further twins of the same system, whatever run.seeds is.
std::vector<FilterProblem> held_out_sets(const Device& device, const io::Config& config, long count);

/// Which parts of a result a job asks for, for so many runs.
AssimilationOptions assimilation_options(const io::Config& config, long runs);

/// Filters side by side on the same data sets, checked.
struct AssimilationPlan {
  io::Config config;  ///< the effective configuration
  std::vector<FilterProblem> problems;
  std::vector<FilterSettings> filters;
  std::vector<std::string> labels;    ///< of the filters
  std::vector<AssimilationRun> runs;  ///< every filter on every data set, filters slowest
  AssimilationOptions options;
  long burn_in = 0;

  long sets() const { return static_cast<long>(problems.size()); }
  long cycles() const { return problems.front().data.y.extent(0); }
  bool has_truth() const { return !problems.front().data.truth.empty(); }
  std::size_t run(std::size_t filter, long set) const {
    return filter * problems.size() + static_cast<std::size_t>(set);
  }
};

AssimilationPlan make_assimilation_plan(const Device& device, const io::Config& config);

}  // namespace vida::jobs
