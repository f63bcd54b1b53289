#include "spd_solve.cuh"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <vector>

#include "backend/host/team.hpp"

namespace vida::kernels {
namespace {

using Dense = Eigen::MatrixXd;

Dense scattered(int rows, int columns) {
  Dense values(rows, columns);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j) values(i, j) = std::sin(12.9898 * (i * columns + j + 1));
  return values;
}

/// Relative error of the solution of (I + scale^2 Y'Y) X = B by the blocks that gemm_tn_upper fills of the matrix.
template <class Real>
double error_of(int n, int columns, double scale) {
  const int lda = static_cast<int>(padded(n, 16)), ldb = static_cast<int>(padded(columns, 16));
  const auto rows = static_cast<std::size_t>(padded(n, kTileRows));
  const Dense Y = scale * scattered(3, n), B = scattered(n, columns);
  const host::Team team(nullptr);
  const auto a = [&](int i, int j) { return static_cast<std::size_t>(i * lda + j); };
  std::vector<Real> y(4 * static_cast<std::size_t>(lda)), matrix(rows * static_cast<std::size_t>(lda), Real(NAN)),
      right(rows * static_cast<std::size_t>(ldb), Real(NAN));
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < n; ++j) y[a(i, j)] = static_cast<Real>(Y(i, j));
  gemm_tn_upper(team, n, 3, y.data(), lda, y.data(), lda, Assign<Real>{matrix.data(), lda});
  for (int i = 0; i < n; ++i) matrix[a(i, i)] += Real(1);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < columns; ++j) right[static_cast<std::size_t>(i * ldb + j)] = static_cast<Real>(B(i, j));
  Pieces<Real> count;
  (void)SpdSolveWork<Real>(count, n, lda, ldb);
  std::vector<Real> memory(static_cast<std::size_t>(count.used), Real(NAN));
  Pieces<Real> pieces{memory.data()};
  spd_solve(team, n, matrix.data(), lda, columns, right.data(), ldb, SpdSolveWork<Real>(pieces, n, lda, ldb));
  const Dense exact = (Dense::Identity(n, n) + Y.transpose() * Y).ldlt().solve(B);
  Dense found(n, columns);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < columns; ++j) found(i, j) = static_cast<double>(right[static_cast<std::size_t>(i * ldb + j)]);
  return (found - exact).norm() / exact.norm();
}

/// Conditions of about 1, 1e2 and 1e5.
TEST(SpdSolve, IsAsExactAsTheConditionAllows) {
  for (const int n : {1, 3, 7, 8, 9, 16, 23, 40, 41})
    for (const int columns : {1, 5, 40})
      for (const double scale : {0.1, 2.0, 60.0}) {
        const double condition = 1 + scale * scale * 1.5 * n;
        EXPECT_LT(error_of<double>(n, columns, scale), 10 * 2.2e-16 * condition) << n << " " << columns << " " << scale;
        EXPECT_LT(error_of<float>(n, columns, scale), 10 * 1.2e-7 * condition) << n << " " << columns << " " << scale;
      }
}

}  // namespace
}  // namespace vida::kernels
