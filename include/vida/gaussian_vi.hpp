#pragma once

#include <functional>
#include <span>
#include <vector>

#include "vida/checkpoint.hpp"
#include "vida/filter.hpp"
#include "vida/target.hpp"

namespace vida {

enum class GaussianFamily { mean_field, full };

/// How E_q log pi~ is taken: by the tensor Gauss-Hermite rule (d at most 3), without any noise, or over draws that are
/// new in every step.
enum class GaussianExpectation { quadrature, monte_carlo };

struct GaussianViOptions {
  GaussianFamily family = GaussianFamily::full;
  GaussianExpectation expectation = GaussianExpectation::quadrature;
  Precision precision = Precision::float64;
  int nodes = 16;            ///< of the rule, per dimension
  int draws = 256;           ///< per step
  long steps = 4000;         ///< of Adam
  double step = 0.1;         ///< its learning rate, falling to 0 along half a cosine
  double clip = 0;           ///< gradients are scaled down to this norm; 0: never
  double average = 0.25;     ///< Monte Carlo: the result is the mean over this last share of the steps
  std::uint64_t seed = 0;    ///< of the draws, which all problems share
  bool keep_losses = false;  ///< fill losses
};

/// q = N(mean, factor factor') of one problem.
struct GaussianFit {
  Vector mean;                 ///< [d]
  Matrix factor;               ///< L [d, d], lower triangular
  double elbo = 0;             ///< at the result, by the same rule or draws as the steps
  double elbo_error = 0;       ///< standard error of elbo; 0 for the quadrature rule
  std::vector<double> losses;  ///< -ELBO before each step
  long flagged_at = -1;  ///< step whose loss or gradient was not finite; the result is the last good one before it
};

/// C = L L' of a fit, [d, d].
Matrix covariance(const GaussianFit& fit);

/// Done so far: problems times steps, of all. Return false to stop: problems keep what they have.
using FitProgress = std::function<bool(double share)>;

/// Fits one Gaussian to each posterior pi~(u; observations[i]) by stochastic or exact gradient descent on -ELBO, all
/// problems at once; no problem influences another. observations: [problem, p] (for a target without data [1, 0]).
/// Starts at N(0, I). `checkpoints` may be null. Throws InvalidArgument for shapes, NaN in an observation, and counts
/// that are not positive.
std::vector<GaussianFit> fit_gaussian(const Device& device, const Target& target, const Matrix& observations,
                                      const GaussianViOptions& options = {}, const FitProgress& progress = {},
                                      Checkpoints* checkpoints = nullptr);

/// Device memory that fit_gaussian() takes for the problems that it fits at once. Throws as it does.
std::size_t gaussian_vi_bytes(const Device& device, const Target& target, const Matrix& observations,
                              const GaussianViOptions& options = {});

/// -ELBO at q = N(mean, factor factor'), with the expectation over given points z of equal weight, and its gradient.
struct GaussianLoss {
  double value = 0;
  Vector mean_gradient;    ///< [d]
  Matrix factor_gradient;  ///< with respect to the entries of L [d, d], 0 above the diagonal
};

/// mean: [d], factor: [d, d] lower triangular without zeros on its diagonal, z: [draw, d]. Throws InvalidArgument for
/// other shapes and for a singular factor.
GaussianLoss gaussian_loss(const Device& device, const Target& target, std::span<const double> observation,
                           const Vector& mean, const Matrix& factor, const Matrix& z);

}  // namespace vida
