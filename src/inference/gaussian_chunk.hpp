#pragma once

#include <cmath>
#include <numbers>

#include "backend/archive.hpp"
#include "gaussian_vi.cuh"
#include "inference/prepared_target.hpp"
#include "normals.cuh"
#include "vida/gaussian_vi.hpp"
#include "vida/quadrature.hpp"
#include "vida/random.hpp"

namespace vida {

/// One chunk of problems on the device.
template <class Real>
class GaussianChunk {
 public:
  GaussianChunk(Executor& executor, const Target& target, const GaussianViOptions& options,
                const QuadratureRule& points, long capacity)
      : executor_(executor),
        options_(options),
        layout_{target.dimension(), options.family == GaussianFamily::full},
        p_(target.observations()),
        target_(prepare<Real>(target, executor)) {
    take_points(points);
    const auto take = [&](long each) { return Buffer<Real>(executor, size(capacity * each)); };
    const long parameters = layout_.parameters(), d = layout_.d;
    points_ = take(d * stride_), slope_ = take(d * stride_), log_density_ = take(stride_);
    parameters_ = take(parameters), gradient_ = take(parameters), last_good_ = take(parameters);
    average_ = take(parameters), moments_ = take(2 * parameters), losses_ = take(options.steps + 1);
    observations_ = take(p_);
    flagged_at_ = Buffer<int>(executor, size(capacity));
  }

  /// Bytes of one problem with so many points.
  static long bytes(const Target& target, const GaussianViOptions& options, long points) {
    const long d = target.dimension();
    const GaussianLayout layout{target.dimension(), options.family == GaussianFamily::full};
    return static_cast<long>(sizeof(Real)) * ((2 * d + 1) * round_up(points, kDrawStride) + 6L * layout.parameters() +
                                              options.steps + 1 + target.observations() + 1);
  }

  void start(const Matrix& observations, long first, long problems) {
    problems_ = problems;
    const double* from = observations.data() + first * p_;
    observations_.upload(std::vector<Real>(from, from + problems * p_));
    std::vector<Real> identity(size(problems * layout_.parameters()), Real(0));
    for (long i = 0; i < problems; ++i)
      for (int k = 0; k < layout_.d; ++k) identity[size(i * layout_.parameters() + layout_.diagonal(k))] = Real(1);
    parameters_.upload(identity);
    last_good_.upload(identity);
    average_.clear();
    moments_.clear();
    flagged_at_.upload(std::vector<int>(size(problems), -1));
  }

  /// What the chunk needs to go on after start() with the same problems.
  void name_state(Archive& archive) {
    archive("parameters", parameters_), archive("last_good", last_good_), archive("average", average_);
    archive("moments", moments_), archive("losses", losses_), archive("flagged_at", flagged_at_);
  }

  /// Loss and gradient of one problem at given parameters.
  std::pair<double, std::vector<Real>> loss_at(const std::vector<Real>& parameters) {
    parameters_.upload(parameters);
    evaluate(0, 0, nullptr);
    return {static_cast<double>(losses_.download()[0]), gradient_.download()};
  }

  void step(long number) {
    const double fraction = static_cast<double>(number) / static_cast<double>(options_.steps);
    const double rate = 0.5 * options_.step * (1 + std::cos(std::numbers::pi * fraction));
    evaluate(number, rate, averages(number) ? average_.data() : nullptr);
  }

  /// Loss and gradient once more at the result, without a step.
  std::vector<GaussianFit> finish() {
    if (options_.expectation == GaussianExpectation::monte_carlo && averaged() > 0) {
      auto parameters = parameters_.download(), sums = average_.download();
      const auto flags = flagged_at_.download();
      const Real count = static_cast<Real>(averaged());
      for (std::size_t i = 0; i < size(problems_ * layout_.parameters()); ++i)
        if (flags[i / size(layout_.parameters())] < 0) parameters[i] = sums[i] / count;
      parameters_.upload(parameters);
    }
    evaluate(options_.steps, 0, nullptr);
    return results();
  }

 private:
  static std::size_t size(long value) { return static_cast<std::size_t>(value); }

  using GaussianLayout = kernels::GaussianLayout;

  long averaged() const { return static_cast<long>(options_.average * static_cast<double>(options_.steps)); }
  bool averages(long number) const {
    return options_.expectation == GaussianExpectation::monte_carlo && number >= options_.steps - averaged();
  }

  /// Weighted points to the device, columns padded by points of weight 0.
  void take_points(const QuadratureRule& rule) {
    count_ = rule.weights.size();
    stride_ = round_up(count_, kDrawStride);
    std::vector<Real> z(size(layout_.d * stride_), Real(0)), weights(size(stride_), Real(0));
    for (long i = 0; i < count_; ++i) {
      weights[size(i)] = static_cast<Real>(rule.weights[i]);
      for (long k = 0; k < layout_.d; ++k) z[size(k * stride_ + i)] = static_cast<Real>(rule.nodes(i, k));
    }
    z_ = uploaded(executor_, z);
    weights_ = uploaded(executor_, weights);
  }

  void evaluate(long number, double rate, Real* average) {
    if (options_.expectation == GaussianExpectation::monte_carlo)
      launch(executor_, {.items = (count_ + kernels::kNormalBlock - 1) / kernels::kNormalBlock},
             kernels::StandardNormals<Real>{z_.data(), layout_.d, stride_, count_, 0, options_.seed,
                                            static_cast<std::uint32_t>(Stream::training),
                                            static_cast<std::uint32_t>(number)});
    launch_lanes(executor_, problems_ * stride_,
                 kernels::GaussianPoints<Real>{layout_, parameters_.data(), z_.data(), points_.data(), stride_});
    target_->evaluate({problems_, stride_, points_.data(), observations_.data(), log_density_.data(), slope_.data()});
    const auto correction = [&](double beta) {
      return static_cast<Real>(1 / (1 - std::pow(beta, static_cast<double>(number + 1))));
    };
    const kernels::AdamStep<Real> adam{
        static_cast<Real>(rate),         Real(0.9), Real(0.999), Real(1e-8), correction(0.9), correction(0.999),
        static_cast<Real>(options_.clip)};
    using Kernel = kernels::GaussianStep<Real>;
    launch(executor_, {.items = problems_, .scratch_bytes = Kernel::scratch_bytes(layout_)},
           Kernel{.layout = layout_,
                  .adam = adam,
                  .z = z_.data(),
                  .weights = weights_.data(),
                  .log_density = log_density_.data(),
                  .slope = slope_.data(),
                  .parameters = parameters_.data(),
                  .gradient = gradient_.data(),
                  .moments = moments_.data(),
                  .last_good = last_good_.data(),
                  .average = average,
                  .losses = losses_.data(),
                  .flagged_at = flagged_at_.data(),
                  .stride = stride_,
                  .step = number,
                  .steps = options_.steps + 1});
  }

  std::vector<GaussianFit> results() const {
    const auto parameters = parameters_.download(), losses = losses_.download(), log_density = log_density_.download();
    const auto flags = flagged_at_.download();
    std::vector<GaussianFit> fits;
    for (long i = 0; i < problems_; ++i) {
      const Real* theta = parameters.data() + i * layout_.parameters();
      const Real* loss = losses.data() + i * (options_.steps + 1);
      GaussianFit fit;
      fit.mean = Vector({layout_.d});
      fit.factor = Matrix({layout_.d, layout_.d});
      for (int k = 0; k < layout_.d; ++k) {
        fit.mean[k] = theta[k];
        const int first = k + 1 - layout_.row(k);
        for (int c = first; c <= k; ++c) fit.factor(k, c) = theta[layout_.factor(k) + c - first];
      }
      for (int c = 0; c < layout_.d; ++c)  // q does not see the sign of a column
        if (fit.factor(c, c) < 0)
          for (int k = c; k < layout_.d; ++k) fit.factor(k, c) = -fit.factor(k, c);
      fit.elbo = -static_cast<double>(loss[options_.steps]);
      fit.elbo_error = error_of_mean(log_density.data() + i * stride_);
      fit.flagged_at = flags[size(i)];
      if (options_.keep_losses) fit.losses.assign(loss, loss + options_.steps);
      fits.push_back(std::move(fit));
    }
    return fits;
  }

  /// Standard error of the mean of a problem's log densities; the entropy is exact.
  double error_of_mean(const Real* values) const {
    if (options_.expectation == GaussianExpectation::quadrature) return 0;
    const double n = static_cast<double>(count_);
    double mean = 0, squares = 0;
    for (long s = 0; s < count_; ++s) mean += static_cast<double>(values[s]) / n;
    for (long s = 0; s < count_; ++s) squares += std::pow(static_cast<double>(values[s]) - mean, 2);
    return std::sqrt(squares / (n - 1) / n);
  }

  Executor& executor_;
  const GaussianViOptions& options_;
  GaussianLayout layout_;
  long p_, problems_ = 0, stride_ = 0, count_ = 0;
  std::unique_ptr<PreparedTarget<Real>> target_;
  Buffer<Real> z_, weights_, points_, slope_, log_density_, parameters_, gradient_, last_good_, average_, moments_,
      losses_, observations_;
  Buffer<int> flagged_at_;
};

}  // namespace vida
