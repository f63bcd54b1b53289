#pragma once

#include <span>
#include <vector>

#include "backend/executor.hpp"
#include "filters/frame.cuh"
#include "vida/assimilation.hpp"

namespace vida {

/// The fixed gains of a group's runs in device memory: a background for each data set and setting that differ, and a
/// table for each of its sets of observations present; tables that are equal are kept once.
template <class Real>
class BackgroundGains {
 public:
  BackgroundGains() = default;
  /// Throws OutOfMemory when the tables take more than a quarter of the memory limit.
  BackgroundGains(Executor& executor, const kernels::FilterShape& shape, std::span<const FilterProblem* const> problems,
                  std::span<const AssimilationRun> runs, const std::vector<long>& indices,
                  const std::vector<int>& set_of, std::size_t memory_limit);

  /// position: of the run in the group; 0 when the group has no gains.
  int background_of(long position) const {
    return background_of_.empty() ? 0 : background_of_[static_cast<std::size_t>(position)];
  }
  kernels::Gains<Real> gains() const {
    return {mean_.data(), forecast_variance_.data(), table_of_.data(),
            gain_.data(), precision_.data(),         analysis_variance_.data()};
  }

 private:
  std::vector<int> background_of_;
  Buffer<Real> mean_, forecast_variance_, gain_, precision_, analysis_variance_;
  Buffer<int> table_of_;
};

}  // namespace vida
