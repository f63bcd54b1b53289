#pragma once

#include <string>
#include <vector>

#include "io/config.hpp"
#include "vida/vida.hpp"

namespace vida::jobs {

/// One axis of the product. The entries of [[filters]] are the first axis, "filter", when there are several.
struct SweepAxis {
  std::string name;
  std::string varies;  ///< key of the setting that takes the values; empty: the entries themselves
  std::vector<io::Value> values;

  /// Of the data, not of a filter: nothing that could be chosen.
  bool of_data() const;
  bool numeric() const;
  long size() const { return static_cast<long>(values.size()); }
};

/// One filter on one kind of data. It stands for all cells of the product that differ only along axes that its method
/// does not use.
struct SweepPoint {
  std::vector<long> at;  ///< index of its value on each axis, 0 on axes that it does not use
  FilterSettings filter;
  std::string label;
  long kind = 0;   ///< of data, see SweepPlan::data
  long group = 0;  ///< points of one entry and method on the same data, of which one is the best
};

/// The product of all axes, checked.
struct SweepPlan {
  io::Config config;  ///< the effective configuration
  std::vector<SweepAxis> axes;
  std::vector<io::Config> data;         ///< configurations of the kinds of data
  std::vector<FilterProblem> problems;  ///< `seeds` of each kind
  std::vector<SweepPoint> points;
  std::vector<long> point_of;  ///< of each cell of the product, the first axis slowest
  std::vector<std::string> groups;
  long seeds = 0, burn_in = 0;

  long cycles() const { return problems.front().data.y.extent(0); }
  /// Whether a filter of this method uses the axis.
  bool uses(const std::string& method, const SweepAxis& axis) const;
  /// Names of the axes with several values that it does not use.
  std::vector<std::string> without_use(const std::string& method) const;
};

/// Throws InvalidArgument or FileError with one message when the configuration and its files do not fit together.
SweepPlan make_sweep_plan(const Device& device, const io::Config& config);

}  // namespace vida::jobs
