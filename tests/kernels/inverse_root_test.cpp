#include "inverse_root.cuh"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <vector>

#include "backend/host/team.hpp"

namespace vida::kernels {
namespace {

using Dense = Eigen::MatrixXd;

struct Errors {
  double root, inverse;  ///< relative, of M^-1/2 and M^-1
  double condition;      ///< of M
};

/// M = I + Y'Y / (n - 1), Y of five rows with entries up to `scale`.
template <class Real>
Errors errors(int n, double scale) {
  Dense Y(5, n);
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < n; ++j) Y(i, j) = scale * std::sin(12.9898 * (i * n + j + 1));
  const Dense M = Dense::Identity(n, n) + Y.transpose() * Y / (n - 1.0);
  const int ld = static_cast<int>(padded(n, 16)), rows = static_cast<int>(padded(n, kTileRows));
  Pieces<Real> count;
  (void)InverseRootWork<Real>(count, n, ld);
  std::vector<Real> memory(static_cast<std::size_t>(count.used)), m(static_cast<std::size_t>(rows * ld)), Z(m), V(m);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) m[static_cast<std::size_t>(i * ld + j)] = static_cast<Real>(M(i, j));
  Pieces<Real> pieces{memory.data()};
  inverse_root(host::Team(nullptr), n, ld, m.data(), Z.data(), V.data(), InverseRootWork<Real>(pieces, n, ld));
  Dense root(n, n), inverse(n, n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      root(i, j) = static_cast<double>(Z[static_cast<std::size_t>(i * ld + j)]);
      inverse(i, j) = static_cast<double>(V[static_cast<std::size_t>(i * ld + j)]);
    }
  const Eigen::SelfAdjointEigenSolver<Dense> solver(M);
  const Dense exact = solver.operatorInverseSqrt();
  return {(root - exact).norm() / exact.norm(), (inverse - M.inverse()).norm() / M.inverse().norm(),
          solver.eigenvalues().maxCoeff()};
}

/// Errors may grow with the condition and the rounding, by some factor of the size.
TEST(InverseRoot, IsAsExactAsTheConditionAllows) {
  for (const int n : {2, 5, 7, 8, 12, 24, 40})
    for (const double scale : {1e-3, 1.0, 10.0, 1e2, 1e3, 1e4, 1e5}) {
      const Errors found = errors<double>(n, scale);
      EXPECT_LT(found.root, 8 * 2.2e-16 * found.condition + 1e-14) << n << " " << scale;
      EXPECT_LT(found.inverse, 8 * 2.2e-16 * found.condition + 1e-14) << n << " " << scale;
    }
}

TEST(InverseRoot, InSinglePrecisionToo) {
  for (const int n : {7, 24, 40})
    for (const double scale : {1e-3, 1.0, 10.0, 100.0}) {
      const Errors found = errors<float>(n, scale);
      EXPECT_LT(found.root, 8 * 1.2e-7 * found.condition + 4e-6) << n << " " << scale;
    }
}

}  // namespace
}  // namespace vida::kernels
