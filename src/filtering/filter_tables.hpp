#pragma once

#include <span>
#include <vector>

#include "filtering/background_gains.hpp"
#include "filtering/filter_methods.hpp"
#include "filtering/taper.hpp"
#include "vida/assimilation.hpp"

namespace vida {

/// What the runs of a group need beside their data: their settings as kernels read them, localisation tables, one
/// for each radius and system that differ, and the gains of filters that fix them.
template <class Real>
class FilterTableSet {
 public:
  FilterTableSet(Executor& executor, const kernels::FilterTraits& traits, const kernels::FilterShape& shape,
                 std::span<const FilterProblem* const> problems, std::span<const AssimilationRun> runs,
                 const std::vector<long>& indices, const std::vector<int>& set_of, std::size_t memory_limit);

  kernels::Gains<Real> gains() const { return gains_.gains(); }
  kernels::Tapers<Real> tapers() const { return {count_.data(), index_.data(), weight_.data(), groups_, width_}; }
  /// position: of the run in the group.
  kernels::FilterRun<Real> settings(const AssimilationRun& run, long position, int data, std::uint32_t number) const;

 private:
  void add_tapers(Executor& executor, const kernels::FilterTraits& traits,
                  std::span<const FilterProblem* const> problems, std::span<const AssimilationRun> runs,
                  const std::vector<long>& indices, const std::vector<int>& set_of);

  std::vector<int> taper_of_;  // of each run of the group, -1: none
  int groups_ = 0, width_ = 0;
  Buffer<int> count_, index_;
  Buffer<Real> weight_;
  BackgroundGains<Real> gains_;
};

}  // namespace vida
