#pragma once

#include <functional>
#include <span>
#include <vector>

#include "backend/archive.hpp"
#include "filtering/filter_data.hpp"
#include "filtering/filter_methods.hpp"
#include "filtering/filter_tables.hpp"
#include "vida/assimilation.hpp"

namespace vida {

/// Which of a group's runs work now: `together` of them from `first` on.
struct FilterPlace {
  long first = 0, together = 0;
};

/// Who hears from a group while it works.
struct FilterListener {
  std::function<bool(long)> advanced;              ///< so many run-cycles are done; false ends the work
  Checkpoints& chunk;                              ///< takes the state of the runs at work
  std::function<void(bool going)> chunk_finished;  ///< the place has moved on
};

/// Runs of one method and size on problems of one class: what a kernel is launched over.
template <class Real>
class FilterGroup {
 public:
  /// indices: the group's runs among `runs`.
  FilterGroup(const Device& device, std::span<const FilterProblem> problems, std::span<const AssimilationRun> runs,
              std::vector<long> indices, const AssimilationOptions& options);

  /// Fills the results of the group's runs from `place` on, as many at a time as memory holds, some cycles at a time.
  /// False when the listener ended the work.
  bool run(FilterPlace& place, const FilterListener& listener, std::vector<AssimilationResult>& results);
  /// Device memory of run(). Throws OutOfMemory when a single run does not fit.
  std::size_t bytes() const;

 private:
  struct Launch;
  /// How the group is cut: `together` runs in one launch over `cycles` cycles.
  struct Cut {
    std::size_t scratch, each;  // bytes of all teams, of a run
    long cycles, together;
  };
  Cut cut() const;
  std::size_t run_bytes() const;    // of a run's state and settings
  bool keeps_columns() const;       // of the last analysis
  std::size_t cycle_bytes() const;  // of a run's output in one cycle
  void refuse_size(std::size_t needed) const;
  kernels::FilterRun<Real> settings_of(long position) const;  // of a run of the group
  /// False when it was left before the end of the data; `going`: what the listener said.
  bool run_chunk(const FilterPlace& place, Launch& launch, long cycles_together, const FilterListener& listener,
                 std::vector<AssimilationResult>& results, bool& going);
  void prepare(AssimilationResult& result) const;

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
