#include "tridiagonal.cuh"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <vector>

#include "backend/host/team.hpp"

namespace vida::kernels {
namespace {

using Dense = Eigen::MatrixXd;
using Column = Eigen::VectorXd;

/// G = Y'Y of `rank` rows, g = Y'd.
struct System {
  Dense G;
  Column g;

  System(int n, int rank, double scale) {
    Dense Y(rank, n);
    Column d(rank);
    for (int i = 0; i < rank; ++i) {
      d[i] = std::cos(3.1 * i + 1);
      for (int j = 0; j < n; ++j) Y(i, j) = scale * std::sin(12.9898 * (i * n + j + 1));
    }
    G = Y.transpose() * Y;
    g = Y.transpose() * d;
  }
};

/// The reduced form of a system, with its memory.
struct Reduced {
  int n, ld;
  std::vector<double> memory;
  Tridiagonal<double> form;

  explicit Reduced(const System& system)
      : n(static_cast<int>(system.g.size())),
        ld(static_cast<int>(padded(n, 8))),
        memory(size(ld), NAN),
        form(in(memory, ld)) {
    std::vector<double> A(static_cast<std::size_t>(padded(n, kTileRows) * ld), NAN);
    for (int i = 0; i < n; ++i) {
      form.vector[i] = system.g[i];
      for (int j = 0; j < n; ++j) A[static_cast<std::size_t>(i * ld + j)] = system.G(i, j);
    }
    tridiagonalize(host::Team(nullptr), n, A.data(), ld, form);
  }

 private:
  static std::size_t size(int ld) {
    Pieces<double> count;
    (void)Tridiagonal<double>(count, ld);
    return static_cast<std::size_t>(count.used);
  }
  static Tridiagonal<double> in(std::vector<double>& memory, int ld) {
    Pieces<double> pieces{memory.data()};
    return {pieces, ld};
  }
};

/// A backward stable reduction changes G by some roundings of its norm, so the solutions by that over the shift.
TEST(Tridiagonal, SolvesShiftedSystems) {
  for (const int n : {1, 2, 3, 5, 8, 24, 41})
    for (const int rank : {1, 5, 60})
      for (const double scale : {1e-200, 1e-9, 1.0, 1e3}) {
        const System system(n, rank, scale);
        const Reduced reduced(system);
        for (const double shift : {0.5, 23.0}) {
          const Dense inverse = (system.G + shift * Dense::Identity(n, n)).inverse();
          const Column expected = inverse * system.g;
          Column x(n), twice(n), work(n);
          solve_shifted(n, reduced.form, shift, reduced.form.vector, x.data(), work.data());
          solve_shifted(n, reduced.form, shift, x.data(), twice.data(), work.data());
          const double accuracy = 1e-15 * n * (1 + system.G.norm() / shift);
          EXPECT_NEAR(x.norm(), expected.norm(), accuracy * expected.norm()) << n << " " << rank << " " << scale;
          EXPECT_NEAR(x.dot(twice), expected.dot(inverse * expected), accuracy * expected.squaredNorm() / shift);
          EXPECT_NEAR(inverse_trace(n, reduced.form, shift), inverse.trace(), accuracy * inverse.trace());
        }
      }
}

TEST(Tridiagonal, KeepsTheEigenvalues) {
  const System system(9, 12, 1);
  const Reduced reduced(system);
  Dense T = Dense::Zero(9, 9);
  for (int k = 0; k < 9; ++k) {
    T(k, k) = reduced.form.diagonal[k];
    if (k < 8) T(k + 1, k) = T(k, k + 1) = reduced.form.beside[k];
  }
  const Column found = Eigen::SelfAdjointEigenSolver<Dense>(T).eigenvalues();
  const Column expected = Eigen::SelfAdjointEigenSolver<Dense>(system.G).eigenvalues();
  EXPECT_LT((found - expected).norm(), 1e-14 * expected.norm());
}

TEST(Tridiagonal, PassesNaNOn) {
  System system(6, 4, 1);
  system.G(3, 2) = system.G(2, 3) = NAN;
  const Reduced reduced(system);
  EXPECT_TRUE(std::isnan(inverse_trace(6, reduced.form, 1.0)));
}

}  // namespace
}  // namespace vida::kernels
