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

/// The rule of a weight function that is even and integrates to `total`: eigenvalues and first components of the
/// eigenvectors of the Jacobi matrix, whose off-diagonal is `coupling(k)`, k = 1 .. order - 1 (Golub and Welsch 1969).
template <class Coupling>
QuadratureRule golub_welsch(int order, double total, Coupling coupling) {
  Eigen::VectorXd off_diagonal(order - 1);
  for (int k = 1; k < order; ++k) off_diagonal[k - 1] = coupling(k);
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  solver.computeFromTridiagonal(Eigen::VectorXd::Zero(order), off_diagonal);
  QuadratureRule rule{Matrix({order, 1}), Vector({order})};
  const auto weight = [&](int i) { return total * std::pow(solver.eigenvectors()(0, i), 2); };
  for (int i = 0; i < order; ++i) {
    const int mirror = order - 1 - i;  // averaging the two sides makes odd moments vanish exactly
    rule.nodes(i, 0) = 0.5 * (solver.eigenvalues()[i] - solver.eigenvalues()[mirror]);
    rule.weights[i] = 0.5 * (weight(i) + weight(mirror));
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
