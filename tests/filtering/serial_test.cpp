#include <gmock/gmock.h>

#include <numeric>

#include "backends.hpp"
#include "filter_cases.hpp"
#include "filtering/taper.hpp"
#include "filters/frame.cuh"
#include "messages.hpp"
#include "random_order.cuh"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

class Serial : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Serial);

FilterSettings serial(int members, double radius = INFINITY) {
  return {.method = "serial", .members = members, .radius = radius};
}

/// The order of the first cycle of a run with seed and number 0 among the observations present.
std::vector<int> first_order(int p, const std::vector<int>& present, std::uint32_t cycle = 0) {
  std::vector<int> keys(static_cast<std::size_t>(p) + 3), order(present.size());
  kernels::random_order(OneLane{}, p, static_cast<int>(present.size()), present.data(),
                        {0, kernels::kOrderStream, 0, cycle}, keys.data(), order.data());
  return order;
}

TEST_P(Serial, IsTheKalmanFilterWhenTheEnsembleHoldsItsCovariance) {
  for (const bool diagonal : {true, false}) {
    const LinearCase c(6, 5, 12, 3, diagonal);
    const Dense members = last_members(device(), c.problem(), serial(12), c.members);
    const auto [mean, covariance] = c.kalman().back();
    EXPECT_LT((members.colwise().mean().transpose() - mean).norm(), 1e-11 * mean.norm());
    EXPECT_LT((sample_covariance(members) - covariance).norm(), 1e-11 * covariance.norm());
  }
}

/// Columns Y_j one by one: c = Y_j . Y_j + N1, G = Y_j Y_j' / (c + sqrt(N1 c)), T -= G T, Y -= G Y; w = d Y'T / N1.
TEST_P(Serial, FollowsItsOrder) {
  const LinearCase c(6, 5, 4, 1, false);
  const LinearForecast f(c);
  Dense T = Dense::Identity(4, 4), Y = f.Y;
  for (const int j : first_order(5, {0, 1, 2, 3, 4})) {
    const double norm = Y.col(j).squaredNorm() + f.N1;
    const Dense G = Y.col(j) * Y.col(j).transpose() / (norm + std::sqrt(f.N1 * norm));
    T -= (G * T).eval(), Y -= (G * Y).eval();
  }
  const Eigen::RowVectorXd w = f.d * Y.transpose() * T / f.N1;
  const Dense expected = (T * f.A).rowwise() + (f.mean + w * f.A);
  const auto result = result_of(device(), c.problem(), serial(4), c.members);
  EXPECT_LT((dense(result.members) - expected).norm(), 1e-11 * expected.norm());
  EXPECT_NEAR(chi_square_of(result), f.chi_square(), 1e-12);
}

TEST_P(Serial, HasTheMeanAndCovarianceOfTheEtkfInAnyOrder) {
  const LinearCase c(6, 5, 4, 1, false);
  FilterSettings etkf = serial(4);
  etkf.method = "etkf";
  const Dense expected = last_members(device(), c.problem(), etkf, c.members);
  for (const std::uint64_t seed : {1, 2}) {
    const FilterProblem problem = c.problem();
    const AssimilationRun run{.filter = serial(4), .seed = seed, .initial_members = matrix_of(c.members)};
    const Dense members = dense(assimilate(device(), {&problem, 1}, {&run, 1}, {.keep_members = true})[0].members);
    EXPECT_LT((members.colwise().mean() - expected.colwise().mean()).norm(), 1e-12 * expected.norm());
    EXPECT_LT((sample_covariance(members) - sample_covariance(expected)).norm(),
              1e-11 * sample_covariance(expected).norm());
    EXPECT_GT((members - expected).norm(), 1e-3 * expected.norm());
  }
}

/// Two members, A = (-1, 1), y = 2, R = 2: c = 2, mean 1, anomalies times 1 - 1 / (2 + sqrt 2) = 1 / sqrt 2.
TEST_P(Serial, MatchesACaseWorkedByHand) {
  LinearCase c(1, 1, 2, 1, true);
  c.F << 1, c.H << 1, c.R << 2, c.y << 2, c.members << -1, 1, c.m0 << 0;
  const Dense members = last_members(device(), c.problem(), serial(2), c.members);
  EXPECT_NEAR(members(0, 0), 1 - std::sqrt(0.5), 1e-14);
  EXPECT_NEAR(members(1, 0), 1 + std::sqrt(0.5), 1e-14);
}

/// Some components of a linear state, seen by the function f.
LinearCase picks(const std::vector<int>& components, long n, int N) {
  LinearCase c(n, static_cast<long>(components.size()), N, 1, true);
  c.H.setZero();
  for (std::size_t j = 0; j < components.size(); ++j) c.H(static_cast<long>(j), components[j]) = 1;
  c.R.diagonal() = Eigen::VectorXd::LinSpaced(c.R.rows(), 0.3, 0.9);
  return c;
}

/// One by one: anomalies and innovation of the observation from the ensemble as it stands, gain times taper.
TEST_P(Serial, TapersTheGainOfEachObservation) {
  for (const auto function : {ObservationFunction::identity, ObservationFunction::square}) {
    const LinearCase c = with_gaps(picks({6, 0, 3, 4, 1}, 8, 5), {0, 1, 2, 4});
    FilterProblem problem = c.problem();
    problem.system.observation_function = function;
    const std::vector<int> present = {0, 1, 2, 4};
    Dense E = c.members * c.F.transpose();
    for (const int place : first_order(5, present)) {
      const int j = present[static_cast<std::size_t>(place)];
      const Eigen::VectorXd seen = E * c.H.row(j).transpose();
      const Eigen::VectorXd h = function == ObservationFunction::square ? seen.cwiseAbs2().eval() : seen;
      const double root = std::sqrt(c.R(j, j)), d = (c.y(0, j) - h.mean()) / root, N1 = 4;
      const Eigen::VectorXd y = (h.array() - h.mean()) / root;
      const double norm = y.squaredNorm() + N1;
      const Eigen::RowVectorXd mean = E.colwise().mean();
      for (long i = 0; i < 8; ++i) {
        long component = 0;
        c.H.row(j).maxCoeff(&component);
        const double rho = gaspari_cohn(static_cast<double>(std::abs(i - component)), kHalfWidthPerRadius * 1.5);
        if (rho <= 1e-3) continue;
        const Eigen::VectorXd a = E.col(i).array() - mean[i];
        const double along = rho * a.dot(y);
        E.col(i) = (a - y * along / (norm + std::sqrt(N1 * norm))).array() + mean[i] + d * along / norm;
      }
    }
    const Dense members = last_members(device(), problem, serial(5, 1.5), c.members);
    EXPECT_LT((members - E).norm(), 1e-11 * E.norm());
  }
}

TEST_P(Serial, WithAWideTaperIsTheUnlocalisedFilter) {
  const LinearCase c = picks({6, 0, 3, 4, 1}, 8, 5);
  const auto plain = result_of(device(), c.problem(), serial(5), c.members);
  const auto wide = result_of(device(), c.problem(), serial(5, 1e9), c.members);
  EXPECT_LT((dense(plain.members) - dense(wide.members)).norm(), 1e-12 * dense(plain.members).norm());
  EXPECT_NEAR(chi_square_of(plain), chi_square_of(wide), 1e-12);
  const auto narrow = result_of(device(), c.problem(), serial(5, 1), c.members);
  EXPECT_NEAR(chi_square_of(plain), chi_square_of(narrow), 1e-12);  // the score knows no taper
}

TEST_P(Serial, UsesWhatIsThereOfAnIncompleteObservation) {
  const LinearCase c(6, 5, 9, 1, false);
  const Dense gaps = last_members(device(), with_gaps(c, {0, 2, 4}).problem(), serial(9), c.members);
  const Dense rest = last_members(device(), only(c, {0, 2, 4}).problem(), serial(9), c.members);
  EXPECT_LT((gaps.colwise().mean() - rest.colwise().mean()).norm(), 1e-12 * rest.norm());
  EXPECT_LT((sample_covariance(gaps) - sample_covariance(rest)).norm(), 1e-12 * sample_covariance(rest).norm());
}

TEST_P(Serial, MeanAndCovarianceMoveWithAShiftAroundTheRing) {
  const RingCase ring(5);
  const Dense one = last_members(device(), ring.problem, serial(7), ring.members);
  const Dense other = last_members(device(), ring.moved, serial(7), ring.moved_members);
  EXPECT_LT((shifted(one.colwise().mean(), 5) - other.colwise().mean()).norm(), 1e-12 * one.norm());
  EXPECT_LT((sample_covariance(shifted(one, 5)) - sample_covariance(other)).norm(), 1e-11 * one.norm());
}

TEST(SerialOrder, IsAPermutationThatChangesWithTheCycleAndKeepsTheRestWhenOneIsMissing) {
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6}, without = {0, 1, 3, 4, 5, 6};
  std::vector<int> counts(49);
  for (std::uint32_t cycle = 0; cycle < 700; ++cycle) {
    const auto order = first_order(7, all, cycle);
    auto sorted = order;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, all);
    std::vector<int> rest, expected;
    for (const int place : first_order(7, without, cycle)) rest.push_back(without[static_cast<std::size_t>(place)]);
    std::copy_if(order.begin(), order.end(), std::back_inserter(expected), [](int j) { return j != 2; });
    EXPECT_EQ(rest, expected);
    for (std::size_t k = 0; k < 7; ++k) ++counts[k * 7 + static_cast<std::size_t>(order[k])];
  }
  for (const int count : counts) EXPECT_NEAR(count, 100, 5 * std::sqrt(100 * 6 / 7.0));  // five standard deviations
}

TEST(BadLocalisation, IsNamed) {
  const auto refusal = [](const LinearCase& c, double radius) {
    const FilterProblem problem = c.problem();
    const AssimilationRun run{.filter = serial(5, radius)};
    return message_of([&] { assimilate(Device::cpu(1), {&problem, 1}, {&run, 1}); });
  };
  EXPECT_THAT(refusal(LinearCase(6, 5, 5, 1, true), 2),
              HasSubstr("run 0 (serial): localisation with radius 2 needs observations of single components, but row 0 "
                        "of H is not a row of the identity. Set radius = inf, or change it."));
  LinearCase correlated = picks({0, 2}, 6, 5);
  correlated.R(0, 1) = correlated.R(1, 0) = 0.1;
  EXPECT_THAT(refusal(correlated, 2), HasSubstr("needs independent observation errors, but R[0, 1] is 0.1"));
  EXPECT_EQ(refusal(correlated, INFINITY), "");
}

/// Published: .18 over long runs; four short ones scatter by about .006.
TEST(SerialOnLorenz96, ReachesThePublishedError) {
  double error = 0, chi_square = 0;
  for (const auto& scores : scores_of(Device::cpu(1), twins_of(sakov_system(), 600, 4),
                                      {.method = "serial", .members = 28, .inflation = 1.02, .rotation = true})) {
    EXPECT_EQ(scores.lost_at, -1);
    error += scores.analysis_error / 4, chi_square += scores.chi_square / 4;
  }
  EXPECT_NEAR(error, 0.18, 0.02);
  EXPECT_NEAR(chi_square, 1.0, 0.05);
}

}  // namespace
}  // namespace vida
