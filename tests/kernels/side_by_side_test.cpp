#include "side_by_side.cuh"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <vector>

#include "backend/host/team.hpp"

namespace vida::kernels {
namespace {

using Dense = Eigen::MatrixXd;

Dense matrix(int n, int number, double scale) {
  Dense Y(5, n);
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < n; ++j) Y(i, j) = scale * std::sin(12.9898 * (i * n + j + 1) + number);
  return Dense::Identity(n, n) + Y.transpose() * Y / (n - 1.0);
}

struct Roots {
  std::vector<Dense> roots, inverses;
};

/// Roots and inverses of `count` matrices in places of `group`.
template <class Real>
Roots roots_of(int n, int count, int group, double scale) {
  const auto at = [&](int i, int j, int g) { return static_cast<std::size_t>((i * n + j) * group + g); };
  std::vector<Real> X(static_cast<std::size_t>(n * n * group)), Z(X), V(X), P(X), inverse(X);
  double trace = 0;
  for (int g = 0; g < count; ++g) {
    const Dense M = matrix(n, g, scale);
    trace = std::max(trace, M.trace() - n);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) X[at(i, j, g)] = static_cast<Real>(M(i, j));
  }
  const Real* found =
      side_by_side_inverse_root(host::Team(nullptr), SideBySide{group, count}, n, static_cast<Real>(1 + trace),
                                X.data(), Z.data(), V.data(), P.data(), [&](const Real* from, Real inverse_scale) {
                                  for (std::size_t e = 0; e < inverse.size(); ++e) inverse[e] = inverse_scale * from[e];
                                });
  Roots result;
  for (int g = 0; g < count; ++g) {
    Dense root(n, n), inverted(n, n);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) {
        root(i, j) = static_cast<double>(found[at(i, j, g)]);
        inverted(i, j) = static_cast<double>(inverse[at(i, j, g)]);
      }
    result.roots.push_back(root), result.inverses.push_back(inverted);
  }
  return result;
}

/// Errors may grow with the condition and the rounding, by some factor of the size.
TEST(SideBySide, RootsAreAsExactAsTheConditionAllows) {
  for (const int n : {2, 7, 8, 13})
    for (const double scale : {1e-3, 1.0, 1e2, 1e4}) {
      const Roots found = roots_of<double>(n, 16, 16, scale);
      for (int g = 0; g < 16; ++g) {
        const Eigen::SelfAdjointEigenSolver<Dense> solver(matrix(n, g, scale));
        const Dense exact = solver.operatorInverseSqrt(), inverse = matrix(n, g, scale).inverse();
        const double allowed = 8 * 2.2e-16 * solver.eigenvalues().maxCoeff() + 1e-14;
        const auto place = static_cast<std::size_t>(g);
        EXPECT_LT((found.roots[place] - exact).norm(), allowed * exact.norm()) << n << " " << scale << " " << g;
        EXPECT_LT((found.inverses[place] - inverse).norm(), allowed * inverse.norm()) << n << " " << scale << " " << g;
      }
    }
}

TEST(SideBySide, DoNotDependOnTheirNeighbours) {
  for (const int count : {3, 16, 21}) {
    const Roots many = roots_of<double>(7, count, 32, 2),
                few = roots_of<double>(7, count, static_cast<int>(padded(count, 16)), 2);
    for (std::size_t g = 0; g < static_cast<std::size_t>(count); ++g) {
      EXPECT_EQ(many.roots[g], few.roots[g]) << g;
      EXPECT_EQ(many.inverses[g], few.inverses[g]) << g;
    }
  }
}

TEST(SideBySide, InSinglePrecisionToo) {
  for (const double scale : {1e-3, 1.0, 10.0}) {
    const Roots found = roots_of<float>(7, 16, 16, scale);
    for (int g = 0; g < 16; ++g) {
      const Eigen::SelfAdjointEigenSolver<Dense> solver(matrix(7, g, scale));
      const Dense exact = solver.operatorInverseSqrt();
      EXPECT_LT((found.roots[static_cast<std::size_t>(g)] - exact).norm(),
                (8 * 1.2e-7 * solver.eigenvalues().maxCoeff() + 4e-6) * exact.norm());
    }
  }
}

}  // namespace
}  // namespace vida::kernels
