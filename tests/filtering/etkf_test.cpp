#include <gmock/gmock.h>

#include "backends.hpp"
#include "filter_cases.hpp"

namespace vida {
namespace {

using namespace vida::testing;

class Etkf : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Etkf);

const FilterSettings kEtkf{.method = "etkf", .members = 12};

TEST_P(Etkf, IsTheKalmanFilterWhenTheEnsembleHoldsItsCovariance) {
  for (const bool diagonal : {true, false}) {
    const LinearCase c(6, 5, 12, 3, diagonal);
    const Dense members = last_members(device(), c.problem(), kEtkf, c.members);
    const auto [mean, covariance] = c.kalman().back();
    EXPECT_LT((members.colwise().mean().transpose() - mean).norm(), 1e-11 * mean.norm());
    EXPECT_LT((sample_covariance(members) - covariance).norm(), 1e-11 * covariance.norm());
  }
}

TEST_P(Etkf, TransformsBySymmetricRoots) {
  const LinearCase c(6, 5, 9, 1, false);
  const long N = c.members.rows();
  const Dense E = c.members * c.F.transpose(), A = E.rowwise() - E.colwise().mean();
  const Dense root = Eigen::SelfAdjointEigenSolver<Dense>(c.R).operatorInverseSqrt();
  const Dense Y = A * c.H.transpose() * root;
  const Eigen::RowVectorXd d = (c.y.row(0) - E.colwise().mean() * c.H.transpose()) * root;
  const Dense M = Y * Y.transpose() + (N - 1.0) * Dense::Identity(N, N);
  const Dense T = std::sqrt(N - 1.0) * Eigen::SelfAdjointEigenSolver<Dense>(M).operatorInverseSqrt();
  const Eigen::RowVectorXd w = d * Y.transpose() * M.inverse();
  const Dense expected = (T * A).rowwise() + (E.colwise().mean() + w * A);
  const Dense members = last_members(device(), c.problem(), {.method = "etkf", .members = 9}, c.members);
  EXPECT_LT((members - expected).norm(), 1e-11 * expected.norm());
}

/// Two members, one component: N1 = 1, A = (-1, 1), y = 2, R = 2: w A = 1 and anomalies shrink by sqrt(1 / 2).
TEST_P(Etkf, MatchesACaseWorkedByHand) {
  LinearCase c(1, 1, 2, 1, true);
  c.F << 1, c.H << 1, c.R << 2, c.y << 2, c.members << -1, 1, c.m0 << 0;
  const Dense members = last_members(device(), c.problem(), {.method = "etkf", .members = 2}, c.members);
  EXPECT_NEAR(members(0, 0), 1 - std::sqrt(0.5), 1e-14);
  EXPECT_NEAR(members(1, 0), 1 + std::sqrt(0.5), 1e-14);
}

TEST_P(Etkf, SmallObservationErrorsKeepTheirAccuracy) {
  LinearCase c(6, 5, 12, 1, true);
  c.R *= 1e-8;
  const Dense members = last_members(device(), c.problem(), kEtkf, c.members);
  const auto [mean, covariance] = c.kalman().back();
  EXPECT_LT((sample_covariance(members) - covariance).norm(), 1e-7 * covariance.norm());
}

TEST_P(Etkf, RotationKeepsMeanAndCovarianceAndMovesMembers) {
  const LinearCase c(6, 5, 12, 1, false);
  FilterSettings rotated = kEtkf;
  rotated.rotation = true;
  const Dense plain = last_members(device(), c.problem(), kEtkf, c.members);
  const Dense turned = last_members(device(), c.problem(), rotated, c.members);
  EXPECT_LT((plain.colwise().mean() - turned.colwise().mean()).norm(), 1e-13 * plain.norm());
  EXPECT_LT((sample_covariance(plain) - sample_covariance(turned)).norm(), 1e-12 * sample_covariance(plain).norm());
  EXPECT_GT((plain - turned).norm(), 0.1 * plain.norm());
}

TEST_P(Etkf, RelaxationAndInflationScaleTheAnomalies) {
  const LinearCase c(6, 5, 12, 1, false);
  FilterSettings relaxed = kEtkf;
  relaxed.relaxation = 0.4;
  relaxed.inflation = 1.5;
  const Dense forecast = sample_covariance(c.members * c.F.transpose());
  const Dense plain = sample_covariance(last_members(device(), c.problem(), kEtkf, c.members));
  const Dense after = sample_covariance(last_members(device(), c.problem(), relaxed, c.members));
  for (long i = 0; i < 6; ++i) {
    const double before = std::sqrt(forecast(i, i)), analysed = std::sqrt(plain(i, i));
    EXPECT_NEAR(std::sqrt(after(i, i)), 1.5 * (analysed + 0.4 * (before - analysed)), 1e-12);
  }
}

TEST_P(Etkf, KeepsTheForecastWhereNothingIsObserved) {
  LinearCase c(6, 5, 12, 2, false);
  c.y.row(1).setConstant(NAN);
  LinearCase first = c;
  first.y = c.y.topRows(1).eval();
  const Dense analysis = last_members(device(), first.problem(), kEtkf, c.members);
  const Dense members = last_members(device(), c.problem(), kEtkf, c.members);
  EXPECT_LT((members - analysis * c.F.transpose()).norm(), 1e-13 * members.norm());
}

TEST_P(Etkf, UsesWhatIsThereOfAnIncompleteObservation) {
  LinearCase c(6, 5, 12, 1, false);
  c.y(0, 1) = c.y(0, 3) = NAN;
  LinearCase rest = c;
  const std::vector<int> present = {0, 2, 4};
  rest.H = c.H(present, Eigen::all).eval(), rest.R = c.R(present, present).eval(),
  rest.y = c.y(Eigen::all, present).eval();
  const Dense members = last_members(device(), c.problem(), kEtkf, c.members);
  const auto [mean, covariance] = rest.kalman().back();
  EXPECT_LT((members.colwise().mean().transpose() - mean).norm(), 1e-11 * mean.norm());
  EXPECT_LT((sample_covariance(members) - covariance).norm(), 1e-11 * covariance.norm());
}

/// Published: .195 over long runs (Sakov and Oke 2008); four short ones scatter by about .006.
TEST(EtkfOnLorenz96, ReachesThePublishedError) {
  const auto problems = twins_of(sakov_system(), 600, 4);
  double error = 0, ratio = 0, chi_square = 0;
  for (const auto& scores :
       scores_of(Device::cpu(1), problems, {.method = "etkf", .members = 20, .inflation = 1.04, .rotation = true})) {
    EXPECT_EQ(scores.lost_at, -1);
    error += scores.analysis_error / 4, ratio += scores.ratio / 4, chi_square += scores.chi_square / 4;
  }
  EXPECT_NEAR(error, 0.195, 0.02);
  EXPECT_NEAR(chi_square, 1.0, 0.05);
  EXPECT_NEAR(ratio, 1.2, 0.15);
}

}  // namespace
}  // namespace vida
