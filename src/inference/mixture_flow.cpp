#include "vida/mixture_flow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backend/smaller_chunks.hpp"
#include "inference/columns.hpp"
#include "inference/mixture_flow_engine.hpp"
#include "inference/shard_sums.hpp"
#include "vida/error.hpp"

namespace vida {
namespace {

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

template <class Real>
View<Real, 3> one_problem(View<Real, 2> rows) {
  return {rows.data(), {1, rows.extent(0), rows.extent(1)}};
}

}  // namespace

/// Cuts samples into chunks and brings them to the engine.
template <class Real>
class MixtureFlow<Real>::Implementation {
 public:
  Implementation(const Device& device, const MixtureFlowShape& shape, const FlowOptions& options)
      : device_(device), layout_(checked(shape)), chunk_(chunk_of(options, device)), columns_(device.executor()) {
    parameters_ = Buffer<Real>(executor(), count_of(layout_.size()));
    parameters_.clear();
  }

  const MixtureFlowShape& shape() const { return layout_.shape; }

  void set_parameters(std::span<const double> values) {
    if (std::ssize(values) != layout_.size())
      throw InvalidArgument(
          fmt::format("{} parameters were given, but a flow of this shape has {}.", values.size(), layout_.size()));
    parameters_.upload(std::vector<Real>(values.begin(), values.end()));
  }

  Image image(View<const Real, 2> points, View<const Real, 2> context, bool inverse) {
    const long samples = points.extent(0);
    Image result{Array<Real, 2>({samples, shape().dimension}), Array<Real, 1>({samples})};
    for_chunks(points, context, nullptr, [&](MixtureFlowEngine<Real>& engine, long first) {
      inverse ? engine.inverse(input()) : engine.forward(input(), true);
      columns_.download(engine.points(), one_problem(result.points.view()), first, engine.count());
      executor().download(&result.log_det(first), engine.log_det(), count_of(engine.count()) * sizeof(Real));
    });
    return result;
  }

  Loss negative_log_likelihood(View<const Real, 2> x, View<const Real, 2> context) {
    if (!gradient_.size()) gradient_ = Buffer<Real>(executor(), count_of(layout_.size()));
    const long samples = x.extent(0);
    Loss result{0, Array<Real, 1>({layout_.size()}), Array<Real, 2>({samples, shape().context})};
    for_chunks(x, context, gradient_.data(), [&](MixtureFlowEngine<Real>& engine, long first) {
      ShardSummer<Real> sums(executor(), engine.stride());
      Buffer<Real> weights(executor(), count_of(engine.stride())), values(executor(), count_of(engine.stride()));
      fill_weights(executor(), weights.data(), engine.count(), static_cast<double>(samples));
      context_gradient_ = Buffer<Real>(executor(), count_of(shape().context * engine.stride()));
      context_gradient_.clear();
      engine.inverse(input());
      engine.likelihood_terms(weights.data(), values.data());
      engine.likelihood_backward(input(), weights.data(), first > 0);
      result.loss += sums.total(values.data(), engine.count());
      if (shape().context)
        columns_.download(context_gradient_.data(), one_problem(result.context_gradient.view()), first, engine.count());
    });
    result.loss /= static_cast<double>(samples);
    gradient_.download(result.gradient.data(), gradient_.size());
    return result;
  }

 private:
  static const MixtureFlowShape& checked(const MixtureFlowShape& shape) {
    validate(shape);
    return shape;
  }
  Executor& executor() const { return device_.executor(); }
  NetworkInput<Real> input() const { return {context_.data(), context_gradient_.data(), shape().context}; }

  void expect(const char* name, View<const Real, 2> rows, long samples, long width) const {
    if (rows.extents() != Extents<2>{samples, width} && !(width == 0 && rows.empty()))
      throw InvalidArgument(fmt::format("{} has shape {}, expected {} [sample, number].", name,
                                        to_string<2>(rows.extents()), to_string<2>({samples, width})));
  }

  /// work(engine, first sample) for each chunk, with points and context in place.
  template <class Work>
  void for_chunks(View<const Real, 2> points, View<const Real, 2> context, Real* gradient, Work work) {
    const long samples = std::max(points.extent(0), 1L);
    expect("points", points, samples, shape().dimension);
    expect("context", context, samples, shape().context);
    const long wanted = std::min(chunk_, samples);
    long capacity = wanted;
    const auto take = [&](long smaller) {
      context_ = Buffer<Real>(executor(), count_of(shape().context * round_up(smaller, kernels::kFlowStride)));
      return MixtureFlowEngine<Real>(executor(), shape(), parameters_.data(), gradient, smaller);
    };
    MixtureFlowEngine<Real> engine = with_smaller_chunks(capacity, take, kernels::kFlowShard);
    if (capacity < wanted) chunk_ = capacity;
    for (long first = 0; first < samples; first += chunk_) {
      engine.set_count(std::min(chunk_, samples - first));
      columns_.upload(one_problem(points), first, engine.count(), engine.points());
      if (shape().context) columns_.upload(one_problem(context), first, engine.count(), context_.data());
      work(engine, first);
    }
  }

  Device device_;
  MixtureFlowLayout layout_;
  long chunk_;
  Buffer<Real> parameters_, gradient_, context_, context_gradient_;
  Columns<Real> columns_;
};

template <class Real>
MixtureFlow<Real>::MixtureFlow(const Device& device, const MixtureFlowShape& shape, const FlowOptions& options)
    : implementation_(std::make_unique<Implementation>(device, shape, options)) {}
template <class Real>
MixtureFlow<Real>::~MixtureFlow() = default;
template <class Real>
MixtureFlow<Real>::MixtureFlow(MixtureFlow&&) noexcept = default;

template <class Real>
const MixtureFlowShape& MixtureFlow<Real>::shape() const {
  return implementation_->shape();
}
template <class Real>
void MixtureFlow<Real>::set_parameters(std::span<const double> parameters) {
  implementation_->set_parameters(parameters);
}
template <class Real>
typename MixtureFlow<Real>::Image MixtureFlow<Real>::forward(View<const Real, 2> z, View<const Real, 2> context) {
  return implementation_->image(z, context, false);
}
template <class Real>
typename MixtureFlow<Real>::Image MixtureFlow<Real>::inverse(View<const Real, 2> x, View<const Real, 2> context) {
  return implementation_->image(x, context, true);
}
template <class Real>
typename MixtureFlow<Real>::Loss MixtureFlow<Real>::negative_log_likelihood(View<const Real, 2> x,
                                                                            View<const Real, 2> context) {
  return implementation_->negative_log_likelihood(x, context);
}

template class MixtureFlow<float>;
template class MixtureFlow<double>;

}  // namespace vida
