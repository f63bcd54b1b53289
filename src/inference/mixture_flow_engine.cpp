#include "inference/mixture_flow_engine.hpp"

#include <cmath>
#include <numbers>

#include "mixture_coupling.cuh"
#include "network.cuh"

namespace vida {
namespace {

using namespace kernels;

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }
int blocks_of(int rows) { return (rows + kFlowRows - 1) / kFlowRows; }

/// What the kernels see of a net's output.
template <class Real>
CouplingRows<Real> rows_of(Network<Real>& net, long stride, int moved, const MixtureFlowShape& shape) {
  return {net.outputs(), stride, moved, shape.components, static_cast<Real>(shape.scale_limit)};
}

}  // namespace

template <class Real>
MixtureFlowEngine<Real>::MixtureFlowEngine(Executor& executor, const MixtureFlowShape& shape, const Real* parameters,
                                           Real* gradient, long capacity, const Options& options)
    : executor_(executor), layout_(shape) {
  const long stride = round_up(capacity, kFlowStride);
  const auto take = [&](long rows) { return Buffer<Real>(executor, count_of(rows * stride)); };
  for (int i = 0; i < layout_.layers(); ++i) {
    const auto kept = layout_.kept(i);
    const typename Network<Real>::Options of_net{std::vector<double>(count_of(shape.depth), options.dropout), false,
                                                 options.first_number + static_cast<std::uint32_t>(i)};
    layers_.push_back({uploaded(executor, layout_.moved(i)), uploaded(executor, kept), take(std::ssize(kept)),
                       take(gradient ? std::ssize(layout_.moved(i)) : 0),
                       std::make_unique<Network<Real>>(executor, layout_.net(i), of_net, parameters + layout_.offset(i),
                                                       gradient ? gradient + layout_.offset(i) : nullptr, capacity)});
  }
  points_ = take(shape.dimension), log_slopes_ = take(shape.dimension), log_det_ = take(1);
  if (gradient) gradient_x_ = take(shape.dimension), kept_gradient_ = take(shape.dimension);
}

template <class Real>
std::size_t MixtureFlowEngine<Real>::bytes(const MixtureFlowShape& shape, bool gradient, long capacity) {
  const MixtureFlowLayout layout(shape);
  long rows = (gradient ? 4L : 2L) * shape.dimension + 1;
  std::size_t nets = 0;
  for (int i = 0; i < layout.layers(); ++i) {
    rows += std::ssize(layout.kept(i)) + (gradient ? std::ssize(layout.moved(i)) : 0);
    nets += Network<Real>::bytes(layout.net(i), gradient, capacity);
  }
  return nets + sizeof(Real) * count_of(rows * round_up(capacity, kFlowStride));
}

template <class Real>
void MixtureFlowEngine<Real>::set_count(long count) {
  count_ = count;
  stride_ = round_up(count, kFlowStride);
  executor_.clear(log_det(), sizeof(Real) * count_of(stride_));
}

template <class Real>
std::vector<NetworkInput<Real>> MixtureFlowEngine<Real>::inputs(Layer& layer, const NetworkInput<Real>& context,
                                                                bool gradients) {
  std::vector<NetworkInput<Real>> result;
  if (const int kept = static_cast<int>(layer.kept.size()))
    result.push_back({layer.kept_values.data(), gradients ? kept_gradient_.data() : nullptr, kept});
  if (context.rows) result.push_back(context);
  return result;
}

template <class Real>
typename MixtureFlowEngine<Real>::Layer& MixtureFlowEngine<Real>::run_net(int i, const NetworkInput<Real>& context,
                                                                          const DropoutDraws& dropout) {
  Layer& layer = layers_[count_of(i)];
  const int kept = static_cast<int>(layer.kept.size()), moved = static_cast<int>(layer.moved.size());
  launch(executor_, {.items = blocks_of(kept)},
         SelectRows<Real>{points(), layer.kept.data(), layer.kept_values.data(), stride_, kept, false});
  layer.net->forward(inputs(layer, context, false), count_, dropout);
  launch(executor_, {.items = blocks_of(moved)},
         PrepareCoupling<Real>{rows_of(*layer.net, stride_, moved, layout_.shape)});
  return layer;
}

template <class Real>
void MixtureFlowEngine<Real>::inverse(const NetworkInput<Real>& context, const DropoutDraws& dropout) {
  for (int i = 0; i < layout_.layers(); ++i) {
    Layer& layer = run_net(i, context, dropout);
    const int moved = static_cast<int>(layer.moved.size());
    launch(executor_, {.items = blocks_of(moved)},
           MixtureCoupling<Real>{rows_of(*layer.net, stride_, moved, layout_.shape), layer.moved.data(), points(),
                                 layer.before.data(), log_slopes_.data()});
    launch_lanes(executor_, stride_, AddRows<Real>{log_slopes_.data(), log_det(), stride_, moved, Real(1)});
  }
}

template <class Real>
void MixtureFlowEngine<Real>::forward(const NetworkInput<Real>& context, bool with_log_det) {
  for (int i = layout_.layers() - 1; i >= 0; --i) {
    Layer& layer = run_net(i, context, {});
    const int moved = static_cast<int>(layer.moved.size());
    launch(executor_, {.items = blocks_of(moved)},
           MixtureCouplingInverse<Real>{rows_of(*layer.net, stride_, moved, layout_.shape), layer.moved.data(),
                                        points(), with_log_det ? log_slopes_.data() : nullptr});
    if (with_log_det)
      launch_lanes(executor_, stride_, AddRows<Real>{log_slopes_.data(), log_det(), stride_, moved, Real(-1)});
  }
}

template <class Real>
void MixtureFlowEngine<Real>::likelihood_terms(const Real* weights, Real* values) {
  const int d = layout_.shape.dimension;
  const Real constant = static_cast<Real>(0.5 * d * std::log(2 * std::numbers::pi));
  launch_lanes(executor_, stride_,
               LatentTerms<Real>{points(), log_det(), weights, values, gradient_x_.data(), stride_, d, constant});
}

template <class Real>
void MixtureFlowEngine<Real>::likelihood_backward(const NetworkInput<Real>& context, const Real* weights,
                                                  bool accumulate) {
  for (int i = layout_.layers() - 1; i >= 0; --i) {
    Layer& layer = layers_[count_of(i)];
    const int kept = static_cast<int>(layer.kept.size()), moved = static_cast<int>(layer.moved.size());
    launch(executor_, {.items = blocks_of(moved)},
           MixtureCouplingBackward<Real>{rows_of(*layer.net, stride_, moved, layout_.shape), layer.moved.data(),
                                         layer.before.data(), gradient(), weights});
    executor_.clear(kept_gradient_.data(), sizeof(Real) * count_of(kept * stride_));
    layer.net->backward(inputs(layer, context, true), accumulate);
    launch(executor_, {.items = blocks_of(kept)},
           SelectRows<Real>{gradient(), layer.kept.data(), kept_gradient_.data(), stride_, kept, true});
  }
}

template class MixtureFlowEngine<float>;
template class MixtureFlowEngine<double>;

}  // namespace vida
