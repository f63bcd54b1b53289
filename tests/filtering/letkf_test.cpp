#include <gmock/gmock.h>

#include "backends.hpp"
#include "filter_cases.hpp"
#include "filtering/taper.hpp"
#include "messages.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

class Letkf : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Letkf);

FilterSettings letkf(int members, double radius, int together) {
  return {.method = "letkf", .members = members, .radius = radius, .local_states = together};
}

/// 22 components in a line, every second one and the last seen, the ones at 6, 8, .. 14 missing.
struct Line {
  LinearCase c{22, 12, 6, 1, true};
  std::vector<long> seen;
  std::vector<int> present;

  Line() {
    c.H.setZero();
    for (int j = 0; j < 12; ++j) {
      seen.push_back(j < 11 ? 2 * j : 21);
      c.H(j, seen.back()) = 1;
      if (j < 3 || j > 7) present.push_back(j);
    }
    c.R.diagonal() = Eigen::VectorXd::LinSpaced(12, 0.3, 0.9);
    c = with_gaps(c, present);
  }
};

/// Each batch by itself: rows of Y and d times the root of the taper at the mean distance, then the symmetric
/// transform.
TEST_P(Letkf, IsAnEtkfOfEachBatchWithTaperedObservations) {
  const Line line;
  for (const int together : {1, 2, 5, 22}) {
    const double radius = 1;
    const LinearForecast f(only(line.c, line.present));
    Dense expected = f.E;
    for (int first = 0; first < 22; first += together) {
      const int count = std::min(together, 22 - first);
      Eigen::VectorXd root = Eigen::VectorXd::Zero(f.Y.cols());
      for (long j = 0; j < f.Y.cols(); ++j) {
        double distance = 0;
        for (int i = first; i < first + count; ++i)
          distance += std::abs(static_cast<double>(
                          i - line.seen[static_cast<std::size_t>(line.present[static_cast<std::size_t>(j)])])) /
                      count;
        const double rho = gaspari_cohn(distance, kHalfWidthPerRadius * radius);
        root[j] = rho > 1e-3 ? std::sqrt(rho) : 0;
      }
      if (root.norm() == 0) continue;
      const Dense Y = f.Y * root.asDiagonal();
      const Eigen::RowVectorXd d = f.d * root.asDiagonal();
      const Dense M = Y * Y.transpose() + f.N1 * Dense::Identity(6, 6);
      const Dense T = std::sqrt(f.N1) * Eigen::SelfAdjointEigenSolver<Dense>(M).operatorInverseSqrt();
      const Dense A = f.A.middleCols(first, count);
      expected.middleCols(first, count) =
          (T * A).rowwise() + (f.mean.segment(first, count) + d * Y.transpose() * M.inverse() * A);
    }
    const auto result = result_of(device(), line.c.problem(), letkf(6, radius, together), line.c.members);
    EXPECT_LT((dense(result.members) - expected).norm(), 1e-11 * expected.norm()) << together;
    EXPECT_NEAR(chi_square_of(result), f.chi_square(), 1e-12);
  }
}

TEST_P(Letkf, KeepsTheForecastExactlyWhereNothingIsNear) {
  const Line line;
  const Dense members = last_members(device(), line.c.problem(), letkf(6, 1, 1), line.c.members);
  const Dense E = line.c.members * line.c.F.transpose();
  const long far = 10;  // six components from the nearest that is seen; the taper ends at 3.64
  EXPECT_LT((members.col(far) - E.col(far)).norm(), 1e-14 * E.col(far).norm());
  EXPECT_GT((members.col(5) - E.col(5)).norm(), 1e-3 * E.col(5).norm());
}

TEST_P(Letkf, WithoutLocalisationIsTheEtkf) {
  for (const long p : {5L, 20L})
    for (const int together : {1, 2, 6, 9}) {
      const LinearCase c(6, p, 9, 2, false);
      FilterSettings etkf = letkf(9, INFINITY, 1);
      etkf.method = "etkf";
      const Dense expected = last_members(device(), c.problem(), etkf, c.members);
      const Dense members = last_members(device(), c.problem(), letkf(9, INFINITY, together), c.members);
      EXPECT_LT((members - expected).norm(), 1e-11 * expected.norm()) << together;
    }
}

TEST_P(Letkf, SmallObservationErrorsKeepTheirAccuracy) {
  LinearCase c(6, 5, 12, 1, true);
  c.R *= 1e-8;
  const Dense members = last_members(device(), c.problem(), letkf(12, INFINITY, 2), c.members);
  const auto [mean, covariance] = c.kalman().back();
  EXPECT_LT((sample_covariance(members) - covariance).norm(), 1e-7 * covariance.norm());
}

TEST_P(Letkf, MovesWithAShiftAroundTheRingByWholeBatches) {
  const RingCase ring(4);
  const Dense one = last_members(device(), ring.problem, letkf(7, 2, 2), ring.members);
  const Dense other = last_members(device(), ring.moved, letkf(7, 2, 2), ring.moved_members);
  EXPECT_LT((shifted(one, 4) - other).norm(), 1e-12 * one.norm());
}

TEST(BadLetkf, IsNamed) {
  const FilterProblem problem = LinearCase(6, 5, 5, 1, true).problem();
  const auto refusal = [&](const FilterSettings& filter) {
    const AssimilationRun run{.filter = filter};
    return message_of([&] { assimilate(Device::cpu(1), {&problem, 1}, {&run, 1}); });
  };
  EXPECT_THAT(refusal(letkf(5, INFINITY, 0)),
              HasSubstr("run 0 (letkf): local_states is 0, expected at least 1 component"));
  EXPECT_THAT(refusal(letkf(5, 3, 1)), HasSubstr("needs observations of single components"));
}

/// Published: .22 over long runs (Sakov and Oke 2008); four short ones scatter by about .01.
TEST(LetkfOnLorenz96, ReachesThePublishedError) {
  double error = 0;
  FilterSettings filter = letkf(7, 4, 2);
  filter.inflation = 1.04, filter.rotation = true;
  for (const auto& scores : scores_of(Device::cpu(1), twins_of(sakov_system(), 600, 4), filter)) {
    EXPECT_EQ(scores.lost_at, -1);
    error += scores.analysis_error / 4;
  }
  EXPECT_NEAR(error, 0.22, 0.025);
}

}  // namespace
}  // namespace vida
