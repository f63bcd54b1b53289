#pragma once

#include <span>
#include <vector>

#include "backend/executor.hpp"
#include "ekf.cuh"
#include "filtering/padding.hpp"
#include "gain_backward.cuh"
#include "vida/filter.hpp"

namespace vida {

/// Problems of equal shape in device memory, in the layout that the filter kernels read.
template <class Real>
class FilterBatch {
 public:
  FilterBatch(Executor& executor, std::span<const FilterProblem> problems);

  Executor& executor() const { return *executor_; }
  const kernels::GainShape& shape() const { return shape_; }
  kernels::GainData<Real> data() const;
  long size() const { return size_; }
  long cycles() const { return cycles_; }
  const std::uint64_t* seeds() const { return seeds_.data(); }
  const std::uint32_t* numbers() const { return numbers_.data(); }
  /// Cycles of problem i in which something is observed.
  long observed_cycles(long i) const { return observed_cycles_[static_cast<std::size_t>(i)]; }
  const Matrix& truth(long i) const { return truths_[static_cast<std::size_t>(i)]; }

 private:
  Executor* executor_;
  kernels::GainShape shape_{};
  long size_ = 0, cycles_ = 0;
  Buffer<Real> dt_, forcing_, H_, R_, Q_, m0_, C0_, y_, ones_;
  Buffer<std::uint64_t> seeds_;
  Buffer<std::uint32_t> numbers_;
  std::vector<long> observed_cycles_;
  std::vector<Matrix> truths_;
};

/// EKF over problems first .. first + count - 1 of the batch, as many at once as `trajectory` has room for.
template <class Real>
std::vector<FilterResult> run_ekf(const FilterBatch<Real>& batch, long first, long count,
                                  const kernels::Trajectory<Real>& trajectory);

}  // namespace vida
