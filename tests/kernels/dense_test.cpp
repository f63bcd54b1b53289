#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "backend/host/team.hpp"
#include "band.cuh"
#include "near.hpp"
#include "spd.cuh"

namespace vida::kernels {
namespace {

using testing::relative_error;
const host::Team team(nullptr);

template <class Real>
int pad(int n) {
  return static_cast<int>(padded(n, width<host::Team::Pack<Real>, Real>));
}

/// A rows x ld matrix with entries sin(...), so that nothing is symmetric by accident.
template <class Real>
std::vector<Real> filled(int rows, int ld, double phase) {
  std::vector<Real> M(static_cast<std::size_t>(padded(rows, 4) * ld));
  for (std::size_t e = 0; e < M.size(); ++e) M[e] = static_cast<Real>(std::sin(phase + 1.7 * static_cast<double>(e)));
  return M;
}

/// X X' + I, positive definite, padding spoiled with NaN.
template <class Real>
std::vector<Real> definite(int n, int ld) {
  const auto X = filled<Real>(n, ld, 0.3);
  std::vector<Real> A(static_cast<std::size_t>(padded(n, 4) * ld), Real(NAN));
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      Real sum = i == j ? Real(1) : Real(0);
      for (int k = 0; k < n; ++k)
        sum += X[static_cast<std::size_t>(i * ld + k)] * X[static_cast<std::size_t>(j * ld + k)];
      A[static_cast<std::size_t>(i * ld + j)] = sum;
    }
  return A;
}

template <class Real>
class Dense : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Dense, Reals);

template <class Real>
constexpr double kTolerance = sizeof(Real) == 8 ? 1e-13 : 1e-5;

TYPED_TEST(Dense, ProductEqualsThePlainTripleLoop) {
  using Real = TypeParam;
  for (int rows : {1, 4, 7, 40})
    for (int columns : {1, 8, 17, 40, 41, 90})
      for (int depth : {1, 5, 40}) {
        const int lda = pad<Real>(depth), ld = pad<Real>(columns);
        const auto A = filled<Real>(rows, lda, 0.1), B = filled<Real>(depth, ld, 0.7);
        std::vector<Real> C(static_cast<std::size_t>(padded(rows, 4) * ld)), got, expected;
        gemm(team, rows, columns, depth, A.data(), lda, B.data(), ld, Assign<Real>{C.data(), ld});
        for (int i = 0; i < rows; ++i)
          for (int j = 0; j < columns; ++j) {
            Real sum = 0;
            for (int k = 0; k < depth; ++k)
              sum += A[static_cast<std::size_t>(i * lda + k)] * B[static_cast<std::size_t>(k * ld + j)];
            expected.push_back(sum);
            got.push_back(C[static_cast<std::size_t>(i * ld + j)]);
          }
        EXPECT_LE(relative_error(got, expected), kTolerance<Real>) << rows << " x " << columns << " x " << depth;
      }
}

TYPED_TEST(Dense, InverseTimesMatrixIsTheIdentityAndPivotsGiveTheDeterminant) {
  using Real = TypeParam;
  for (int n : {1, 2, 7, 8, 9, 12, 16, 23, 40}) {
    const int ld = pad<Real>(n);
    const auto A = definite<Real>(n, ld);
    auto inverse = A;
    std::vector<Real> work(static_cast<std::size_t>(spd_scratch(n, ld))),
        pivots(static_cast<std::size_t>(padded(n, kBlock)));
    spd_inverse(team, n, inverse.data(), ld, work.data(), pivots.data());
    double worst = 0;
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) {
        double sum = i == j ? -1 : 0;
        for (int k = 0; k < n; ++k)
          sum += static_cast<double>(A[static_cast<std::size_t>(i * ld + k)]) *
                 static_cast<double>(inverse[static_cast<std::size_t>(k * ld + j)]);
        worst = std::isnan(sum) ? NAN : std::max(worst, std::abs(sum));
      }
    EXPECT_LE(worst, 50 * n * kTolerance<Real>) << n;

    auto L = A;
    cholesky(team, n, L.data(), ld);
    double log_det = 0;
    for (int i = 0; i < n; ++i) log_det += 2 * std::log(static_cast<double>(L[static_cast<std::size_t>(i * ld + i)]));
    EXPECT_NEAR(log_determinant(n, pivots.data()), log_det, 20 * n * kTolerance<Real>) << n;
  }
}

TYPED_TEST(Dense, CholeskyFactorTimesItsTransposeIsTheMatrix) {
  using Real = TypeParam;
  const int n = 13, ld = pad<Real>(n);
  const auto A = definite<Real>(n, ld);
  auto L = A;
  cholesky(team, n, L.data(), ld);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int k = 0; k < n; ++k)
        sum += static_cast<double>(L[static_cast<std::size_t>(i * ld + k)]) *
               static_cast<double>(L[static_cast<std::size_t>(j * ld + k)]);
      EXPECT_NEAR(sum, static_cast<double>(A[static_cast<std::size_t>(i * ld + j)]), 20 * kTolerance<Real>);
      if (j > i) {
        EXPECT_EQ(L[static_cast<std::size_t>(i * ld + j)], Real(0));
      }
    }
}

TYPED_TEST(Dense, IndefiniteMatrixGivesANaNDeterminant) {
  using Real = TypeParam;
  const int n = 9, ld = pad<Real>(n);
  auto A = definite<Real>(n, ld);
  A[static_cast<std::size_t>(4 * ld + 4)] = Real(-1);
  std::vector<Real> work(static_cast<std::size_t>(spd_scratch(n, ld))),
      pivots(static_cast<std::size_t>(padded(n, kBlock)));
  spd_inverse(team, n, A.data(), ld, work.data(), pivots.data());
  EXPECT_TRUE(std::isnan(log_determinant(n, pivots.data())));
}

TYPED_TEST(Dense, DotAddsEveryElementOnceForEveryLength) {
  using Real = TypeParam;
  std::vector<Real> x(64), ones(64, Real(1));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<Real>(i + 1);
  for (int n = 0; n <= 64; ++n) {
    EXPECT_EQ(dot(team, n, x.data(), ones.data()), static_cast<Real>(n * (n + 1) / 2));
    EXPECT_EQ(total_of(n, x.data()), static_cast<Real>(n * (n + 1) / 2));
  }
}

/// B as a dense matrix; diagonals that meet in one entry add up.
template <class Real>
std::vector<double> dense_band(int n, const std::vector<Real>& band, int band_ld) {
  std::vector<double> B(static_cast<std::size_t>(n * n), 0.0);
  for (int o = kBandLow; o <= kBandHigh; ++o)
    for (int i = 0; i < n; ++i)
      B[static_cast<std::size_t>(i * n + on_ring(i + o, n))] +=
          static_cast<double>(band[static_cast<std::size_t>((o - kBandLow) * band_ld + kHalo + i)]);
  return B;
}

TYPED_TEST(Dense, BandProductsEqualDenseOnes) {
  using Real = TypeParam;
  for (int n : {4, 5, 12, 13, 40, 41}) {
    const int ld = pad<Real>(n), t_ld = halo_ld(ld), band_ld = ring_stride(n);
    auto band = filled<Real>(16, band_ld, 0.9);
    const auto M = filled<Real>(n, ld, 0.2);
    const auto B = dense_band(n, band, band_ld);
    std::vector<Real> T(static_cast<std::size_t>(padded(n, 4) * t_ld), Real(0)),
        sandwich(static_cast<std::size_t>(padded(n, 4) * ld));
    Real* t = T.data() + kHalo;
    const Band<Real> B_band{band.data() + kHalo, band_ld};
    band_times(team, n, B_band, M.data(), ld, t, t_ld);
    close_columns<Band<Real>>(team, n, t, t_ld);
    times_band_transposed(team, n, t, t_ld, B_band, Assign<Real>{sandwich.data(), ld});
    std::vector<double> BM(static_cast<std::size_t>(n * n), 0.0), expected(BM), got(BM), got_BM(BM);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) {
        for (int k = 0; k < n; ++k)
          BM[static_cast<std::size_t>(i * n + j)] +=
              B[static_cast<std::size_t>(i * n + k)] * static_cast<double>(M[static_cast<std::size_t>(k * ld + j)]);
        got_BM[static_cast<std::size_t>(i * n + j)] = static_cast<double>(t[i * t_ld + j]);
        got[static_cast<std::size_t>(i * n + j)] = static_cast<double>(sandwich[static_cast<std::size_t>(i * ld + j)]);
      }
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j)
        for (int k = 0; k < n; ++k)
          expected[static_cast<std::size_t>(i * n + j)] +=
              BM[static_cast<std::size_t>(i * n + k)] * B[static_cast<std::size_t>(j * n + k)];
    EXPECT_LE(relative_error(got_BM, BM), 10 * kTolerance<Real>) << n;
    EXPECT_LE(relative_error(got, expected), 10 * kTolerance<Real>) << n;

    close_diagonals(team, n, band.data() + kHalo, band_ld);
    band_times(team, n, TransposedBand<Real>{band.data() + kHalo, band_ld}, M.data(), ld, t, t_ld);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) {
        double sum = 0;
        for (int k = 0; k < n; ++k)
          sum += B[static_cast<std::size_t>(k * n + i)] * static_cast<double>(M[static_cast<std::size_t>(k * ld + j)]);
        EXPECT_NEAR(static_cast<double>(t[i * t_ld + j]), sum, 100 * kTolerance<Real>);
      }
  }
}

}  // namespace
}  // namespace vida::kernels
