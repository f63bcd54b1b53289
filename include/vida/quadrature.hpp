#pragma once

#include <functional>
#include <span>

#include "vida/array.hpp"
#include "vida/error.hpp"

namespace vida {

/// Nodes and weights of an integral over one or several dimensions.
struct QuadratureRule {
  Matrix nodes;    ///< [node, d]
  Vector weights;  ///< [node]
};

/// Tensor Gauss-Hermite rule for E f(z), z ~ N(0, I_d): order^d nodes whose weights sum to 1, exact for polynomials of
/// degree 2 order - 1 in each component (Golub and Welsch 1969). Throws InvalidArgument unless d is 1 .. 3 and order
/// 1 .. 200.
QuadratureRule gauss_hermite(int order, int dimension = 1);

/// Gauss-Legendre rule on [-1, 1]; weights sum to 2. Throws InvalidArgument unless order is 1 .. 200.
QuadratureRule gauss_legendre(int order);

/// A number for each point of R^d.
using PointFunction = std::function<double(std::span<const double> point)>;

struct QuadratureOptions {
  Vector centre = {};  ///< [d], where to look for the density; empty: 0
  Vector scale = {};   ///< [d], its extent there, standard deviations of the prior; empty: 1
  Matrix box = {};     ///< [d, 2], lower and upper bound of the integral; empty: found from centre and scale
  double tolerance = 1e-8;
  long max_evaluations = 1L << 24;  ///< of the density, in one refinement
};

/// The first moments of a density.
struct DensityMoments {
  double log_evidence = 0;  ///< log of the integral
  Vector mean;              ///< [d]
  Matrix covariance;        ///< [d, d]
  Vector skewness;          ///< [d], third standardised moment
  Vector kurtosis;          ///< [d], fourth standardised moment; 3 for a Gaussian
};

/// Exact integrals of a smooth density known up to a constant, in 1 to 3 dimensions: the truth that approximations are
/// held against. Composite Gauss-Legendre panels, doubled until two refinements agree.
///
/// Without a box, everything within 8 scales of the centre is scanned, the mode found, and a box grown and cropped
/// until the density on its faces is below exp(-60) of the mode. A second mode that is narrower than the scan (1/1000,
/// 1/100, 1/40 of the box's width in 1, 2, 3 dimensions) can be missed: give a box or a smaller scale then.
class DensityQuadrature {
 public:
  /// log_density: may return -infinity, not NaN. Throws InvalidArgument for a dimension other than 1 .. 3, options of
  /// another shape, and NaN; Error when the density does not decay, or when max_evaluations do not reach the tolerance:
  /// absolute for log Z, relative to the standard deviations for the other moments.
  DensityQuadrature(PointFunction log_density, int dimension, const QuadratureOptions& options = {});

  const DensityMoments& moments() const { return moments_; }
  const Matrix& box() const { return box_; }  ///< [d, 2]

  /// E f under the density, refined until two refinements agree to the tolerance, relative to E |f|. Throws Error when
  /// they do not.
  double expectation(const PointFunction& f) const;

 private:
  PointFunction log_density_;
  QuadratureOptions options_;
  Matrix box_;
  long panels_ = 0;  // per dimension, where the moments had converged
  DensityMoments moments_;
};

/// Moments of the density, as above.
DensityMoments quadrature_moments(const PointFunction& log_density, int dimension,
                                  const QuadratureOptions& options = {});

/// E f under the density, as above. For several f keep a DensityQuadrature.
double quadrature_expectation(const PointFunction& f, const PointFunction& log_density, int dimension,
                              const QuadratureOptions& options = {});

}  // namespace vida
