#include <fmt/format.h>

#include "inference/prepared_target.hpp"
#include "vida/target.hpp"

namespace vida {
namespace {

/// Points come to the host, values go back. The user's function works in double precision.
template <class Real>
class PreparedUserTarget final : public PreparedTarget<Real> {
 public:
  PreparedUserTarget(Executor& executor, std::string name, int dimension, int observations, LogDensityFunction function)
      : executor_(executor), name_(std::move(name)), d_(dimension), p_(observations), function_(std::move(function)) {}

  void evaluate(const PointBatch<Real>& batch) override {
    const auto points = fetched(batch.points, batch.problems * d_ * batch.stride);
    const auto observations = fetched(batch.observations, batch.problems * p_);
    std::vector<Real> values(size(batch.problems * batch.stride)), gradients(points.size());
    std::vector<double> u(size(d_)), y(size(p_)), slope(size(d_));
    for (long problem = 0; problem < batch.problems; ++problem) {
      for (long k = 0; k < p_; ++k) y[size(k)] = observations[size(problem * p_ + k)];
      for (long draw = 0; draw < batch.stride; ++draw) {
        const auto at = [&](long k) { return size((problem * d_ + k) * batch.stride + draw); };
        for (long k = 0; k < d_; ++k) u[size(k)] = points[at(k)];
        values[size(problem * batch.stride + draw)] = static_cast<Real>(function_(u, y, slope));
        for (long k = 0; k < d_; ++k) gradients[at(k)] = static_cast<Real>(slope[size(k)]);
      }
    }
    executor_.upload(batch.log_density, values.data(), values.size() * sizeof(Real));
    executor_.upload(batch.gradient, gradients.data(), gradients.size() * sizeof(Real));
  }

  void simulate(const JointBatch<Real>&) override {
    throw InvalidArgument(fmt::format("target {}: it has no forward map to draw observations from.", name_));
  }

  bool recordable() const override { return false; }

 private:
  static std::size_t size(long value) { return static_cast<std::size_t>(value); }
  std::vector<Real> fetched(const Real* from, long count) {
    std::vector<Real> host(size(count));
    if (count > 0) executor_.download(host.data(), from, host.size() * sizeof(Real));
    return host;
  }
  Executor& executor_;
  std::string name_;
  long d_, p_;
  LogDensityFunction function_;
};

class UserTarget final : public PreparedByOn<UserTarget> {
 public:
  UserTarget(std::string name, int dimension, int observations, LogDensityFunction function)
      : name_(std::move(name)), d_(dimension), p_(observations), function_(std::move(function)) {}
  std::string name() const override { return name_; }
  int dimension() const override { return d_; }
  int observations() const override { return p_; }

  template <class Real>
  std::unique_ptr<PreparedTarget<Real>> on(Executor& executor) const {
    return std::make_unique<PreparedUserTarget<Real>>(executor, name_, d_, p_, function_);
  }

 private:
  std::string name_;
  int d_, p_;
  LogDensityFunction function_;
};

}  // namespace

std::shared_ptr<const Target> user_target(std::string name, int dimension, int observations,
                                          LogDensityFunction log_density) {
  if (dimension < 1 || observations < 0 || !log_density)
    throw InvalidArgument(
        fmt::format("target {}: dimension {} and {} observations; expected at least 1 and 0, and a "
                    "function.",
                    name, dimension, observations));
  return std::make_shared<UserTarget>(std::move(name), dimension, observations, std::move(log_density));
}

}  // namespace vida
