#include "vida/target.hpp"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <cmath>
#include <numbers>

#include "inference/prepared_target.hpp"
#include "inverse_problems.cuh"
#include "normals.cuh"
#include "vida/random.hpp"

namespace vida {
namespace {

void refuse_simulation(const std::string& name) {
  throw InvalidArgument(fmt::format("target {}: it has no forward map to draw observations from.", name));
}

/// A density of kernels/inverse_problems.cuh. `matrix` is memory that it points into.
template <class Density>
class KernelTarget : public PreparedTarget<typename Density::Real> {
 public:
  using Real = typename Density::Real;
  KernelTarget(Executor& executor, std::string name, Density density, Buffer<Real> matrix = {})
      : executor_(executor), name_(std::move(name)), density_(density), matrix_(std::move(matrix)) {}

  void evaluate(const PointBatch<Real>& batch) override {
    launch_lanes(executor_, batch.problems * batch.stride,
                 kernels::EvaluateDensity<Density>{density_, batch.points, batch.observations, batch.log_density,
                                                   batch.gradient, batch.stride});
  }
  void simulate(const JointBatch<Real>&) override { refuse_simulation(name_); }

 protected:
  Executor& executor_;
  std::string name_;
  Density density_;

 private:
  Buffer<Real> matrix_;
};

/// A Gaussian posterior, which knows its forward map.
template <class Map>
class MapTarget final : public KernelTarget<kernels::GaussianPosterior<Map>> {
 public:
  using Real = typename Map::Real;
  using KernelTarget<kernels::GaussianPosterior<Map>>::KernelTarget;

  void simulate(const JointBatch<Real>& batch) override {
    const Map& map = this->density_.map;
    normals(batch, map.dimension(), batch.u, Stream::training);
    normals(batch, map.observations(), batch.noise, Stream::observation_noise);
    launch_lanes(this->executor_, batch.stride,
                 kernels::ForwardDraws<Map>{map, batch.u, batch.noise, batch.y,
                                            Real(1) / std::sqrt(this->density_.noise_precision), batch.stride});
  }

 private:
  void normals(const JointBatch<Real>& batch, long rows, Real* to, Stream stream) {
    launch(this->executor_, {.items = (batch.count + kernels::kNormalBlock - 1) / kernels::kNormalBlock},
           kernels::StandardNormals<Real>{to, rows, batch.stride, batch.count, batch.first, batch.seed,
                                          static_cast<std::uint32_t>(stream), batch.step, batch.clock});
  }
};

/// The posterior of a forward map in either precision.
template <class Map>
kernels::GaussianPosterior<Map> posterior(Map map, double noise_variance) {
  using Real = typename Map::Real;
  const double constant = -0.5 * (map.observations() * std::log(2 * std::numbers::pi * noise_variance) +
                                  map.dimension() * std::log(2 * std::numbers::pi));
  return {map, static_cast<Real>(1 / noise_variance), static_cast<Real>(constant)};
}

void check_variance(const char* name, double variance) {
  if (!(variance > 0) || !std::isfinite(variance))
    throw InvalidArgument(
        fmt::format("target {}: the noise variance is {}, expected a positive number.", name, variance));
}

class OxygenDemandTarget final : public PreparedByOn<OxygenDemandTarget> {
 public:
  explicit OxygenDemandTarget(double noise_variance) : noise_variance_(noise_variance) {
    check_variance("oxygen-demand", noise_variance);
  }
  std::string name() const override { return "oxygen-demand"; }
  int dimension() const override { return 2; }
  int observations() const override { return 5; }

  template <class Real>
  std::unique_ptr<PreparedTarget<Real>> on(Executor& executor) const {
    using Map = kernels::OxygenDemand<Real>;
    return std::make_unique<MapTarget<Map>>(executor, name(), posterior(Map{}, noise_variance_));
  }

 private:
  double noise_variance_;
};

class LinearGaussianTarget final : public PreparedByOn<LinearGaussianTarget> {
 public:
  LinearGaussianTarget(const Matrix& A, double noise_variance) : A_(A), noise_variance_(noise_variance) {
    check_variance("linear-gaussian", noise_variance);
    constexpr long kMost = kernels::LinearMap<double>::kMaxDimension;
    if (A.empty() || A.extent(0) > kMost || A.extent(1) > kMost)
      throw InvalidArgument(
          fmt::format("target linear-gaussian: A has shape {}; expected [p, d] with both from 1 to {}.",
                      to_string<2>(A.extents()), kMost));
    for (const double value : A)
      if (!std::isfinite(value)) throw InvalidArgument("target linear-gaussian: A holds a value that is not finite.");
  }
  std::string name() const override { return "linear-gaussian"; }
  int dimension() const override { return static_cast<int>(A_.extent(1)); }
  int observations() const override { return static_cast<int>(A_.extent(0)); }

  template <class Real>
  std::unique_ptr<PreparedTarget<Real>> on(Executor& executor) const {
    using Map = kernels::LinearMap<Real>;
    auto A = uploaded(executor, std::vector<Real>(A_.begin(), A_.end()));
    const Map map{dimension(), observations(), A.data()};
    return std::make_unique<MapTarget<Map>>(executor, name(), posterior(map, noise_variance_), std::move(A));
  }

 private:
  Matrix A_;
  double noise_variance_;
};

/// A density of two dimensions without data, made for either precision by `make(Real{})`.
template <template <class> class Density, class Make>
class PlainTarget final : public PreparedByOn<PlainTarget<Density, Make>> {
 public:
  PlainTarget(std::string name, Make make) : name_(std::move(name)), make_(make) {}
  std::string name() const override { return name_; }
  int dimension() const override { return 2; }
  int observations() const override { return 0; }

  template <class Real>
  std::unique_ptr<PreparedTarget<Real>> on(Executor& executor) const {
    return std::make_unique<KernelTarget<Density<Real>>>(executor, name_, make_(Real{}));
  }

 private:
  std::string name_;
  Make make_;
};

}  // namespace

std::shared_ptr<const Target> oxygen_demand(double noise_variance) {
  return std::make_shared<OxygenDemandTarget>(noise_variance);
}

std::shared_ptr<const Target> linear_gaussian(const Matrix& A, double noise_variance) {
  return std::make_shared<LinearGaussianTarget>(A, noise_variance);
}

GaussianPosteriorTruth linear_gaussian_posterior(const Matrix& A, double noise_variance, std::span<const double> y) {
  const LinearGaussianTarget checked(A, noise_variance);
  const long p = A.extent(0), d = A.extent(1);
  if (static_cast<long>(y.size()) != p)
    throw InvalidArgument(fmt::format("linear_gaussian_posterior: y has {} numbers, A has {} rows.", y.size(), p));
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> a(A.data(), p, d);
  const Eigen::Map<const Eigen::VectorXd> data(y.data(), p);
  const Eigen::MatrixXd precision = Eigen::MatrixXd::Identity(d, d) + a.transpose() * a / noise_variance;
  const Eigen::LLT<Eigen::MatrixXd> factor(precision);
  GaussianPosteriorTruth truth{Vector({d}), Matrix({d, d}), 0};
  Eigen::Map<Eigen::VectorXd>(truth.mean.data(), d) = factor.solve(a.transpose() * data / noise_variance);
  Eigen::Map<RowMajor>(truth.covariance.data(), d, d) = factor.solve(Eigen::MatrixXd::Identity(d, d));
  const Eigen::MatrixXd of_y = noise_variance * Eigen::MatrixXd::Identity(p, p) + a * a.transpose();
  const Eigen::LLT<Eigen::MatrixXd> factor_y(of_y);
  const double log_det = 2 * factor_y.matrixL().toDenseMatrix().diagonal().array().log().sum();
  truth.log_evidence =
      -0.5 * (data.dot(factor_y.solve(data)) + log_det + static_cast<double>(p) * std::log(2 * std::numbers::pi));
  return truth;
}

std::shared_ptr<const Target> banana(double width, double bend) {
  if (!(width > 0) || !std::isfinite(width) || !std::isfinite(bend))
    throw InvalidArgument(
        fmt::format("target banana: width {} and bend {}; expected a positive and a finite number.", width, bend));
  const auto make = [=]<class Real>(Real) {
    return kernels::Banana<Real>{static_cast<Real>(width), static_cast<Real>(bend),
                                 static_cast<Real>(-std::log(2 * std::numbers::pi * width))};
  };
  return std::make_shared<PlainTarget<kernels::Banana, decltype(make)>>("banana", make);
}

std::shared_ptr<const Target> two_moons() {
  const auto make = []<class Real>(Real) { return kernels::TwoMoons<Real>{}; };
  return std::make_shared<PlainTarget<kernels::TwoMoons, decltype(make)>>("two-moons", make);
}

}  // namespace vida
