#pragma once

#include <functional>
#include <span>
#include <vector>

#include "filtering/filter_data.hpp"
#include "filtering/filter_methods.hpp"
#include "filtering/filter_tables.hpp"
#include "vida/assimilation.hpp"

namespace vida {

/// Runs of one method and size on problems of one class: what a kernel is launched over.
template <class Real>
class FilterGroup {
 public:
  /// indices: the group's runs among `runs`.
  FilterGroup(const Device& device, std::span<const FilterProblem> problems, std::span<const AssimilationRun> runs,
              std::vector<long> indices, const AssimilationOptions& options);

  /// Fills the results of the group's runs, as many at a time as memory holds, some cycles at a time. `advanced` hears
  /// of run-cycles done; false from it ends the work, and then from run().
  bool run(const std::function<bool(long)>& advanced, std::vector<AssimilationResult>& results);

 private:
  struct Outputs;
  std::size_t run_bytes() const;    // of a run's state and settings
  bool keeps_columns() const;       // of the last analysis
  std::size_t cycle_bytes() const;  // of a run's output in one cycle
  void refuse_size(std::size_t needed) const;
  bool run_chunk(std::span<const long> chunk, long cycles_together, const std::function<bool(long)>& advanced,
                 std::vector<AssimilationResult>& results);

  Device device_;
  std::span<const AssimilationRun> runs_;
  std::vector<long> indices_;
  AssimilationOptions options_;
  const FilterEntry<Real>& entry_;
  std::vector<int> set_of_;                     // data set of each of the group's runs
  std::vector<const FilterProblem*> problems_;  // of the data set
  FilterDataSet<Real> data_;
  kernels::FilterShape shape_;
  FilterTableSet<Real> tables_;
};

}  // namespace vida
