#include "backends.hpp"
#include "filter_cases.hpp"

namespace vida {
namespace {

using namespace vida::testing;

class Denkf : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Denkf);

FilterSettings denkf(int members) { return {.method = "denkf", .members = members}; }

TEST_P(Denkf, MovesTheMeanByTheGainAndAnomaliesByHalfOfIt) {
  for (const long p : {3L, 8L, 9L, 19L})
    for (const bool diagonal : {true, false}) {
      const LinearCase c(6, p, 9, 1, diagonal);
      const LinearForecast f(c);
      const Dense K = f.gain();
      const Dense expected = (f.A - f.Y * K.transpose() / 2).rowwise() + (f.mean + f.d * K.transpose());
      const auto result = result_of(device(), c.problem(), denkf(9), c.members);
      EXPECT_LT((dense(result.members) - expected).norm(), 1e-11 * expected.norm()) << p;
      EXPECT_NEAR(chi_square_of(result), f.chi_square(), 1e-11) << p;
    }
}

/// C = (I - K H / 2) P (I - K H / 2)' = P_KF + K H P H' K' / 4.
TEST_P(Denkf, HasTheMeanOfTheKalmanFilterAndAKnownCovariance) {
  for (const bool diagonal : {true, false}) {
    const LinearCase c(6, 5, 12, 1, diagonal);
    const Dense members = last_members(device(), c.problem(), denkf(12), c.members);
    const auto [mean, covariance] = c.kalman().back();
    EXPECT_LT((members.colwise().mean().transpose() - mean).norm(), 1e-11 * mean.norm());
    const Dense P = c.F * c.P0 * c.F.transpose(), HPH = c.H * P * c.H.transpose();
    const Dense K = P * c.H.transpose() * (HPH + c.R).inverse();
    const Dense expected = covariance + K * HPH * K.transpose() / 4;
    EXPECT_LT((sample_covariance(members) - expected).norm(), 1e-11 * expected.norm());
  }
}

/// Two members, one component, A = (-1, 1), y = 2, R = 2: K = 1 / 2, mean 1, anomalies times 3 / 4.
TEST_P(Denkf, MatchesACaseWorkedByHand) {
  LinearCase c(1, 1, 2, 1, true);
  c.F << 1, c.H << 1, c.R << 2, c.y << 2, c.members << -1, 1, c.m0 << 0;
  const Dense members = last_members(device(), c.problem(), denkf(2), c.members);
  EXPECT_NEAR(members(0, 0), 0.25, 1e-14);
  EXPECT_NEAR(members(1, 0), 1.75, 1e-14);
}

TEST_P(Denkf, UsesWhatIsThereOfAnIncompleteObservation) {
  for (const int N : {9, 4}) {
    const LinearCase c(6, 5, N, 1, false);
    const Dense gaps = last_members(device(), with_gaps(c, {0, 2, 4}).problem(), denkf(N), c.members);
    const Dense rest = last_members(device(), only(c, {0, 2, 4}).problem(), denkf(N), c.members);
    EXPECT_LT((gaps - rest).norm(), 1e-12 * rest.norm()) << N;
  }
}

TEST_P(Denkf, MovesWithAShiftAroundTheRing) {
  const RingCase ring(5);
  const Dense one = last_members(device(), ring.problem, denkf(7), ring.members);
  const Dense other = last_members(device(), ring.moved, denkf(7), ring.moved_members);
  EXPECT_LT((shifted(one, 5) - other).norm(), 1e-12 * one.norm());
}

/// Published: .18 over long runs (Sakov and Oke 2008); four short ones scatter by about .006.
TEST(DenkfOnLorenz96, ReachesThePublishedError) {
  double error = 0;
  for (const auto& scores : scores_of(Device::cpu(1), twins_of(sakov_system(), 600, 4),
                                      {.method = "denkf", .members = 40, .inflation = 1.01})) {
    EXPECT_EQ(scores.lost_at, -1);
    error += scores.analysis_error / 4;
  }
  EXPECT_NEAR(error, 0.18, 0.02);
}

}  // namespace
}  // namespace vida
