#pragma once

#include <optional>
#include <vector>

#include "io/config.hpp"
#include "io/data_file.hpp"
#include "vida/vida.hpp"

namespace vida::jobs {

/// Held-out twins are numbered from here, so that no choice of seeds makes training and held-out data the same.
inline constexpr std::uint32_t kHeldOut = 0x80000000U;

/// One learning or evaluation: where it stands on the axes of the batch, and what it works on.
struct Run {
  io::Config settings;         ///< the configuration with this run's values
  std::vector<long> problems;  ///< trajectories, as indices into Plan::problems
  long test = -1;              ///< index into Plan::tests; -1 without held-out data
  Matrix gain;                 ///< K_0, or the gain to evaluate [n, p]
};

/// Everything that a gain job computes with, checked. Runs whose data and filter agree share one problem.
struct Plan {
  io::Config config;     ///< the effective configuration: what the files tell is filled in
  bool batched = false;  ///< results have a leading axis `run`
  std::vector<FilterProblem> problems;
  std::vector<FilterProblem> tests;  ///< held-out twins of the same systems
  std::vector<Run> runs;             ///< the product of the axes, the first slowest; data sets of a file last

  const FilterProblem& first() const { return problems.front(); }
};

/// Throws InvalidArgument or FileError with one message when the configuration and its files do not fit together.
Plan make_plan(const Device& device, const io::Config& config);

/// The options that objective.* and precision stand for.
GainObjectiveOptions objective_options(const io::Config& config);
Precision precision_of(const io::Config& config);

}  // namespace vida::jobs
