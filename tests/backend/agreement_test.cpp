// Every backend runs the same kernels, so each must give what one CPU thread gives: bit for bit on more threads, and on
// tests/cuda_shim, whose builds fuse no a * b + c on either side (VIDA_CONTRACT=OFF). A GPU does fuse, and has its own
// logarithm and sine; there the relative difference stays below a bound that its test states.
#include <gtest/gtest.h>

#include <cmath>

#include "backends.hpp"
#include "golden.hpp"
#include "near.hpp"

namespace vida {
namespace {

using testing::Golden;
using testing::kOnShim;
using testing::relative_error;
using testing::shortened;

constexpr Precision kPrecisions[] = {Precision::float32, Precision::float64};

// A filter forgets its roundings within some cycles; 1e-9 and 1e-4 are also what the golden files are held to.
double filter_bound(Precision precision) { return precision == Precision::float32 ? 1e-4 : 1e-9; }

class Agreement : public testing::OnEveryBackend {
 protected:
  template <class Values>
  void expect_same(const Values& found, const Values& one_thread, double gpu_bound, const char* what) const {
    ASSERT_EQ(std::ssize(found), std::ssize(one_thread)) << what;
    ASSERT_FALSE(found.empty()) << what;
    if (on_cuda() && !kOnShim) {
      EXPECT_LE(relative_error(found, one_thread), gpu_bound) << what;
      return;
    }
    auto expected = one_thread.begin();
    long index = 0;
    for (const auto value : found) {
      ASSERT_EQ(value, *expected++) << what << ", element " << index;  // a NaN equals nothing
      ++index;
    }
  }
  void expect_same(double found, double one_thread, double gpu_bound, const char* what) const {
    expect_same(std::vector{found}, std::vector{one_thread}, gpu_bound, what);
  }

  void expect_same(const GainValue& found, const GainValue& one_thread, double bound) const {
    expect_same(found.cost, one_thread.cost, bound, "cost");
    expect_same(found.kl, one_thread.kl, bound, "kl");
    expect_same(found.loglik, one_thread.loglik, bound, "loglik");
    expect_same(found.gradient, one_thread.gradient, bound, "gradient");
    expect_same(found.analysis_mean, one_thread.analysis_mean, bound, "analysis_mean");
    expect_same(found.analysis_cov_last, one_thread.analysis_cov_last, bound, "analysis_cov_last");
    expect_same(found.kl_to_reference, one_thread.kl_to_reference, bound, "kl_to_reference");
  }

  void expect_same(const FilterResult& found, const FilterResult& one_thread, double bound) const {
    expect_same(found.analysis_mean, one_thread.analysis_mean, bound, "analysis_mean");
    expect_same(found.analysis_cov_last, one_thread.analysis_cov_last, bound, "analysis_cov_last");
    expect_same(found.gain_last, one_thread.gain_last, bound, "gain_last");
    expect_same(found.gain_steady, one_thread.gain_steady, bound, "gain_steady");
    expect_same(found.chi_square, one_thread.chi_square, bound, "chi_square");
    expect_same(found.mse, one_thread.mse, bound, "mse");
  }

  void expect_same_objective(const std::vector<FilterProblem>& problems, const Matrix& gain,
                             const GainObjectiveOptions& options) const {
    const auto values = [&](const Device& device) {
      GainObjective objective(device, problems, options);
      objective.track_ekf();
      return objective.evaluate(std::vector<Matrix>(problems.size(), gain), true, 3);
    };
    const auto found = values(device(3)), expected = values(one_thread());
    for (std::size_t k = 0; k < problems.size(); ++k)
      expect_same(found[k], expected[k], filter_bound(options.precision));
  }

  template <class Real>
  void expect_same_model_maps(int n, double bound) const {
    const Lorenz96 model{.n = n};
    Array<Real, 2> states({3, n}), along({3, n});
    for (long e = 0; e < states.size(); ++e) {
      states.data()[e] = static_cast<Real>(3 + 4 * standard_normal({.seed = 7}, static_cast<std::uint32_t>(e)));
      along.data()[e] = static_cast<Real>(standard_normal({.seed = 8}, static_cast<std::uint32_t>(e)));
    }
    const auto advanced = [&](const Device& device) {
      auto moved = states;
      advance<Real>(device, model, moved, 4);
      return moved;
    };
    expect_same(advanced(device()), advanced(one_thread()), bound, "advance");
    expect_same(jacobian<Real>(device(), model, states, 3), jacobian<Real>(one_thread(), model, states, 3), bound,
                "jacobian");
    expect_same(tangent<Real>(device(), model, states, along, 3), tangent<Real>(one_thread(), model, states, along, 3),
                bound, "tangent");
    expect_same(adjoint<Real>(device(), model, states, along, 3), adjoint<Real>(one_thread(), model, states, along, 3),
                bound, "adjoint");
  }

  static Device one_thread() { return Device::cpu(1); }

  /// Two problems of 12 variables and 8 observations, complete or with gaps, one cycle without any.
  static std::vector<FilterProblem> two_problems(bool missing) {
    std::vector<FilterProblem> problems(2, shortened(Golden("filter_general_n12_p8.nc").general(), 9));
    for (double& value : problems[1].data.y) value += 0.25;
    problems[1].seed = 5;
    for (FilterProblem& problem : problems)
      for (long e = 0; missing && e < problem.data.y.size(); ++e)
        if (e % 5 == 0 || e / 8 == 6) problem.data.y.data()[e] = NAN;
    return problems;
  }
  Matrix gain_ = Golden("filter_general_n12_p8.nc").matrix("K");
};

TEST_P(Agreement, OfTheModelAndItsDerivatives) {
  for (int n : {4, 13, 40}) {
    SCOPED_TRACE(n);
    expect_same_model_maps<double>(n, 1e-13);  // some fifty operations a step on sums of either sign
    expect_same_model_maps<float>(n, 1e-4);
  }
}

TEST_P(Agreement, OfTheCostItsPartsAndItsGradient) {
  for (Precision precision : kPrecisions)
    for (bool missing : {false, true}) {
      SCOPED_TRACE(missing);
      expect_same_objective(two_problems(missing), gain_, {.precision = precision, .chunk = 4});
    }
}

TEST_P(Agreement, OfTheCostWithCheckpoints) {
  for (Precision precision : kPrecisions)
    expect_same_objective(two_problems(true), gain_, {.precision = precision, .chunk = 3, .checkpoint_interval = 4});
}

TEST_P(Agreement, OfTheMonteCarloCost) {
  for (Precision precision : kPrecisions)
    for (bool missing : {false, true})
      expect_same_objective(two_problems(missing), gain_,
                            {.precision = precision, .expectation = Expectation::monte_carlo, .samples = 3});
}

// Larger than a warp in every extent, and not a multiple of one.
TEST_P(Agreement, OfTheCostOfFortyVariablesAndThirtyObservations) {
  const Golden golden("filter_general_n40_p30.nc");
  for (Precision precision : kPrecisions)
    expect_same_objective({shortened(golden.general(), 5)}, golden.matrix("K"), {.precision = precision});
}

TEST_P(Agreement, OfTheExtendedKalmanFilter) {
  for (Precision precision : kPrecisions)
    for (bool missing : {false, true}) {
      const auto problems = two_problems(missing);
      const auto found = extended_kalman_filter(device(3), problems, precision),
                 expected = extended_kalman_filter(one_thread(), problems, precision);
      for (std::size_t k = 0; k < 2; ++k) expect_same(found[k], expected[k], filter_bound(precision));
    }
}

TEST_P(Agreement, OfTheFixedGainFilter) {
  const std::vector<Matrix> gains(2, gain_);
  for (Precision precision : kPrecisions)
    for (bool missing : {false, true}) {
      const auto problems = two_problems(missing);
      const auto found = fixed_gain_filter(device(3), problems, gains, precision),
                 expected = fixed_gain_filter(one_thread(), problems, gains, precision);
      for (std::size_t k = 0; k < 2; ++k) expect_same(found[k], expected[k], filter_bound(precision));
    }
}

TEST_P(Agreement, OfTheLearnedGainOfEveryStructure) {
  FilterProblem every_third = shortened(Golden("filter_general_n12_p8.nc").general(), 9);
  every_third.system.observation_operator = Matrix({4, 12});
  every_third.system.observation_noise = scaled_identity(4, 1.0);
  every_third.data.y = Matrix({9, 4});
  for (long j = 0; j < 9; ++j)
    for (long k = 0; k < 4; ++k) every_third.data.y(j, k) = every_third.data.truth(j, 3 * k) + 0.5;
  for (long k = 0; k < 4; ++k) every_third.system.observation_operator(k, 3 * k) = 1;
  const GainRun run{{0}, scaled_transpose(every_third.system.observation_operator, 0.4), 0.02};
  for (const char* structure : {"full", "diagonal", "banded:2", "circulant"}) {
    SCOPED_TRACE(structure);
    const LearnGainOptions options{.structure = structure, .optimizer = "adam", .iterations = 2};
    const auto found = learn_gain(device(3), {&every_third, 1}, {&run, 1}, options).runs[0],
               expected = learn_gain(one_thread(), {&every_third, 1}, {&run, 1}, options).runs[0];
    expect_same(found.gain, expected.gain, 1e-9, "gain");
    expect_same(found.cost, expected.cost, 1e-9, "cost");
    expect_same(found.mse, expected.mse, 1e-9, "mse");
    expect_same(found.kl_to_ekf, expected.kl_to_ekf, 1e-9, "kl_to_ekf");
  }
}

TEST_P(Agreement, OfSimulatedTwins) {
  const StateSpaceModel system = Golden("filter_general_n12_p8.nc").general().system;
  const std::vector<TwinOptions> twins{{.cycles = 10, .seed = 1},
                                       {.cycles = 10, .spin_up = 3, .seed = 2, .problem = 4}};
  const auto found = simulate(device(3), {&system, 1}, twins), expected = simulate(one_thread(), {&system, 1}, twins);
  for (std::size_t k = 0; k < 2; ++k) {  // chaos: differences double about every eight cycles
    expect_same(found[k].truth, expected[k].truth, 1e-12, "truth");
    expect_same(found[k].y, expected[k].y, 1e-12, "y");
  }
}

// 40 variables belong to one lane, 41 to one team; 1030 members make two blocks of statistics.
TEST_P(Agreement, OfEnsembleStatesAndStatistics) {
  for (Precision precision : kPrecisions)
    for (auto [n, members] : {std::pair{8, 1030L}, {40, 70L}, {41, 5L}}) {
      SCOPED_TRACE(n);
      const EnsembleOptions options{.model = {.n = n},
                                    .members = members,
                                    .steps = 2,
                                    .seed = 6,
                                    .precision = precision,
                                    .snapshot_every = 1,
                                    .snapshot_members = members};
      const auto found = integrate_ensemble(device(3), options), expected = integrate_ensemble(one_thread(), options);
      const double bound = precision == Precision::float32 ? 1e-5 : 1e-13;
      expect_same(found.snapshots, expected.snapshots, bound, "snapshots");
      expect_same(found.mean, expected.mean, bound, "mean");
      expect_same(found.variance, expected.variance, 1e2 * bound, "variance");  // squares of differences
      expect_same(found.minimum, expected.minimum, bound, "minimum");
      expect_same(found.maximum, expected.maximum, bound, "maximum");
      EXPECT_EQ(found.finite_members, members);
    }
}

TEST_P(Agreement, OfLyapunovExponents) {
  const EnsembleOptions options{.model = {.n = 8}, .members = 1, .steps = kOnShim ? 25 : 100, .lyapunov_exponents = 8};
  expect_same(integrate_ensemble(device(3), options).lyapunov, integrate_ensemble(one_thread(), options).lyapunov, 1e-9,
              "lyapunov");
}

VIDA_ON_EVERY_BACKEND(Agreement);

}  // namespace
}  // namespace vida
