#include "vida/flow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backend/smaller_chunks.hpp"
#include "flow.cuh"
#include "inference/columns.hpp"
#include "inference/flow_engine.hpp"
#include "vida/error.hpp"

namespace vida {
namespace {

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

void expect_extents(const char* name, const Extents<3>& found, const Extents<3>& expected) {
  if (found != expected)
    throw InvalidArgument(fmt::format("{} has shape {}, expected {} [problem, sample, number].", name,
                                      to_string<3>(found), to_string<3>(expected)));
}

}  // namespace

/// Cuts samples into chunks, and turns rows of samples into the columns that the engine works on.
template <class Real>
class Flow<Real>::Implementation {
 public:
  Implementation(const Device& device, const FlowShape& shape, long problems, const FlowOptions& options)
      : device_(device),
        shape_(checked(shape)),
        problems_(problems),
        chunk_(chunk_of(options, device)),
        columns_(device.executor()) {
    if (problems < 1) throw InvalidArgument(fmt::format("flow.problems is {}, expected at least 1.", problems));
    parameters_ = Buffer<Real>(executor(), count_of(problems * parameter_count()));
    parameters_.clear();
  }

  const FlowShape& shape() const { return shape_; }
  long problems() const { return problems_; }

  void set_parameters(long problem, std::span<const double> values) {
    check_problem(problem);
    if (std::ssize(values) != parameter_count())
      throw InvalidArgument(
          fmt::format("{} parameters were given, but a flow of this shape has {}.", values.size(), parameter_count()));
    const std::vector<Real> converted(values.begin(), values.end());
    parameters_.upload(converted.data(), converted.size(), count_of(problem * parameter_count()));
  }

  std::vector<double> parameters(long problem) const {
    check_problem(problem);
    std::vector<Real> values(count_of(parameter_count()));
    parameters_.download(values.data(), values.size(), count_of(problem * parameter_count()));
    return {values.begin(), values.end()};
  }

  FlowImage<Real> image(View<const Real, 3> points, View<const Real, 3> context, bool inverse) {
    check(points, context);
    return image(points.extent(1), context, [&](FlowEngine<Real>& engine, long first) {
      columns_.upload(points, first, engine.count(), engine.input());
      inverse ? engine.inverse() : engine.forward();
    });
  }

  FlowImage<Real> sample(const FlowDraws& draws, long count, View<const Real, 3> context) {
    if (count < 1) throw InvalidArgument(fmt::format("{} draws were asked for, expected at least 1.", count));
    if (draws.first < 0 || draws.first + count > (1L << 32))
      throw InvalidArgument(fmt::format("draws {} .. {} were asked for; draw numbers stay between 0 and 2^32 - 1.",
                                        draws.first, draws.first + count - 1));
    check_context(context, count);
    return image(count, context, [&](FlowEngine<Real>& engine, long first) {
      FlowDraws here = draws;
      here.first += first;
      engine.draw(here);
      engine.forward();
    });
  }

  Array<Real, 2> log_density(View<const Real, 3> x, View<const Real, 3> context) {
    check(x, context);
    Array<Real, 2> result({problems_, x.extent(1)});
    for_chunks(x.extent(1), false, context, [&](FlowEngine<Real>& engine, long first) {
      columns_.upload(x, first, engine.count(), engine.input());
      engine.inverse();
      engine.likelihood_terms();
      download(engine.values(), result, first);
    });
    for (Real& value : result) value = -value;
    return result;
  }

  /// `evaluate(engine, accumulate)` leaves the terms in values() and the gradients where they belong.
  template <class Evaluate>
  FlowLoss<Real> loss(View<const Real, 3> points, View<const Real, 3> context, FlowGradients wanted,
                      Evaluate evaluate) {
    check(points, context);
    FlowLoss<Real> result;
    result.loss.assign(count_of(problems_), 0.0);
    if (wanted.context) result.context_gradient = Array<Real, 3>({problems_, points.extent(1), shape_.context});
    for_chunks(points.extent(1), true, context, [&](FlowEngine<Real>& engine, long first) {
      columns_.upload(points, first, engine.count(), engine.input());
      evaluate(engine, first > 0);
      engine.add_values(result.loss);
      if (wanted.context)
        columns_.download(engine.context_gradient(), result.context_gradient.view(), first, engine.count());
    });
    for (double& value : result.loss) value /= static_cast<double>(points.extent(1));
    if (wanted.parameters) {
      result.gradient = Array<Real, 2>({problems_, parameter_count()});
      executor().download(result.gradient.data(), training_->gradient(),
                          count_of(result.gradient.size()) * sizeof(Real));
    }
    if (wanted.context && context.extent(1) == 1) result.context_gradient = summed(result.context_gradient);
    return result;
  }

 private:
  static const FlowShape& checked(const FlowShape& shape) {
    validate(shape);
    return shape;
  }
  Executor& executor() const { return device_.executor(); }
  long parameter_count() const { return FlowLayout(shape_).size(); }

  void check_problem(long problem) const {
    if (problem < 0 || problem >= problems_)
      throw InvalidArgument(fmt::format("problem {} was asked for, but the batch holds {}.", problem, problems_));
  }
  void check_context(View<const Real, 3> context, long samples) const {
    if (shape_.context == 0 && context.empty()) return;
    const long rows = context.extent(1) == 1 ? 1 : samples;
    expect_extents("context", context.extents(), {problems_, rows, shape_.context});
  }
  void check(View<const Real, 3> points, View<const Real, 3> context) const {
    const long samples = std::max(points.extent(1), 1L);
    expect_extents("points", points.extents(), {problems_, samples, shape_.dimension});
    check_context(context, samples);
  }

  /// work(engine, first sample) for each chunk, with the context in place.
  template <class Work>
  void for_chunks(long samples, bool training, View<const Real, 3> context, Work work) {
    std::optional<FlowEngine<Real>>& engine = training ? training_ : plain_;
    const long wanted = std::min(chunk_, samples);
    long& held = training ? training_capacity_ : plain_capacity_;
    if (wanted > held) {
      engine.reset();
      held = 0;
      long capacity = wanted;
      const auto take = [&](long smaller) {
        engine.emplace(executor(), shape_, problems_, smaller, parameters_.data(), training);
      };
      with_smaller_chunks(capacity, take, kernels::kFlowShard);
      if (capacity < wanted) chunk_ = capacity;
      held = capacity;
    }
    for (long first = 0; first < samples; first += chunk_) {
      engine->set_count(std::min(chunk_, samples - first), samples);
      if (shape_.context) columns_.upload(context, first, engine->count(), engine->context());
      work(*engine, first);
    }
  }

  template <class Fill>
  FlowImage<Real> image(long samples, View<const Real, 3> context, Fill fill) {
    FlowImage<Real> result{Array<Real, 3>({problems_, samples, shape_.dimension}),
                           Array<Real, 2>({problems_, samples})};
    for_chunks(samples, false, context, [&](FlowEngine<Real>& engine, long first) {
      fill(engine, first);
      columns_.download(engine.points(), result.points.view(), first, engine.count());
      download(engine.log_det(), result.log_det, first);
    });
    return result;
  }

  long count_from(long first, long samples) const { return std::min(chunk_, samples - first); }

  void download(const Real* device, Array<Real, 2>& values, long first) {
    const long count = count_from(first, values.extent(1)), stride = round_up(count, kernels::kFlowStride);
    for (long p = 0; p < problems_; ++p)
      executor().download(&values(p, first), device + p * stride, count_of(count) * sizeof(Real));
  }

  /// The gradient of a context that all samples share.
  static Array<Real, 3> summed(const Array<Real, 3>& each) {
    Array<Real, 3> result({each.extent(0), 1, each.extent(2)});
    for (long p = 0; p < each.extent(0); ++p)
      for (long i = 0; i < each.extent(1); ++i)
        for (long k = 0; k < each.extent(2); ++k) result(p, 0, k) += each(p, i, k);
    return result;
  }

  Device device_;
  FlowShape shape_;
  long problems_, chunk_;
  Buffer<Real> parameters_;
  std::optional<FlowEngine<Real>> plain_, training_;
  long plain_capacity_ = 0, training_capacity_ = 0;
  Columns<Real> columns_;
};

template <class Real>
Flow<Real>::Flow(const Device& device, const FlowShape& shape, long problems, const FlowOptions& options)
    : implementation_(std::make_unique<Implementation>(device, shape, problems, options)) {}
template <class Real>
Flow<Real>::~Flow() = default;
template <class Real>
Flow<Real>::Flow(Flow&&) noexcept = default;

template <class Real>
const FlowShape& Flow<Real>::shape() const {
  return implementation_->shape();
}
template <class Real>
long Flow<Real>::problems() const {
  return implementation_->problems();
}
template <class Real>
void Flow<Real>::set_parameters(long problem, std::span<const double> parameters) {
  implementation_->set_parameters(problem, parameters);
}
template <class Real>
std::vector<double> Flow<Real>::parameters(long problem) const {
  return implementation_->parameters(problem);
}
template <class Real>
FlowImage<Real> Flow<Real>::forward(View<const Real, 3> z, View<const Real, 3> context) {
  return implementation_->image(z, context, false);
}
template <class Real>
FlowImage<Real> Flow<Real>::inverse(View<const Real, 3> x, View<const Real, 3> context) {
  return implementation_->image(x, context, true);
}
template <class Real>
Array<Real, 2> Flow<Real>::log_density(View<const Real, 3> x, View<const Real, 3> context) {
  return implementation_->log_density(x, context);
}
template <class Real>
FlowImage<Real> Flow<Real>::sample(const FlowDraws& draws, long count, View<const Real, 3> context) {
  return implementation_->sample(draws, count, context);
}

template <class Real>
FlowLoss<Real> Flow<Real>::negative_log_likelihood(View<const Real, 3> x, View<const Real, 3> context,
                                                   FlowGradients wanted) {
  return implementation_->loss(x, context, wanted, [&](FlowEngine<Real>& engine, bool accumulate) {
    engine.inverse();
    if (wanted.parameters || wanted.context)
      engine.likelihood_backward(wanted, accumulate);
    else
      engine.likelihood_terms();
  });
}

template <class Real>
FlowLoss<Real> Flow<Real>::reverse_kl(View<const Real, 3> z, const FlowTarget<Real>& target,
                                      View<const Real, 3> context, FlowGradients wanted, bool stick_the_landing) {
  return implementation_->loss(z, context, wanted, [&](FlowEngine<Real>& engine, bool accumulate) {
    engine.forward();
    engine.reverse_terms(target, wanted, accumulate, stick_the_landing);
  });
}

template class Flow<float>;
template class Flow<double>;

}  // namespace vida
