#include "vida/ensemble.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "backends.hpp"
#include "vida/random.hpp"

namespace vida {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using State = std::vector<double>;

// --- the plain reference: Lorenz-96 as it is written down, one member, indices modulo n ---

State slope(const State& v, double forcing) {
  const std::size_t n = v.size();
  State k(n);
  for (std::size_t i = 0; i < n; ++i)
    k[i] = (v[(i + 1) % n] - v[(i + n - 2) % n]) * v[(i + n - 1) % n] - v[i] + forcing;
  return k;
}

State plus(State v, double factor, const State& k) {
  for (std::size_t i = 0; i < v.size(); ++i) v[i] += factor * k[i];
  return v;
}

State step(const State& v, double forcing, double dt) {
  const State k1 = slope(v, forcing), k2 = slope(plus(v, dt / 2, k1), forcing),
              k3 = slope(plus(v, dt / 2, k2), forcing), k4 = slope(plus(v, dt, k3), forcing);
  return plus(plus(plus(plus(v, dt / 6, k1), dt / 3, k2), dt / 3, k3), dt / 6, k4);
}

State integrate(State v, long steps, double forcing, double dt) {
  for (long i = 0; i < steps; ++i) v = step(v, forcing, dt);
  return v;
}

// --- helpers ---

/// Distinct, smooth states around 8.
Matrix wavy_states(long members, long n) {
  Matrix states({members, n});
  for (long m = 0; m < members; ++m)
    for (long c = 0; c < n; ++c)
      states(m, c) =
          8 +
          std::sin(2 * std::numbers::pi * static_cast<double>(c) / static_cast<double>(n) + static_cast<double>(m)) +
          0.3 * std::cos(static_cast<double>(3 * c + m));
  return states;
}

State row(View<const double, 2> states, long member) { return {states[member].begin(), states[member].end()}; }

/// The states after `steps`, through the snapshots.
Matrix final_states(const Device& device, EnsembleOptions options) {
  options.snapshot_every = options.steps;
  options.snapshot_members = options.initial_states.empty() ? options.members : options.initial_states.extent(0);
  const EnsembleStatistics result = integrate_ensemble(device, options);
  const View<const double, 2> last = result.snapshots.view()[1];
  Matrix states(last.extents());
  std::copy(last.begin(), last.end(), states.begin());
  return states;
}

double largest_difference(View<const double, 2> a, View<const double, 2> b) {
  double largest = 0;
  for (long i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a.data()[i] - b.data()[i]);
    if (std::isnan(difference)) return difference;
    largest = std::max(largest, difference);
  }
  return largest;
}

void expect_same_statistics(const EnsembleStatistics& a, const EnsembleStatistics& b) {
  EXPECT_EQ(a.members, b.members);
  EXPECT_EQ(a.finite_members, b.finite_members);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.variance, b.variance);
  EXPECT_EQ(a.minimum, b.minimum);
  EXPECT_EQ(a.maximum, b.maximum);
}

std::string message_of(const EnsembleOptions& options, const DeviceOptions& device = {.name = "cpu", .threads = 1}) {
  try {
    integrate_ensemble(Device(device), options);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// --- the reference itself ---

TEST(EnsembleReference, SlopeEqualsNumbersWorkedByHand) {
  // v = (1, 2, 4, 7), F = 8: (2 - 4) 7 - 1 + 8 = -7;  (4 - 7) 1 - 2 + 8 = 3;  (7 - 1) 2 - 4 + 8 = 16;  (1 - 2) 4 - 7 +
  // 8 = -3
  EXPECT_EQ(slope({1, 2, 4, 7}, 8), (State{-7, 3, 16, -3}));
}

TEST(EnsembleReference, UniformStateFollowsTheExponentialToOrderFour) {
  // all components equal: dv/dt = F - v, so one step is F + (v - F) (1 - h + h^2/2 - h^3/6 + h^4/24)
  const double h = 0.1, decay = 1 - h + h * h / 2 - h * h * h / 6 + h * h * h * h / 24;
  for (double v : step(State(5, 3.0), 8, h)) EXPECT_NEAR(v, 8 - 5 * decay, 1e-14);
}

TEST(EnsembleReference, AdvectionConservesEnergy) {
  const State v = row(wavy_states(1, 40), 0);
  double sum = 0, scale = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    const double term = v[i] * (v[(i + 1) % 40] - v[(i + 38) % 40]) * v[(i + 39) % 40];
    sum += term;
    scale += std::abs(term);
  }
  EXPECT_LT(std::abs(sum), 40 * 2.2e-16 * scale);  // rounding of 40 terms
}

// --- the kernels ---

class Ensemble : public testing::OnEveryBackend {
 protected:
  bool small() const { return testing::kOnShim && on_cuda(); }
};

VIDA_ON_EVERY_BACKEND(Ensemble);

constexpr int kSizes[] = {4, 5, 8, 12, 20, 36, 40, 41, 80, 131};

TEST_P(Ensemble, AgreesWithTheReference) {
  for (int n : kSizes) {
    SCOPED_TRACE(n);
    const Matrix start = wavy_states(19, n);  // not a multiple of a pack
    EnsembleOptions options{.model = {.n = n}, .steps = 10, .initial_states = start};
    const Matrix doubles = final_states(device(), options);
    options.precision = Precision::float32;
    const Matrix floats = final_states(device(), options);
    for (long m = 0; m < 19; ++m) {
      const State expected = integrate(row(start, m), 10, 8, 0.05);
      for (long c = 0; c < n; ++c) {
        // near v = F perturbations grow at most at the rate 9 F / 8 - 1 = 8, here e^4 = 55 times; forty roundings of
        // 2.4e-7 (float) or 4.4e-16 (double) at values near 8
        EXPECT_NEAR(doubles(m, c), expected[static_cast<std::size_t>(c)], 1e-12)
            << "member " << m << " component " << c;
        EXPECT_NEAR(floats(m, c), expected[static_cast<std::size_t>(c)], 5e-4) << "member " << m << " component " << c;
      }
    }
  }
}

TEST_P(Ensemble, ConvergesAtOrderFour) {
  for (int n : kSizes) {
    SCOPED_TRACE(n);
    const auto at = [&](double dt) {
      return final_states(
          device(), {.model = {.n = n, .dt = dt}, .steps = std::lround(0.5 / dt), .initial_states = wavy_states(1, n)});
    };
    const Matrix fine = at(0.5 / 512);
    const double ratio = largest_difference(at(0.5 / 16), fine) / largest_difference(at(0.5 / 32), fine);
    EXPECT_NEAR(std::log2(ratio), 4.0, 0.35);  // the next order changes the exponent by O(h)
  }
}

TEST_P(Ensemble, EnergyChangesOnlyByForcingAndDamping) {
  for (int n : kSizes) {
    SCOPED_TRACE(n);
    // d/dt |v|^2 / 2 = F sum v - |v|^2, since the advection conserves energy; by Simpson's rule over three steps of
    // 1e-3
    const double dt = 1e-3;
    EnsembleOptions options{
        .model = {.n = n, .dt = dt}, .steps = 2, .initial_states = wavy_states(1, n), .snapshot_every = 1};
    const auto result = integrate_ensemble(device(), options);
    double energy[3] = {}, rate[3] = {};
    for (int s = 0; s < 3; ++s)
      for (long c = 0; c < n; ++c) {
        const double v = result.snapshots(s, 0, c);
        energy[s] += v * v / 2;
        rate[s] += 8 * v - v * v;
      }
    const double expected = dt / 3 * (rate[0] + 4 * rate[1] + rate[2]);
    EXPECT_NEAR(energy[2] - energy[0], expected, 1e-10 * energy[0]);
  }
}

TEST_P(Ensemble, MemberAloneEqualsThatMemberInABatch) {
  const long steps = small() ? 20 : 200;
  for (int n : {40, 41})
    for (Precision precision : {Precision::float32, Precision::float64}) {
      const Matrix start = wavy_states(37, n);
      const Matrix batch =
          final_states(device(), {.model = {.n = n}, .steps = steps, .initial_states = start, .precision = precision});
      for (long m : {0L, 17L, 36L}) {
        Matrix one({1, n});
        for (long c = 0; c < n; ++c) one(0, c) = start(m, c);
        const Matrix alone =
            final_states(device(), {.model = {.n = n}, .steps = steps, .initial_states = one, .precision = precision});
        EXPECT_EQ(row(alone, 0), row(batch, m)) << "n " << n << " member " << m;
      }
    }
}

TEST_P(Ensemble, StatisticsAreBitwiseTheSameForEveryChunkThreadCountAndMemoryLimit) {
  for (int n : {40, 7})
    for (Precision precision : {Precision::float32, Precision::float64}) {
      EnsembleOptions options{.model = {.n = n},
                              .members = small() ? 1100 : 3333,
                              .steps = small() && n == 7 ? 1 : 30,
                              .seed = 5,
                              .precision = precision};
      const auto expected = integrate_ensemble(device(1), options);
      for (int threads : on_cuda() ? std::vector{1} : std::vector{1, 2, 3})
        for (long chunk : small() ? std::vector{1L, 2048L} : std::vector{1L, 1024L, 1500L, 2048L, 5000L}) {
          options.chunk = chunk;
          expect_same_statistics(integrate_ensemble(device(threads), options), expected);
        }
      options.chunk = 0;
      const auto limited = Device({.name = GetParam(), .threads = 2, .memory_limit = 500'000});
      expect_same_statistics(integrate_ensemble(limited, options), expected);
    }
}

TEST_P(Ensemble, SnapshotsDoNotChangeTheTrajectories) {
  EnsembleOptions options{.members = 1100, .steps = 50, .seed = 3, .precision = Precision::float32};
  const auto plain = integrate_ensemble(device(), options);
  options.snapshot_every = 7;
  options.snapshot_members = 1090;
  options.chunk = 1024;  // the kept members span two chunks
  const auto kept = integrate_ensemble(device(), options);
  expect_same_statistics(kept, plain);
  ASSERT_EQ(kept.snapshots.extents(), (Extents<3>{8, 1090, 40}));
  EXPECT_NEAR(kept.snapshot_time.back(), 49 * 0.05, 1e-12);
  options.steps = 49;
  const Matrix last = final_states(device(), options);
  EXPECT_EQ(row(last, 1080), row(kept.snapshots.view()[7], 1080));
}

TEST_P(Ensemble, InitialStatesAreTheDrawsOfTheInitialStateStream) {
  EnsembleOptions options{.members = 50,
                          .steps = 1,
                          .initial_mean = 2,
                          .initial_variance = 9,
                          .seed = 12,
                          .snapshot_every = 1,
                          .snapshot_members = 50};
  const auto result = integrate_ensemble(device(), options);
  for (std::uint32_t m : {0u, 1u, 49u})
    for (std::uint32_t c : {0u, 1u, 39u}) {
      const double z = standard_normal({.seed = 12, .stream = Stream::initial_state, .problem = m}, c);
      EXPECT_NEAR(result.snapshots(0, m, c), 2 + 3 * z, 1e-13);  // fused or not
    }
}

TEST_P(Ensemble, InitialSpreadHasTheAskedMomentsInBothPrecisions) {
  const long members = small() ? 4000 : 20000;
  for (Precision precision : {Precision::float32, Precision::float64}) {
    EnsembleOptions options{
        .members = members, .steps = 1, .initial_mean = 1, .initial_variance = 4, .precision = precision};
    options.model.dt = 1e-9;
    const auto result = integrate_ensemble(device(0), options);
    const double count = static_cast<double>(members);
    for (std::size_t c = 0; c < 40; ++c) {  // five standard errors
      EXPECT_NEAR(result.mean[c], 1, 5 * 2 / std::sqrt(count));
      EXPECT_NEAR(result.variance[c], 4, 5 * 4 * std::sqrt(2 / count));
    }
  }
}

TEST_P(Ensemble, MomentsAndExtremesEqualThoseOfTheMembers) {
  const long members = 2500;
  EnsembleOptions options{.members = members, .steps = 10, .seed = 8};
  const auto result = integrate_ensemble(device(), options);
  const Matrix states = final_states(device(), options);
  for (long c : {0L, 39L}) {
    double mean = 0, squares = 0, least = INFINITY, greatest = -INFINITY;
    for (long m = 0; m < members; ++m) {
      mean += states(m, c) / static_cast<double>(members);
      least = std::min(least, states(m, c));
      greatest = std::max(greatest, states(m, c));
    }
    for (long m = 0; m < members; ++m) squares += (states(m, c) - mean) * (states(m, c) - mean);
    const auto k = static_cast<std::size_t>(c);
    EXPECT_NEAR(result.mean[k], mean, 1e-12 * std::abs(mean));
    EXPECT_NEAR(result.variance[k], squares / static_cast<double>(members - 1), 1e-12 * result.variance[k]);
    EXPECT_EQ(result.minimum[k], least);
    EXPECT_EQ(result.maximum[k], greatest);
  }
  EXPECT_DOUBLE_EQ(result.time, 0.5);
  EXPECT_EQ(result.finite_members, members);
}

TEST_P(Ensemble, MembersThatAreNotFiniteAreCountedAndLeftOut) {
  Matrix start = wavy_states(10, 40);
  EnsembleOptions options{.steps = 5};
  options.initial_states = start;
  options.initial_states(3, 7) = NAN;
  options.initial_states(8, 0) = 1e200;  // overflows within a few steps
  const auto result = integrate_ensemble(device(), options);
  EXPECT_EQ(result.members, 10);
  EXPECT_EQ(result.finite_members, 8);
  Matrix good({8, 40});
  for (long m = 0, to = 0; m < 10; ++m)
    if (m != 3 && m != 8) {
      for (long c = 0; c < 40; ++c) good(to, c) = start(m, c);
      ++to;
    }
  options.initial_states = good;
  const auto expected = integrate_ensemble(device(), options);
  for (std::size_t c = 0; c < 40; ++c) {
    EXPECT_NEAR(result.mean[c], expected.mean[c], 1e-13);  // another order of the same eight terms
    EXPECT_NEAR(result.variance[c], expected.variance[c], 1e-12);
    EXPECT_EQ(result.minimum[c], expected.minimum[c]);
  }
}

TEST_P(Ensemble, NoFiniteMemberGivesNaNStatistics) {
  EnsembleOptions options{.steps = 1, .initial_states = Matrix({3, 40}, NAN)};
  const auto result = integrate_ensemble(device(), options);
  EXPECT_EQ(result.finite_members, 0);
  EXPECT_TRUE(std::isnan(result.mean[0]));
  EXPECT_TRUE(std::isnan(result.maximum[39]));
}

TEST_P(Ensemble, ClimatologyIsThatOfTheAttractor) {
  const long members = small() ? 256 : 4096;
  // a standard error of 0.01 for 4096 members, after averaging the ring
  const double three_errors = 0.03 * std::sqrt(4096.0 / static_cast<double>(members));
  for (Precision precision : {Precision::float32, Precision::float64}) {
    const auto result =
        integrate_ensemble(device(0), {.members = members, .steps = small() ? 400 : 600, .precision = precision});
    double mean = 0, variance = 0;
    for (std::size_t c = 0; c < 40; ++c) {
      mean += result.mean[c] / 40;
      variance += result.variance[c] / 40;
    }
    EXPECT_NEAR(mean, 2.34, three_errors);
    EXPECT_NEAR(std::sqrt(variance), 3.64, three_errors);
    EXPECT_EQ(result.finite_members, members);
  }
}

TEST_P(Ensemble, LyapunovExponentsSumToTheDivergenceOfTheFlow) {
  const EnsembleOptions options{.model = {.n = 8}, .members = 1, .steps = 60, .seed = 1, .lyapunov_exponents = 8};
  const auto exponents = integrate_ensemble(device(), options).lyapunov;
  ASSERT_EQ(exponents.size(), 8u);
  double sum = 0;
  for (double exponent : exponents) sum += exponent;
  EXPECT_NEAR(sum, -8.0, 0.01);  // steps of order four
}

TEST_P(Ensemble, LeadingLyapunovExponentIsOnePointSevenAndThirteenArePositive) {
  if (small()) GTEST_SKIP() << "8000 steps of 40 tangents are too many for tests/cuda_shim";
  const auto result = integrate_ensemble(device(0), {.members = 1, .steps = 8000, .seed = 1, .lyapunov_exponents = 40});
  ASSERT_EQ(result.lyapunov.size(), 40u);
  EXPECT_NEAR(result.lyapunov[0], 1.70, 0.08);  // over 380 time units
  EXPECT_GT(result.lyapunov[12], 0.0);
  EXPECT_LT(result.lyapunov[14], 0.0);  // the fourteenth belongs to the flow's direction and is near 0
  double sum = 0;
  for (double exponent : result.lyapunov) sum += exponent;
  EXPECT_NEAR(sum, -40.0, 0.01);  // the divergence of the vector field
}

TEST_P(Ensemble, ProgressReachesOneAndCanStop) {
  EnsembleOptions options{.members = 5000, .steps = 3, .chunk = 1024};
  std::vector<double> shares;
  integrate_ensemble(device(), options, [&](double share) { return shares.push_back(share), true; });
  ASSERT_EQ(shares.size(), 5u);
  EXPECT_NEAR(shares[0], 1024.0 / 5000, 1e-12);
  EXPECT_DOUBLE_EQ(shares[4], 1.0);
  const auto stopped = integrate_ensemble(device(), options, [](double share) { return share < 0.4; });
  EXPECT_EQ(stopped.members, 2048);
  options.members = 2048;
  expect_same_statistics(stopped, integrate_ensemble(device(), options));
}

TEST(BadEnsemble, IsToldInOneClearMessage) {
  EXPECT_THAT(message_of({.model = {.n = 3}}), HasSubstr("3"));
  EXPECT_THAT(message_of({.members = 0}), AllOf(HasSubstr("members is 0"), HasSubstr("1 to")));
  EXPECT_THAT(message_of({.steps = 0}), HasSubstr("steps is 0; expected at least 1"));
  EXPECT_THAT(message_of({.initial_mean = NAN}), HasSubstr("initial_mean is nan; expected a finite number"));
  EXPECT_THAT(message_of({.initial_variance = -1}), HasSubstr("initial_variance is -1; expected a finite variance"));
  EXPECT_THAT(message_of({.initial_states = Matrix({5, 20})}), AllOf(HasSubstr("[5, 20]"), HasSubstr("[member, 40]")));
  EXPECT_THAT(message_of({.snapshot_every = -2}), HasSubstr("snapshot_every is -2"));
  EXPECT_THAT(message_of({.snapshot_every = 1, .snapshot_members = 0}), HasSubstr("snapshot_members is 0"));
  EXPECT_THAT(message_of({.lyapunov_exponents = 41}),
              HasSubstr("lyapunov_exponents is 41; expected 0 to model.n = 40"));
  EXPECT_THAT(message_of({.chunk = -1}), HasSubstr("chunk is -1"));
  EXPECT_THAT(message_of({}, {.name = "cpu", .memory_limit = 1000}), HasSubstr("the memory limit is 1000 bytes"));
}

}  // namespace
}  // namespace vida
