#pragma once

#include "backend/executor.hpp"
#include "inference/flow_layout.hpp"
#include "inference/flow_optimizer.hpp"

namespace vida {

/// The passes of a batch of flows over one chunk of samples in device memory. Arrays are [problem, rows, stride],
/// samples along the last axis; weights are [problem, parameter]. A pass starts from input() and leaves its result in
/// points().
template <class Real>
class FlowEngine {
 public:
  /// Room for `capacity` samples of each problem; `training` keeps what the backward passes need. `parameters`
  /// [problem, parameter] is device memory that outlives the engine.
  FlowEngine(Executor& executor, const FlowShape& shape, long problems, long capacity, Real* parameters, bool training);

  const FlowLayout& layout() const { return layout_; }
  long problems() const { return problems_; }
  long stride() const { return stride_; }
  long count() const { return count_; }

  Real* parameters() { return parameters_; }     // [problem, parameter]
  Real* gradient() { return gradient_.data(); }  // the same
  OptimizedParameters<Real> optimized() { return {parameters_, gradient_.data(), problems_, parameter_count_}; }
  Real* input() { return states_.data(); }     // [problem, d, stride]
  Real* context() { return context_.data(); }  // [problem, c, stride]
  Real* context_gradient() { return context_gradient_.data(); }
  Real* points() { return state(training_ ? shape().layers : shape().layers % 2); }  // [problem, d, stride]
  Real* log_det() { return log_det_.data(); }                                        // [problem, stride]
  Real* values() { return values_.data(); }  // [problem, stride], the terms of the loss

  /// The chunk holds `count` samples; `total` is what means are over.
  void set_count(long count, long total);
  /// Which problem's draws each flow of the batch gets; without a call these are first_problem, first_problem + 1, ...
  void set_numbers(const std::vector<std::uint32_t>& numbers);
  /// input() <- latent draws. `clock`: device memory, so many times count() draws are skipped.
  void draw(const FlowDraws& draws, const std::uint32_t* clock = nullptr);

  void forward() { pass(false); }
  void inverse() { pass(true); }

  /// After inverse(): values() <- 1/2 |z|^2 - log |det dT^-1/dx| + d/2 log 2 pi.
  void likelihood_terms();
  /// After inverse(): the same, and its gradient for parameters (added up when `accumulate`) and context.
  void likelihood_backward(FlowGradients wanted, bool accumulate);
  /// After forward(): values() <- -(log pi~(x) + log |det dT/dz|), and its gradient.
  void reverse_terms(const FlowTarget<Real>& target, FlowGradients wanted, bool accumulate, bool stick_the_landing);

  /// Sums of values() over shards of the samples, in double and index order, added to `sums` [problem].
  void add_values(std::vector<double>& sums);

  /// Sums of values() over shards of the samples, [problem, shards()], left on the device.
  const Real* sum_shards();
  long shards() const;

 private:
  const FlowShape& shape() const { return layout_.shape; }
  Real limit() const { return static_cast<Real>(shape().scale_limit); }
  int states_held() const { return training_ ? shape().layers + 1 : 2; }
  long rows(long each) const { return problems_ * each * stride_; }
  Real* state(int k) { return states_.data() + k * rows(shape().dimension); }
  int slot(int layer) const { return training_ ? layer : 0; }
  Real* nets(int layer) { return nets_.data() + slot(layer) * rows(2L * layout_.moved(0)); }
  Real* hidden(int layer, int k) {
    return hidden_.data() + (slot(layer) * shape().depth + k) * rows(2L * shape().hidden);
  }

  void pass(bool inverse);
  void evaluate_nets(int layer, const Real* from);
  /// Adjoint of one layer: gradient_x_ from behind it to before it. `kept` is a state with its kept coordinates.
  struct Adjoint {
    bool inverse = false;
    const Real* state = nullptr;
    const Real* weights = nullptr;  // of log_det; null: none
    bool parameters = true, context = false, accumulate = false;
  };
  void backward(int layer, const Adjoint& adjoint);
  void bias_backward(int layer, int map, Real* deltas, const Real* activations, const Adjoint& adjoint);

  Executor& executor_;
  FlowLayout layout_;
  long problems_, parameter_count_;
  bool training_;
  long count_ = 0, stride_ = 0;
  Real* parameters_;
  Buffer<Real> gradient_;
  Buffer<Real> states_, nets_, hidden_, context_, log_det_, values_, weights_, shard_sums_;
  Buffer<Real> deltas_[2], net_deltas_, gradient_x_, context_gradient_, log_density_, slope_;
  Buffer<std::uint32_t> numbers_;
  std::uint32_t first_problem_ = 0;
  bool numbered_ = false;
};

}  // namespace vida
