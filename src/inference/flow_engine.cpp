#include "inference/flow_engine.hpp"

#include <cmath>
#include <numbers>
#include <numeric>

#include "backend/gemm.hpp"
#include "flow.cuh"
#include "inference/shard_sums.hpp"

namespace vida {
namespace {

using namespace kernels;

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }
long blocks_of(long count, long block) { return (count + block - 1) / block; }

}  // namespace

template <class Real>
FlowEngine<Real>::FlowEngine(Executor& executor, const FlowShape& shape, long problems, long capacity, Real* parameters,
                             bool training)
    : executor_(executor),
      layout_(shape),
      problems_(problems),
      parameter_count_(layout_.size()),
      training_(training),
      parameters_(parameters) {
  const long stride = round_up(capacity, kFlowStride), d = shape.dimension;
  const auto take = [&](long each) { return Buffer<Real>(executor, count_of(problems * each)); };
  const long layers = training ? shape.layers : 1;
  states_ = take(states_held() * d * stride);
  nets_ = take(layers * 2 * layout_.moved(0) * stride);
  hidden_ = take(layers * shape.depth * 2 * shape.hidden * stride);
  context_ = take(shape.context * stride);
  log_det_ = take(stride), values_ = take(stride);
  weights_ = Buffer<Real>(executor, count_of(stride));
  shard_sums_ = take(blocks_of(stride, kFlowShard));
  numbers_ = Buffer<std::uint32_t>(executor, count_of(problems));
  if (!training) return;
  gradient_ = take(parameter_count_);
  for (auto& deltas : deltas_) deltas = take(2L * shape.hidden * stride);
  net_deltas_ = take(2L * layout_.moved(0) * stride);
  gradient_x_ = take(d * stride), slope_ = take(d * stride), log_density_ = take(stride);
  context_gradient_ = take(shape.context * stride);
}

template <class Real>
void FlowEngine<Real>::set_count(long count, long total) {
  count_ = count;
  stride_ = round_up(count, kFlowStride);
  fill_weights(executor_, weights_.data(), count_, static_cast<double>(total));
}

template <class Real>
void FlowEngine<Real>::set_numbers(const std::vector<std::uint32_t>& numbers) {
  numbers_.upload(numbers);
  numbered_ = true;
  first_problem_ = 0;
}

template <class Real>
void FlowEngine<Real>::draw(const FlowDraws& draws, const std::uint32_t* clock) {
  if (!numbered_ || first_problem_ != draws.first_problem) {
    std::vector<std::uint32_t> numbers(count_of(problems_));
    std::iota(numbers.begin(), numbers.end(), draws.first_problem);
    set_numbers(numbers);
    first_problem_ = draws.first_problem;
  }
  const long blocks = blocks_of(stride_, kFlowBlock);
  launch(executor_, {.items = problems_ * blocks},
         LatentDraws<Real>{input(), numbers_.data(), stride_, count_, blocks, draws.first, draws.seed,
                           static_cast<std::uint32_t>(draws.stream), shape().dimension, clock});
}

/// nets(layer) <- the outputs of both nets, without their last biases, from the kept coordinates and the context.
template <class Real>
void FlowEngine<Real>::evaluate_nets(int layer, const Real* from) {
  const int d = shape().dimension, h = shape().hidden, kept = layout_.kept(layer), n = static_cast<int>(stride_);
  const long net = layout_.net_size(layer);
  const int blocks = (h + kFlowRows - 1) / kFlowRows;
  for (int k = 0; k < layout_.maps(); ++k) {
    const int out = layout_.outputs(layer, k), in = layout_.inputs(layer, k);
    const Real* weight = parameters() + layout_.weight(layer, k);
    Real* to = k == shape().depth ? nets(layer) : hidden(layer, k);
    GemmCall<Real> product{.m = out,
                           .n = n,
                           .k = in,
                           .a = {weight, in, false, net, parameter_count_},
                           .c = {to, stride_, out * stride_, 2 * out * stride_},
                           .batch = 2,
                           .groups = problems_};
    if (k == 0) {
      product.k = kept;
      product.b = {from + (1 - layout_.parity(layer)) * stride_, 2 * stride_, false, 0, d * stride_};
    } else {
      product.b = {hidden(layer, k - 1), stride_, false, h * stride_, 2 * h * stride_};
    }
    gemm(executor_, product);
    if (k == 0 && shape().context) {
      product.k = shape().context;
      product.a.data = weight + kept;
      product.b = {context(), stride_, false, 0, shape().context * stride_};
      product.beta = 1;
      gemm(executor_, product);
    }
    if (k < shape().depth)
      launch(executor_, {.items = problems_ * 2 * blocks},
             BiasLeakyRelu<Real>{to, parameters() + layout_.bias(layer, k), stride_, parameter_count_, net, h, blocks});
  }
}

template <class Real>
void FlowEngine<Real>::pass(bool inverse) {
  const int layers = shape().layers;
  executor_.clear(log_det_.data(), sizeof(Real) * count_of(rows(1)));
  for (int k = 0; k < layers; ++k) {
    const int layer = inverse ? layers - 1 - k : k;
    const Real* from = state(training_ ? k : k % 2);
    evaluate_nets(layer, from);
    const Real* scale_bias = parameters() + layout_.bias(layer, shape().depth);
    launch_lanes(executor_, rows(1),
                 CouplingLayer<Real>{from, state(training_ ? k + 1 : (k + 1) % 2), nets(layer), scale_bias,
                                     scale_bias + layout_.net_size(layer), log_det_.data(), stride_, parameter_count_,
                                     shape().dimension, layout_.parity(layer), layout_.moved(layer), limit(), inverse});
  }
}

template <class Real>
void FlowEngine<Real>::bias_backward(int layer, int map, Real* deltas, const Real* activations,
                                     const Adjoint& adjoint) {
  const int out = layout_.outputs(layer, map), blocks = (out + kFlowRows - 1) / kFlowRows;
  if (!activations && !adjoint.parameters) return;
  using Kernel = LeakyReluBackward<Real>;
  launch(executor_, {.items = problems_ * 2 * blocks, .scratch_bytes = Kernel::scratch_bytes()},
         Kernel{deltas, activations, adjoint.parameters ? gradient() + layout_.bias(layer, map) : nullptr, stride_,
                parameter_count_, layout_.net_size(layer), out, blocks, adjoint.accumulate});
}

template <class Real>
void FlowEngine<Real>::backward(int layer, const Adjoint& adjoint) {
  const int d = shape().dimension, c = shape().context, h = shape().hidden, n = static_cast<int>(stride_);
  const int moved = layout_.moved(layer), kept = layout_.kept(layer);
  const long net = layout_.net_size(layer), P = parameter_count_;
  const long kept_row = (1 - layout_.parity(layer)) * stride_;
  launch_lanes(
      executor_, rows(1),
      CouplingBackward<Real>{gradient_x_.data(), adjoint.state, nets(layer), net_deltas_.data(), adjoint.weights,
                             stride_, d, layout_.parity(layer), moved, limit(), adjoint.inverse});
  const Real beta = adjoint.accumulate ? Real(1) : Real(0);
  Real* deltas = net_deltas_.data();
  bias_backward(layer, shape().depth, deltas, nullptr, adjoint);
  for (int k = shape().depth; k >= 0; --k) {
    const int out = layout_.outputs(layer, k), in = layout_.inputs(layer, k);
    const Real* weight = parameters() + layout_.weight(layer, k);
    const typename GemmCall<Real>::Operand of_deltas{deltas, stride_, false, out * stride_, 2 * out * stride_};
    if (adjoint.parameters) {
      GemmCall<Real> outer{.m = out,
                           .n = in,
                           .k = n,
                           .a = of_deltas,
                           .c = {gradient() + layout_.weight(layer, k), in, net, P},
                           .batch = 2,
                           .groups = problems_,
                           .beta = beta};
      if (k > 0) {
        outer.b = {hidden(layer, k - 1), stride_, true, h * stride_, 2 * h * stride_};
        gemm(executor_, outer);
      } else {
        outer.n = kept;
        outer.b = {adjoint.state + kept_row, 2 * stride_, true, 0, d * stride_};
        gemm(executor_, outer);
        outer.n = c;
        outer.c.data += kept;
        outer.b = {context(), stride_, true, 0, c * stride_};
        gemm(executor_, outer);
      }
    }
    if (k > 0) {
      Real* below = deltas_[k % 2].data();
      gemm(executor_, GemmCall<Real>{.m = in,
                                     .n = n,
                                     .k = out,
                                     .a = {weight, in, true, net, P},
                                     .b = of_deltas,
                                     .c = {below, stride_, in * stride_, 2 * in * stride_},
                                     .batch = 2,
                                     .groups = problems_});
      bias_backward(layer, k - 1, below, hidden(layer, k - 1), adjoint);
      deltas = below;
    }
  }
  for (int s = 0; s < 2; ++s) {  // both nets add to the same gradient, one after the other
    const Real* weight = parameters() + layout_.weight(layer, 0) + s * net;
    GemmCall<Real> call{.m = kept,
                        .n = n,
                        .k = h,
                        .a = {weight, kept + c, true, 0, P},
                        .b = {deltas + s * h * stride_, stride_, false, 0, 2 * h * stride_},
                        .c = {gradient_x_.data() + kept_row, 2 * stride_, 0, d * stride_},
                        .groups = problems_,
                        .beta = 1};
    gemm(executor_, call);
    if (!adjoint.context) continue;
    call.m = c;
    call.a.data = weight + kept;
    call.c = {context_gradient(), stride_, 0, c * stride_};
    gemm(executor_, call);
  }
}

template <class Real>
void FlowEngine<Real>::likelihood_terms() {
  const int d = shape().dimension;
  const Real constant = static_cast<Real>(0.5 * d * std::log(2 * std::numbers::pi));
  launch_lanes(
      executor_, rows(1),
      LatentTerms<Real>{points(), log_det(), weights_.data(), values(), gradient_x_.data(), stride_, d, constant});
}

template <class Real>
void FlowEngine<Real>::likelihood_backward(FlowGradients wanted, bool accumulate) {
  if (wanted.context) executor_.clear(context_gradient(), sizeof(Real) * count_of(rows(shape().context)));
  likelihood_terms();
  for (int k = shape().layers - 1; k >= 0; --k)  // the pass went from the last layer to the first
    backward(shape().layers - 1 - k,
             {true, state(k + 1), weights_.data(), wanted.parameters, wanted.context, accumulate});
}

template <class Real>
void FlowEngine<Real>::reverse_terms(const FlowTarget<Real>& target, FlowGradients wanted, bool accumulate,
                                     bool stick_the_landing) {
  const int d = shape().dimension;
  target({problems_, stride_, points(), log_density_.data(), slope_.data()});
  const bool backwards = wanted.parameters || wanted.context;
  if (stick_the_landing && backwards) {  // d(-log q)/dx: the inverse pass backward, whose activations are the forward's
    launch_lanes(
        executor_, rows(1),
        LatentTerms<Real>{input(), nullptr, weights_.data(), nullptr, gradient_x_.data(), stride_, d, Real(0)});
    for (int i = 0; i < shape().layers; ++i) backward(i, {true, state(i), weights_.data(), false, false, false});
  }
  launch_lanes(executor_, rows(1),
               TargetTerms<Real>{log_density_.data(), slope_.data(), log_det(), weights_.data(), values(),
                                 gradient_x_.data(), stride_, d, stick_the_landing});
  if (!backwards) return;
  if (wanted.context) executor_.clear(context_gradient(), sizeof(Real) * count_of(rows(shape().context)));
  const Real* weights = stick_the_landing ? nullptr : weights_.data();
  for (int i = shape().layers - 1; i >= 0; --i)
    backward(i, {false, state(i), weights, wanted.parameters, wanted.context, accumulate});
}

template <class Real>
long FlowEngine<Real>::shards() const {
  return blocks_of(count_, kFlowShard);
}

template <class Real>
const Real* FlowEngine<Real>::sum_shards() {
  using Kernel = ShardSums<Real>;
  launch(executor_, {.items = problems_ * shards(), .scratch_bytes = Kernel::scratch_bytes()},
         Kernel{values(), shard_sums_.data(), stride_, count_, shards()});
  return shard_sums_.data();
}

template <class Real>
void FlowEngine<Real>::add_values(std::vector<double>& sums) {
  sum_shards();
  std::vector<Real> host(count_of(problems_ * shards()));
  shard_sums_.download(host.data(), host.size());
  for (long p = 0; p < problems_; ++p)
    for (long s = 0; s < shards(); ++s) sums[count_of(p)] += static_cast<double>(host[count_of(p * shards() + s)]);
}

template class FlowEngine<float>;
template class FlowEngine<double>;

}  // namespace vida
