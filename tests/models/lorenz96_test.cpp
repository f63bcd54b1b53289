#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <vector>

#include "backends.hpp"
#include "near.hpp"
#include "vida/vida.hpp"

namespace vida {
namespace {

using testing::relative_error;

/// Slope and step in plain loops with an index modulo, for any number type.
template <class Number>
std::vector<Number> slope(const std::vector<Number>& v, double forcing) {
  const std::size_t n = v.size();
  std::vector<Number> k(n);
  for (std::size_t i = 0; i < n; ++i)
    k[i] = (v[(i + 1) % n] - v[(i + n - 2) % n]) * v[(i + n - 1) % n] - v[i] + forcing;
  return k;
}

template <class Number>
std::vector<Number> reference_step(const std::vector<Number>& v, double dt, double forcing) {
  const auto ahead = [&](const std::vector<Number>& k, double h) {
    auto moved = v;
    for (std::size_t i = 0; i < v.size(); ++i) moved[i] += h * k[i];
    return moved;
  };
  const auto k1 = slope(v, forcing), k2 = slope(ahead(k1, dt / 2), forcing), k3 = slope(ahead(k2, dt / 2), forcing),
             k4 = slope(ahead(k3, dt), forcing);
  auto next = v;
  for (std::size_t i = 0; i < v.size(); ++i) next[i] += dt / 6 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
  return next;
}

Matrix states(long members, long n) {
  Matrix v({members, n});
  for (long m = 0; m < members; ++m)
    for (long i = 0; i < n; ++i)
      v(m, i) =
          3 + 4 * standard_normal({.seed = 7, .problem = static_cast<std::uint32_t>(m)}, static_cast<std::uint32_t>(i));
  return v;
}

TEST(ReferenceSlope, IsRightOnNumbersWorkedByHand) {
  // v = (1, 2, 3, 4), F = 8: dv_0 = (2 - 3) 4 - 1 + 8 = 3, dv_1 = (3 - 4) 1 - 2 + 8 = 5, dv_2 = (4 - 1) 2 - 3 + 8 = 11,
  // dv_3 = (1 - 2) 3 - 4 + 8 = 1
  EXPECT_EQ(slope<double>({1, 2, 3, 4}, 8), (std::vector<double>{3, 5, 11, 1}));
}

constexpr int kSizes[] = {4, 5, 7, 12, 13, 36, 40, 41};

class Lorenz96Maps : public testing::OnEveryBackend {};
class Lorenz96Step : public testing::OnEveryBackend {};

VIDA_ON_EVERY_BACKEND(Lorenz96Maps);
VIDA_ON_EVERY_BACKEND(Lorenz96Step);

TEST_P(Lorenz96Maps, AdvanceLikeTheReference) {
  for (int n : kSizes) {
    SCOPED_TRACE(n);
    const Lorenz96 model{.n = n};
    Matrix v = states(3, n);
    const Matrix start = v;
    advance<double>(device(), model, v, 4);
    for (long m = 0; m < 3; ++m) {
      std::vector<double> expected(start[m].begin(), start[m].end());
      for (int step = 0; step < 4; ++step) expected = reference_step(expected, model.dt, model.forcing);
      EXPECT_LE(relative_error(v[m], expected), 1e-14);
    }
  }
}

TEST_P(Lorenz96Maps, InSinglePrecisionAgreeToItsRounding) {
  for (int n : kSizes) {
    SCOPED_TRACE(n);
    Matrix v = states(1, n);
    Array<float, 2> single({1, n});
    std::copy(v.begin(), v.end(), single.begin());
    advance<double>(device(), {.n = n}, v, 4);
    advance<float>(device(), {.n = n}, single, 4);
    EXPECT_LE(relative_error(single, v), 1e-5);
  }
}

TEST_P(Lorenz96Maps, HaveTheJacobianOfComplexStepDifferentiation) {
  for (int n : kSizes) {
    SCOPED_TRACE(n);
    const Lorenz96 model{.n = n};
    const Matrix v = states(2, n);
    const auto J = jacobian<double>(device(), model, v, 3);
    for (long m = 0; m < 2; ++m)
      for (int c = 0; c < n; ++c) {
        std::vector<std::complex<double>> moved(v[m].begin(), v[m].end());
        moved[static_cast<std::size_t>(c)] += std::complex<double>(0, 1e-100);
        for (int step = 0; step < 3; ++step) moved = reference_step(moved, model.dt, model.forcing);
        for (int i = 0; i < n; ++i) EXPECT_NEAR(J(m, i, c), moved[static_cast<std::size_t>(i)].imag() / 1e-100, 1e-12);
      }
  }
}

TEST_P(Lorenz96Maps, HaveTheJacobianAsTangentAndItsTransposeAsAdjoint) {
  for (int n : kSizes) {
    SCOPED_TRACE(n);
    const Lorenz96 model{.n = n};
    const Matrix v = states(2, n);
    Matrix dv({2, n}), w({2, n});
    for (long e = 0; e < dv.size(); ++e)
      dv.data()[e] = std::sin(1.0 + static_cast<double>(e)), w.data()[e] = std::cos(2.0 * static_cast<double>(e));
    const auto J = jacobian<double>(device(), model, v, 5);
    const auto Jdv = tangent<double>(device(), model, v, dv, 5);
    const auto Jtw = adjoint<double>(device(), model, v, w, 5);
    for (long m = 0; m < 2; ++m) {
      double left = 0, right = 0, scale = 0;
      for (int i = 0; i < n; ++i) {
        double row = 0;
        for (int c = 0; c < n; ++c) row += J(m, i, c) * dv(m, c);
        EXPECT_NEAR(Jdv(m, i), row, 1e-13 * 50);
        left += Jdv(m, i) * w(m, i);
        right += Jtw(m, i) * dv(m, i);
        scale += std::abs(Jdv(m, i) * w(m, i));
      }
      EXPECT_LE(std::abs(left - right), 1e-13 * scale);
    }
  }
}

TEST_P(Lorenz96Step, ConvergesAtOrderFour) {
  const auto at_time = [&](double dt) {
    Matrix v = states(1, 40);
    advance<double>(device(), {.dt = dt}, v, std::lround(0.4 / dt));
    return v;
  };
  const Matrix exact = at_time(0.0005);
  const double coarse = relative_error(at_time(0.01), exact), fine = relative_error(at_time(0.005), exact);
  EXPECT_NEAR(std::log2(coarse / fine), 4.0, 0.25);
}

TEST_P(Lorenz96Step, GivesTheSameBitsAloneAndInABatchOnAnyNumberOfThreads) {
  const Matrix start = states(37, 40);
  Matrix together = start;
  advance<double>(device(3), {}, together, 50);
  for (long m : {0L, 17L, 36L}) {
    Matrix alone({1, 40});
    std::copy(start[m].begin(), start[m].end(), alone.begin());
    advance<double>(device(1), {}, alone, 50);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together[m].begin())) << "member " << m;
  }
}

TEST(BadLorenz96, IsNamed) {
  Matrix v = states(1, 40);
  const auto message = [&](const Lorenz96& model, long steps) -> std::string {
    try {
      advance<double>(Device::cpu(1), model, v, steps);
    } catch (const InvalidArgument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message({.n = 3}, 1), ::testing::HasSubstr("model.n is 3, expected at least 4"));
  EXPECT_THAT(message({.n = 36}, 1), ::testing::HasSubstr("states have shape [1, 40], expected [member, 36]"));
  EXPECT_THAT(message({.dt = -0.1}, 1), ::testing::HasSubstr("model.dt is -0.1"));
  EXPECT_THAT(message({}, -1), ::testing::HasSubstr("steps is -1"));
}

}  // namespace
}  // namespace vida
