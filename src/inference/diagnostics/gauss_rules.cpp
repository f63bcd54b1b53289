#include <fmt/format.h>

#include <Eigen/Eigenvalues>
#include <cmath>

#include "vida/quadrature.hpp"

namespace vida {
namespace {

constexpr int kLargestOrder = 200;

void check_order(int order) {
  if (order < 1 || order > kLargestOrder)
    throw InvalidArgument(fmt::format("order is {}; a Gauss rule has 1 .. {} nodes here.", order, kLargestOrder));
}

/// The rule of an even weight function that integrates to `total`, whose orthonormal polynomials obey
///   coupling(k + 1) p_{k+1}(x) = x p_k(x) - coupling(k) p_{k-1}(x),   p_0 = 1.
/// Nodes: eigenvalues of the Jacobi matrix (Golub and Welsch 1969), then a Newton step; weights: total / sum_k p_k^2.
/// Weights from eigenvectors would be good to 1e-16 of the largest only, and the small ones matter to high moments.
template <class Coupling>
QuadratureRule golub_welsch(int order, double total, Coupling coupling) {
  Eigen::VectorXd off_diagonal(order - 1);
  for (int k = 1; k < order; ++k) off_diagonal[k - 1] = coupling(k);
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  solver.computeFromTridiagonal(Eigen::VectorXd::Zero(order), off_diagonal, Eigen::EigenvaluesOnly);
  const Eigen::VectorXd& start = solver.eigenvalues();

  struct AtNode {
    double value, slope, squares;  // of p_order; sum of p_k^2 below it
  };
  const auto evaluate = [&](double x) {
    double before = 0, value = 1, slope_before = 0, slope = 0, squares = 0;
    for (int k = 0; k < order; ++k) {
      squares += value * value;
      const double lower = k == 0 ? 0 : coupling(k), upper = coupling(k + 1);
      const double next = (x * value - lower * before) / upper;
      const double next_slope = (value + x * slope - lower * slope_before) / upper;
      before = value, value = next, slope_before = slope, slope = next_slope;
    }
    return AtNode{value, slope, squares};
  };
  QuadratureRule rule{Matrix({order, 1}), Vector({order})};
  for (int i = 0; i < order; ++i) {
    double x = 0.5 * (start[i] - start[order - 1 - i]);  // symmetric, so that odd moments vanish exactly
    const AtNode at = evaluate(x);
    x -= at.value / at.slope;
    rule.nodes(i, 0) = x;
    rule.weights[i] = total / evaluate(x).squares;
  }
  return rule;
}

}  // namespace

QuadratureRule gauss_legendre(int order) {
  check_order(order);
  return golub_welsch(order, 2, [](double k) { return k / std::sqrt(4 * k * k - 1); });
}

QuadratureRule gauss_hermite(int order, int dimension) {
  check_order(order);
  if (dimension < 1 || dimension > 3)
    throw InvalidArgument(fmt::format("dimension is {}; a tensor rule works in 1 to 3 dimensions.", dimension));
  const QuadratureRule line = golub_welsch(order, 1, [](double k) { return std::sqrt(k); });
  long count = 1;
  for (int axis = 0; axis < dimension; ++axis) count *= order;
  QuadratureRule rule{Matrix({count, dimension}), Vector({count}, 1.0)};
  for (long node = 0; node < count; ++node) {
    long rest = node;
    for (int axis = dimension - 1; axis >= 0; --axis, rest /= order) {
      rule.nodes(node, axis) = line.nodes(rest % order, 0);
      rule.weights[node] *= line.weights[rest % order];
    }
  }
  return rule;
}

}  // namespace vida
