#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vida/array.hpp"
#include "vida/device.hpp"

namespace vida {

template <class Real>
class PreparedTarget;  // a target on one device, src/inference/prepared_target.hpp

/// Draws of (u, y) from the joint law of an inverse problem.
struct JointDraws {
  Matrix u;  ///< [draw, d]
  Matrix y;  ///< [draw, p]
};

/// A density pi~(u; y) over R^d, known up to a constant: what variational inference approximates. One target serves a
/// batch of problems, which differ in their observation y alone.
class Target {
 public:
  virtual ~Target() = default;
  virtual std::string name() const = 0;
  virtual int dimension() const = 0;     ///< d
  virtual int observations() const = 0;  ///< p, numbers in y; 0 for a density without data

  /// The target with what it needs in the executor's memory.
  virtual std::unique_ptr<PreparedTarget<float>> prepare_float32(Executor& executor) const = 0;
  virtual std::unique_ptr<PreparedTarget<double>> prepare_float64(Executor& executor) const = 0;
};

/// Draws u ~ N(0, I) and y = G(u) + noise. Draw i depends on (seed, first + i) alone. Throws InvalidArgument for a
/// target without data, or one whose forward map is not known.
JointDraws simulate(const Device& device, const Target& target, long count, std::uint64_t seed, long first = 0);

/// log pi~ at each point. u: [point, d]; y: [p].
std::vector<double> log_density(const Device& device, const Target& target, View<const double, 2> u,
                                std::span<const double> y);

/// The same for many problems at once. u: [problem, point, d]; observations: [problem, p]. Returns [problem, point].
Matrix log_density(const Device& device, const Target& target, View<const double, 3> u, const Matrix& observations);

/// log pi~(.; y) of one point at a time, on the CPU: what quadrature integrates.
std::function<double(std::span<const double>)> log_density_function(std::shared_ptr<const Target> target,
                                                                    std::span<const double> y);

/// Biochemical oxygen demand at times 1 .. 5: A (1 - exp(-B t)), A = 0.4 + 0.8 Phi(u_1), B = 0.01 + 0.3 Phi(u_2),
/// u ~ N(0, I_2), with noise of the given variance.
std::shared_ptr<const Target> oxygen_demand(double noise_variance = 1e-3);

/// y = A u + noise of the given variance, u ~ N(0, I_d), with A [p, d]; d and p at most 64.
std::shared_ptr<const Target> linear_gaussian(const Matrix& A, double noise_variance);

/// The exact posterior of a linear_gaussian target.
struct GaussianPosteriorTruth {
  Vector mean;
  Matrix covariance;
  double log_evidence = 0;
};
GaussianPosteriorTruth linear_gaussian_posterior(const Matrix& A, double noise_variance, std::span<const double> y);

/// u_1 ~ N(0, width^2), u_2 given u_1 ~ N(bend (u_1^2 - width^2), 1): a normalised density of two dimensions.
std::shared_ptr<const Target> banana(double width = 1.0, double bend = 1.0);

/// Two crescents on a ring of radius 2 (Rezende and Mohamed 2015), not normalised.
std::shared_ptr<const Target> two_moons();

/// A target of the user's own, computed on the host: returns log pi~(u; y) and writes its
/// gradient [d]. With a GPU the points are copied.
using LogDensityFunction =
    std::function<double(std::span<const double> u, std::span<const double> y, std::span<double> gradient)>;
std::shared_ptr<const Target> user_target(std::string name, int dimension, int observations,
                                          LogDensityFunction log_density);

}  // namespace vida
