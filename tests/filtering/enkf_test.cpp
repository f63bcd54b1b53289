#include "backends.hpp"
#include "column_normals.cuh"
#include "filter_cases.hpp"
#include "filters/frame.cuh"

namespace vida {
namespace {

using namespace vida::testing;

class Enkf : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Enkf);

FilterSettings enkf(int members) { return {.method = "enkf", .members = members}; }

/// The perturbations of the first cycle of a run with seed and number 0: centred, times sqrt(N / N1) [member, p].
Dense perturbations(long N, long p, const std::vector<int>& present) {
  std::vector<double> draws(static_cast<std::size_t>(p * N));
  kernels::column_normals(OneLane{}, static_cast<int>(p), static_cast<int>(N), {0, kernels::kPerturbationStream, 0, 0},
                          draws.data(), static_cast<int>(N));
  Dense D(N, static_cast<long>(present.size()));
  for (long k = 0; k < N; ++k)
    for (std::size_t j = 0; j < present.size(); ++j)
      D(k, static_cast<long>(j)) = draws[static_cast<std::size_t>(present[j] * N + k)];
  const double N1 = static_cast<double>(N - 1);
  return (D.rowwise() - D.colwise().mean()) * std::sqrt(static_cast<double>(N) / N1);
}

std::vector<int> all_of(long p) {
  std::vector<int> all;
  for (int j = 0; j < p; ++j) all.push_back(j);
  return all;
}

/// With fewer observations than members, as many, and more: both forms of the linear system.
TEST_P(Enkf, MovesEveryMemberByTheGainAndItsOwnInnovation) {
  for (const long p : {3L, 8L, 9L, 19L})
    for (const bool diagonal : {true, false}) {
      const LinearCase c(6, p, 9, 1, diagonal);
      const LinearForecast f(c);
      const Dense innovations = (-(perturbations(9, p, all_of(p)) + f.Y)).rowwise() + f.d;
      const Dense expected = f.E + innovations * f.gain().transpose();
      const auto result = result_of(device(), c.problem(), enkf(9), c.members);
      EXPECT_LT((dense(result.members) - expected).norm(), 1e-11 * expected.norm()) << p;
      EXPECT_NEAR(chi_square_of(result), f.chi_square(), 1e-11) << p;
    }
}

TEST_P(Enkf, MovesDirectlyObservedComponentsInTheSameWay) {
  for (const double variance : {0.5, 1e-6}) {
    LinearCase c(6, 6, 9, 1, true);
    c.H = Dense::Identity(6, 6), c.R = variance * Dense::Identity(6, 6);
    c.H.row(0).swap(c.H.row(4));
    const LinearForecast f(c);
    const Dense innovations = (-(perturbations(9, 6, all_of(6)) + f.Y)).rowwise() + f.d;
    const Dense expected = f.E + innovations * f.gain().transpose();
    const auto result = result_of(device(), c.problem(), enkf(9), c.members);
    EXPECT_LT((dense(result.members) - expected).norm(), 1e-10 * expected.norm()) << variance;
    EXPECT_NEAR(chi_square_of(result) / f.chi_square(), 1, 1e-10) << variance;
  }
}

TEST_P(Enkf, HasTheMeanOfTheKalmanFilter) {
  const LinearCase c(6, 5, 12, 1, false);
  const Dense members = last_members(device(), c.problem(), enkf(12), c.members);
  const auto [mean, covariance] = c.kalman().back();
  EXPECT_LT((members.colwise().mean().transpose() - mean).norm(), 1e-11 * mean.norm());
}

/// Two members, one component, A = (-1, 1), y = 2, R = 2: K = 1 / 2. The centred perturbations are -e and e.
TEST_P(Enkf, MatchesACaseWorkedByHand) {
  LinearCase c(1, 1, 2, 1, true);
  c.F << 1, c.H << 1, c.R << 2, c.y << 2, c.members << -1, 1, c.m0 << 0;
  const double e = std::sqrt(2.0) * perturbations(2, 1, {0})(1, 0);
  const Dense members = last_members(device(), c.problem(), enkf(2), c.members);
  EXPECT_NEAR(members(0, 0), 1 - (1 - e) / 2, 1e-13);
  EXPECT_NEAR(members(1, 0), 1 + (1 - e) / 2, 1e-13);
}

TEST_P(Enkf, MissingObservationsLeaveThePerturbationsOfTheOthers) {
  const std::vector<int> present = {0, 2, 4};
  for (const int N : {9, 4}) {
    const LinearCase c(6, 5, N, 1, false);
    const LinearForecast f(only(c, present));
    const Dense innovations = (-(perturbations(N, 5, present) + f.Y)).rowwise() + f.d;
    const Dense expected = f.E + innovations * f.gain().transpose();
    const Dense members = last_members(device(), with_gaps(c, present).problem(), enkf(N), c.members);
    EXPECT_LT((members - expected).norm(), 1e-11 * expected.norm()) << N;
  }
}

TEST_P(Enkf, MeanMovesWithAShiftAroundTheRing) {
  const RingCase ring(5);
  const Dense one = last_members(device(), ring.problem, enkf(7), ring.members);
  const Dense other = last_members(device(), ring.moved, enkf(7), ring.moved_members);
  EXPECT_LT((shifted(one.colwise().mean(), 5) - other.colwise().mean()).norm(), 1e-12 * one.norm());
}

/// Published: .22 over long runs (Sakov and Oke 2008); four short ones scatter by about .01.
TEST(EnkfOnLorenz96, ReachesThePublishedError) {
  double error = 0, chi_square = 0;
  for (const auto& scores : scores_of(Device::cpu(1), twins_of(sakov_system(), 600, 4),
                                      {.method = "enkf", .members = 40, .inflation = 1.06})) {
    EXPECT_EQ(scores.lost_at, -1);
    error += scores.analysis_error / 4, chi_square += scores.chi_square / 4;
  }
  EXPECT_NEAR(error, 0.22, 0.03);
  EXPECT_NEAR(chi_square, 1.0, 0.05);
}

}  // namespace
}  // namespace vida
