#pragma once

#include "adam.cuh"
#include "backend/archive.hpp"
#include "vida/flow_training.hpp"

namespace vida {

/// What an optimiser works on, in device memory that outlives it: [problem, count] each.
template <class Real>
struct OptimizedParameters {
  Real* values;
  const Real* gradient;
  long problems, count;
};

/// Adam on the parameters of a batch of problems, with everything that a step needs in device memory: a step makes no
/// copy and no allocation.
template <class Real>
class FlowOptimizer {
 public:
  /// `rates`: [problem] learning rates. Moments start at zero.
  FlowOptimizer(Executor& executor, const OptimizedParameters<Real>& parameters, const FlowTrainingOptions& options,
                long steps, const std::vector<double>& rates);

  /// How many steps were taken, in device memory.
  const std::uint32_t* clock() const { return clock_.data(); }
  /// One step with the gradient and the loss: `weight` times the sum of sums [problem, shards].
  void step(const Real* sums, long shards, double weight);

  /// The same learning rates from now on, or others.
  void set_rates(const std::vector<double>& rates);
  /// These problems (1) keep their parameters from now on.
  void hold(const std::vector<int>& held) { held_.upload(held); }
  /// Remembers the present parameters of the marked problems, and gives them back.
  void keep_best(const std::vector<int>& marks) { copy(best_.data(), parameters_.values, marks); }
  void restore_best(const std::vector<int>& marks) { copy(parameters_.values, best_.data(), marks); }

  std::vector<Real> losses() const { return losses_.download(); }  ///< [problem, steps]
  std::vector<int> flagged_at() const { return flagged_at_.download(); }

  /// Everything that a training needs to go on where it was, the parameters too.
  void name_state(Archive& archive);

 private:
  void copy(Real* to, const Real* from, const std::vector<int>& marks);

  Executor& executor_;
  OptimizedParameters<Real> parameters_;
  const FlowTrainingOptions& options_;
  long steps_, count_, blocks_;
  Buffer<Real> first_, second_, last_good_, best_, squares_, rates_, scales_, losses_;
  Buffer<kernels::AdamRates<Real>> schedule_;
  Buffer<int> flagged_at_, held_, actions_, marks_;
  Buffer<std::uint32_t> clock_;
};

}  // namespace vida
