// Matrix products against plain loops in double, for both orientations of both operands and extents on either side of
// those of tiles, panels and shards.
#include "backend/gemm.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "backends.hpp"
#include "near.hpp"

namespace vida {
namespace {

using namespace vida::testing;

template <class Real>
std::vector<Real> filled(long size, double phase) {
  std::vector<Real> result(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<Real>(std::sin(phase + 1.7 * static_cast<double>(i)));
  return result;
}

struct Extent {
  int m, n, k;
  bool a_transposed = false, b_transposed = false;
};

/// Two groups of three products; all of a group share B, rows have gaps.
template <class Real>
struct Problem {
  Extent extent;
  long lda = (extent.a_transposed ? extent.m : extent.k) + 3, ldb = (extent.b_transposed ? extent.k : extent.n) + 1;
  long ldc = extent.n + 2;
  long size_a = lda * (extent.a_transposed ? extent.k : extent.m),
       size_b = ldb * (extent.b_transposed ? extent.n : extent.k);
  long size_c = ldc * extent.m;
  std::vector<Real> A = filled<Real>(6 * size_a, 0.1), B = filled<Real>(2 * size_b, 0.5),
                    C = filled<Real>(6 * size_c, 0.9);

  std::vector<Real> computed(const Device& device, Real alpha, Real beta) const {
    Executor& executor = device.executor();
    const auto a = uploaded(executor, A), b = uploaded(executor, B), c = uploaded(executor, C);
    gemm(executor, GemmCall<Real>{.m = extent.m,
                                  .n = extent.n,
                                  .k = extent.k,
                                  .a = {a.data(), lda, extent.a_transposed, size_a, 3 * size_a},
                                  .b = {b.data(), ldb, extent.b_transposed, 0, size_b},
                                  .c = {c.data(), ldc, size_c, 3 * size_c},
                                  .batch = 3,
                                  .groups = 2,
                                  .alpha = alpha,
                                  .beta = beta});
    return c.download();
  }

  /// Also how large the sums of absolute values are, which is what rounding is relative to.
  std::vector<double> expected(double alpha, double beta) const {
    std::vector<double> result(C.begin(), C.end());
    for (long matrix = 0; matrix < 6; ++matrix)
      for (long i = 0; i < extent.m; ++i)
        for (long j = 0; j < extent.n; ++j) {
          double sum = 0;
          for (long k = 0; k < extent.k; ++k)
            sum += at(A, matrix * size_a + (extent.a_transposed ? k * lda + i : i * lda + k)) *
                   at(B, matrix / 3 * size_b + (extent.b_transposed ? j * ldb + k : k * ldb + j));
          double& to = result[static_cast<std::size_t>(matrix * size_c + i * ldc + j)];
          to = alpha * sum + beta * to;
        }
    return result;
  }
  static double at(const std::vector<Real>& from, long i) {
    return static_cast<double>(from[static_cast<std::size_t>(i)]);
  }
};

std::vector<Extent> extents() {
  std::vector<Extent> list;
  for (const auto& [m, n, k] :
       {std::array{1, 1, 1}, {1, 40, 7}, {40, 1, 300}, {3, 5, 16}, {9, 33, 70}, {130, 65, 20}, {17, 48, 513}})
    for (int which = 0; which < 4; ++which) list.push_back({m, n, k, which % 2 > 0, which / 2 > 0});
  return list;
}

using Gemm = OnEveryBackend;
VIDA_ON_EVERY_BACKEND(Gemm);

template <class Real>
void expect_plain_loops(const Device& device) {
  // sums of 513 numbers of size 1 round to some 20 units in the last place of their own size
  const double tolerance = sizeof(Real) == 8 ? 1e-14 : 5e-6;
  for (const Extent& extent : extents()) {
    const Problem<Real> problem{extent};
    for (const auto& [alpha, beta] : {std::pair{1.0, 0.0}, {-0.5, 1.0}, {2.0, 0.25}})
      EXPECT_LE(relative_error(problem.computed(device, static_cast<Real>(alpha), static_cast<Real>(beta)),
                               problem.expected(alpha, beta)),
                tolerance)
          << extent.m << " x " << extent.n << " x " << extent.k << (extent.a_transposed ? ", A'" : "")
          << (extent.b_transposed ? ", B'" : "");
  }
}
TEST_P(Gemm, EqualsPlainLoops) { expect_plain_loops<double>(device()); }
TEST_P(Gemm, EqualsPlainLoopsFloat32) { expect_plain_loops<float>(device()); }

TEST_P(Gemm, WithoutBetaCNeedNotHoldNumbers) {
  Problem<double> problem{{5, 40, 300}};
  const auto expected = problem.computed(device(), 1, 0);
  std::fill(problem.C.begin(), problem.C.end(), NAN);
  const auto found = problem.computed(device(), 1, 0);
  for (long i = 0; i < 5; ++i)
    for (long j = 0; j < 40; ++j)
      EXPECT_EQ(found[static_cast<std::size_t>(i * problem.ldc + j)],
                expected[static_cast<std::size_t>(i * problem.ldc + j)]);
}

/// A product cut along m, n or (at a shard) k gives the bits of the whole, on any number of threads.
TEST(GemmOnTheHost, DoesNotDependOnHowItIsCut) {
  const int m = 140, n = 70, k = 2 * kGemmShard + 30;
  const auto A = filled<float>(m * k, 0.1), B = filled<float>(k * n, 0.5);
  const auto product = [&](int threads, int rows, int columns, int depth) {
    std::vector<float> C(static_cast<std::size_t>(m * n));
    const Device device = Device::cpu(threads);
    for (int l = 0; l < k; l += depth)
      for (int i = 0; i < m; i += rows)
        for (int j = 0; j < n; j += columns)
          gemm(device.executor(), GemmCall<float>{.m = std::min(rows, m - i),
                                                  .n = std::min(columns, n - j),
                                                  .k = std::min(depth, k - l),
                                                  .a = {A.data() + i * k + l, k},
                                                  .b = {B.data() + l * n + j, n},
                                                  .c = {C.data() + i * n + j, n},
                                                  .beta = l ? 1.0f : 0.0f});
    return C;
  };
  const auto whole = product(1, m, n, k);
  for (int threads : {1, 2, 3}) {
    EXPECT_EQ(product(threads, m, n, k), whole);
    EXPECT_EQ(product(threads, 11, 13, kGemmShard), whole);
  }
}

}  // namespace
}  // namespace vida
