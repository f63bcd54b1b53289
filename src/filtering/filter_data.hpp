#pragma once

#include <compare>
#include <span>
#include <vector>

#include "backend/executor.hpp"
#include "filtering/model_data.hpp"
#include "filters/frame.cuh"
#include "vida/filter.hpp"

namespace vida {

/// What the problems of one launch have in common: their extents, and which form of a factor or operator the kernels
/// take, since another form rounds otherwise.
struct ProblemClass {
  int model = 0;  ///< index of the variant
  int n = 0, p = 0, steps = 0;
  long cycles = 0;
  int observation = 0;  ///< of ObservationFunction
  bool dense_initial = false, dense_noise = false, noisy = false, single_components = false, diagonal_noise = false;
  bool whole_state = false;

  explicit ProblemClass(const FilterProblem& problem);
  auto operator<=>(const ProblemClass&) const = default;
};

/// Problems of one class in device memory, in the layout that the filter kernels read.
template <class Real>
class FilterDataSet {
 public:
  FilterDataSet(Executor& executor, std::span<const FilterProblem* const> problems);

  kernels::FilterShape shape(int members) const;
  kernels::FilterData<Real> data() const;
  /// Observation patterns: which observations are present, in rising order.
  const std::vector<std::vector<int>>& patterns() const { return patterns_; }

 private:
  void add_patterns(const FilterProblem& problem, std::vector<int>& pattern_of, std::vector<Real>& whitening);

  Executor* executor_;
  ProblemClass kind_;
  int ldn_, lp_, rows_, prows_;
  kernels::ModelShape model_;
  std::vector<std::vector<int>> patterns_;
  Buffer<Real> parameters_, y_, truth_, initial_mean_, initial_factor_, noise_factor_, initial_covariance_,
      noise_covariance_, H_, whitening_;
  Buffer<int> component_, pattern_of_, count_, observed_, place_;
};

/// Observations that are present at a cycle, in rising order.
std::vector<int> observations_present(const Matrix& y, long cycle);

/// The component that a row of H picks, -1 when it does anything else.
int single_component(const Matrix& H, long row);

}  // namespace vida
