#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backends.hpp"
#include "vida/vida.hpp"

namespace vida {
namespace {

StateSpaceModel system_of(int n, double q, double r) {
  return {.model = Lorenz96{.n = n},
          .process_noise = scaled_identity(n, q),
          .observation_operator = scaled_identity(n, 1.0),
          .observation_noise = scaled_identity(n, r),
          .initial_mean = Vector({n}),
          .initial_covariance = scaled_identity(n, 1.0)};
}

class Twin : public testing::OnEveryBackend {};

VIDA_ON_EVERY_BACKEND(Twin);

TEST_P(Twin, ObservationsAreTheTruthPlusNoiseOfTheGivenVariance) {
  const StateSpaceModel system = system_of(40, 0.1, 2.0);
  const TwinOptions twin{.cycles = 2000, .seed = 3};
  const auto data = simulate(device(1), {&system, 1}, {&twin, 1})[0];
  double sum = 0, squares = 0;
  for (long e = 0; e < data.y.size(); ++e) {
    const double noise = data.y.data()[e] - data.truth.data()[e];
    sum += noise, squares += noise * noise;
  }
  const double count = static_cast<double>(data.y.size());
  EXPECT_NEAR(sum / count, 0.0, 4.5 * std::sqrt(2.0 / count));
  EXPECT_NEAR(squares / count, 2.0, 4.5 * 2.0 * std::sqrt(2.0 / count));
}

/// Of a Laplace law of variance s^2 the fourth moment is 6 s^4, whose estimate has the relative deviation
/// sqrt((2520 - 36) / 36 / count).
TEST_P(Twin, LaplaceNoiseHasTheGivenVarianceAndHeavyTails) {
  const StateSpaceModel system = system_of(40, 0.1, 2.0);
  const TwinOptions twin{.cycles = testing::kOnShim ? 500 : 4000, .seed = 3, .noise = NoiseLaw::laplace};
  const auto data = simulate(device(1), {&system, 1}, {&twin, 1})[0];
  const auto count = static_cast<double>(data.y.size());
  double mean = 0, square = 0, fourth = 0;
  for (long e = 0; e < data.y.size(); ++e) {
    const double noise = data.y.data()[e] - data.truth.data()[e];
    mean += noise / count, square += noise * noise / count, fourth += std::pow(noise, 4) / count;
  }
  EXPECT_NEAR(mean, 0.0, 4.5 * std::sqrt(2.0 / count));
  EXPECT_NEAR(square, 2.0, 4.5 * 2.0 * std::sqrt(5.0 / count));
  EXPECT_NEAR(fourth / 4, 6.0, 4.5 * 6.0 * std::sqrt(69.0 / count));
}

TEST_P(Twin, SeesTheFunctionOfTheComponents) {
  const auto values_of = [](ObservationFunction function, double x) {
    switch (function) {
      case ObservationFunction::identity:
        return x;
      case ObservationFunction::square:
        return x * x;
      case ObservationFunction::cube:
        return x * x * x;
      case ObservationFunction::absolute:
        return std::abs(x);
      case ObservationFunction::exponential:
        return std::exp(x);
    }
    return x;
  };
  for (const auto function : {ObservationFunction::identity, ObservationFunction::square, ObservationFunction::cube,
                              ObservationFunction::absolute, ObservationFunction::exponential}) {
    StateSpaceModel system = system_of(8, 0.1, 1e-24);
    system.observation_operator = scaled_identity(8, 0.5);
    system.observation_function = function;
    const TwinOptions twin{.cycles = 40, .seed = 3};
    const auto data = simulate(device(1), {&system, 1}, {&twin, 1})[0];
    for (long e = 0; e < data.y.size(); ++e) {
      const double expected = values_of(function, 0.5 * data.truth.data()[e]);
      EXPECT_NEAR(data.y.data()[e], expected, 1e-11 + 1e-14 * std::abs(expected));
    }
  }
}

TEST_P(Twin, WithoutNoiseFollowsTheModelFromItsInitialDraw) {
  const StateSpaceModel system = system_of(12, 0.0, 1.0);
  const TwinOptions twin{.cycles = 3, .seed = 9, .problem = 4};
  const auto data = simulate(device(1), {&system, 1}, {&twin, 1})[0];
  Matrix state({1, 12});
  for (long i = 0; i < 12; ++i)
    state(0, i) =
        standard_normal({.seed = 9, .stream = Stream::initial_state, .problem = 4}, static_cast<std::uint32_t>(i));
  for (long j = 0; j < 3; ++j) {
    advance<double>(device(1), std::get<Lorenz96>(system.model), state, 1);
    for (long i = 0; i < 12; ++i) EXPECT_NEAR(data.truth(j, i), state(0, i), 1e-12);
  }
}

TEST_P(Twin, SpinUpOnlyLeavesOutTheFirstCycles) {
  const StateSpaceModel system = system_of(12, 0.1, 1.0);
  const TwinOptions whole{.cycles = 30, .seed = 1}, late{.cycles = 20, .spin_up = 10, .seed = 1};
  const auto a = simulate(device(1), {&system, 1}, {&whole, 1})[0],
             b = simulate(device(1), {&system, 1}, {&late, 1})[0];
  for (long j = 0; j < 20; ++j)
    for (long i = 0; i < 12; ++i) {
      EXPECT_EQ(b.truth(j, i), a.truth(j + 10, i));
      EXPECT_EQ(b.y(j, i), a.y(j + 10, i));
    }
}

TEST_P(Twin, IsTheSameAloneAndInABatch) {
  const StateSpaceModel system = system_of(40, 0.1, 1.0);
  std::vector<TwinOptions> twins;
  for (std::uint64_t seed = 0; seed < 37; ++seed) twins.push_back({.cycles = 20, .seed = seed});
  const auto batch = simulate(device(3), {&system, 1}, twins);
  for (std::size_t k : {0u, 1u, 36u}) {
    const auto alone = simulate(device(1), {&system, 1}, {&twins[k], 1})[0];
    EXPECT_TRUE(batch[k].truth == alone.truth);
    EXPECT_TRUE(batch[k].y == alone.y);
  }
  EXPECT_FALSE(batch[0].y == batch[1].y);
}

TEST_P(Twin, FullCovariancesShapeTheNoise) {
  StateSpaceModel system = system_of(4, 0.0, 1.0);
  system.observation_noise = Matrix({4, 4});
  for (long i = 0; i < 4; ++i)
    for (long j = 0; j < 4; ++j) system.observation_noise(i, j) = i == j ? 2.0 : 0.8;
  const long count = testing::kOnShim && on_cuda() ? 5000 : 20000;
  const TwinOptions twin{.cycles = count, .seed = 2};
  const auto data = simulate(device(), {&system, 1}, {&twin, 1})[0];
  double covariance = 0;
  for (long j = 0; j < count; ++j)
    covariance += (data.y(j, 0) - data.truth(j, 0)) * (data.y(j, 3) - data.truth(j, 3)) / static_cast<double>(count);
  EXPECT_NEAR(covariance, 0.8, 4.5 * std::sqrt((4 + 0.64) / static_cast<double>(count)));
}

TEST(StandardNormal, HasUnitMomentsAndIndependentNeighbours) {
  constexpr std::uint32_t kDraws = 200000;
  double mean = 0, square = 0, fourth = 0, neighbours = 0, last = 0;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    const double z = standard_normal({.seed = 5}, i);
    mean += z / kDraws, square += z * z / kDraws, fourth += z * z * z * z / kDraws, neighbours += z * last / kDraws;
    last = z;
  }
  EXPECT_NEAR(mean, 0, 4.5 / std::sqrt(kDraws));
  EXPECT_NEAR(square, 1, 4.5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(fourth, 3, 4.5 * std::sqrt(96.0 / kDraws));
  EXPECT_NEAR(neighbours, 0, 4.5 / std::sqrt(kDraws));
}

TEST(StandardNormal, ChangesWithEveryPartOfItsKey) {
  const DrawKey key{.seed = 1, .stream = Stream::truth, .problem = 2, .step = 3};
  const double z = standard_normal(key, 4);
  EXPECT_NE(z, standard_normal({2, key.stream, 2, 3}, 4));
  EXPECT_NE(z, standard_normal({1ull << 32 | 1, key.stream, 2, 3}, 4));
  EXPECT_NE(z, standard_normal({1, Stream::training, 2, 3}, 4));
  EXPECT_NE(z, standard_normal({1, key.stream, 5, 3}, 4));
  EXPECT_NE(z, standard_normal({1, key.stream, 2, 5}, 4));
  EXPECT_NE(z, standard_normal(key, 5));
  EXPECT_EQ(z, standard_normal(key, 4));
}

TEST(BadTwin, IsNamed) {
  const StateSpaceModel system = system_of(12, 0.1, 1.0);
  const TwinOptions twin{.cycles = 0};
  try {
    simulate(Device::cpu(1), {&system, 1}, {&twin, 1});
    FAIL();
  } catch (const InvalidArgument& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("a twin asks for 0 cycles"));
  }
}

}  // namespace
}  // namespace vida
