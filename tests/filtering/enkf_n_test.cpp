#include <gmock/gmock.h>

#include "backends.hpp"
#include "filter_cases.hpp"
#include "messages.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

/// Both forms, converged beyond what is compared.
class EnkfN : public OnEveryBackend {
 protected:
  static FilterSettings primal(long members, double xn = 1) {
    return {.method = "enkf-n", .members = static_cast<int>(members), .xn = xn, .tolerance = 1e-14};
  }
  static FilterSettings dual(long members, double xn = 1) {
    FilterSettings filter = primal(members, xn);
    filter.method = "enkf-n-dual";
    return filter;
  }
};
VIDA_ON_EVERY_BACKEND(EnkfN);

/// The first analysis of a linear case, by singular values.
struct FiniteSize {
  long N;
  Eigen::RowVectorXd mean, d, du;  // forecast mean, whitened innovation
  Dense A, Y;                      // members are rows
  Eigen::VectorXd s;
  double e, b;

  FiniteSize(const LinearCase& c, double xn) : N(c.members.rows()) {
    const Dense E = c.members * c.F.transpose();
    mean = E.colwise().mean();
    A = E.rowwise() - mean;
    const Dense root = Eigen::SelfAdjointEigenSolver<Dense>(c.R).operatorInverseSqrt();
    Y = A * c.H.transpose() * root;
    d = (c.y.row(0) - mean * c.H.transpose()) * root;
    const Eigen::JacobiSVD<Dense> svd(Y, Eigen::ComputeThinU | Eigen::ComputeThinV);
    s = svd.singularValues();
    du = d * svd.matrixV();
    const double n1 = N - 1.0;
    e = (N + 1.0) / N, b = N / n1;
    double kappa = (N - s.size()) / static_cast<double>(N);
    for (const double value : s) kappa += n1 / (value * value + n1) / N;
    const double q = std::pow(e / b, kappa / 2);
    e *= xn / q, b *= xn * q;
  }

  double dual_cost(double squared) const {
    double cost = e / squared + b * std::log(squared);
    for (long i = 0; i < s.size(); ++i) cost += du[i] * du[i] / (squared * s[i] * s[i] + N - 1);
    return cost;
  }

  double primal_cost(const Eigen::RowVectorXd& w) const {
    return (d - w * Y).squaredNorm() / 2 + (N - 1) * b / 2 * std::log(e + w.squaredNorm());
  }

  /// Where the derivative of the dual cost with respect to l^2 changes its sign.
  double squared_factor() const {
    double low = 1e-6, high = 1e6;
    for (int k = 0; k < 200; ++k) {
      const double x = std::sqrt(low * high);
      double slope = -e / (x * x) + b / x;
      for (long i = 0; i < s.size(); ++i) slope -= std::pow(du[i] * s[i] / (x * s[i] * s[i] + N - 1), 2);
      (slope < 0 ? low : high) = x;
    }
    return std::sqrt(low * high);
  }

  Dense analysis(double squared) const {
    const Dense M = squared * Y * Y.transpose() + (N - 1.0) * Dense::Identity(N, N);
    const Dense T = std::sqrt(squared * (N - 1.0)) * Eigen::SelfAdjointEigenSolver<Dense>(M).operatorInverseSqrt();
    const Eigen::RowVectorXd w = squared * d * Y.transpose() * M.inverse();
    return (T * A).rowwise() + (mean + w * A);
  }
};

/// Cases whose factors differ, up to well above 1.
std::vector<LinearCase> cases() {
  std::vector<LinearCase> list = {{9, 5, 6, 1, true}, {6, 7, 14, 1, false}, {3, 2, 2, 1, false}, {9, 1, 8, 1, true}};
  list.push_back(list[0]);
  list.back().y *= 5;
  return list;
}

TEST_P(EnkfN, InflatesByTheMinimumOfTheCost) {
  double largest = 0;
  for (const LinearCase& c : cases())
    for (const double xn : {1.0, 2.0}) {
      const FiniteSize expected(c, xn);
      const double squared = expected.squared_factor();
      largest = std::max(largest, squared);
      const Dense analysis = expected.analysis(squared);
      for (const FilterSettings& filter : {primal(expected.N, xn), dual(expected.N, xn)}) {
        const Dense members = last_members(device(), c.problem(), filter, c.members);
        EXPECT_LT((members - analysis).norm(), 1e-10 * analysis.norm()) << filter.method << " " << squared;
      }
    }
  EXPECT_GT(largest, 2);
}

TEST_P(EnkfN, DualAndPrimalAgree) {
  std::vector<LinearCase> list = cases();
  list.emplace_back(9, 5, 6, 4, false);
  for (const LinearCase& c : list) {
    const Dense first = last_members(device(), c.problem(), primal(c.members.rows()), c.members);
    const Dense second = last_members(device(), c.problem(), dual(c.members.rows()), c.members);
    EXPECT_LT((first - second).norm(), 1e-12 * first.norm());
  }
}

/// Weights and factor are found again in the members: N <= n, so that anomalies are independent.
TEST_P(EnkfN, ALittleAsideEveryCostIsHigher) {
  LinearCase c(9, 5, 6, 1, false);
  c.y *= 3;
  const FiniteSize problem(c, 1);
  const long N = problem.N;
  const auto weights = [&](const Dense& rows) {  // of the anomalies; the ones have no part in them
    return Dense(problem.A.transpose().completeOrthogonalDecomposition().solve(rows.transpose()).transpose());
  };
  for (const FilterSettings& filter : {primal(N), dual(N)}) {
    const Dense members = last_members(device(), c.problem(), filter, c.members);
    const Eigen::RowVectorXd mean = members.colwise().mean();
    const Eigen::RowVectorXd w = weights(mean - problem.mean);
    for (long k = 0; k < N; ++k) {
      Eigen::RowVectorXd up = w, down = w;
      up[k] += 1e-4, down[k] -= 1e-4;
      const double above = problem.primal_cost(up), below = problem.primal_cost(down);
      EXPECT_NEAR((above - below) / 2e-4, 0, 1e-6 * problem.primal_cost(w));
      EXPECT_GT(std::min(above, below), problem.primal_cost(w));
    }
    // l T to the power -2 is Y Y' / (N - 1) + I / l^2 where anomalies lie
    const Dense lT = weights(members.rowwise() - mean);
    const Dense inverse = lT.completeOrthogonalDecomposition().pseudoInverse();
    const double n1 = N - 1.0;
    const double squared = n1 / ((inverse * inverse).trace() - problem.Y.squaredNorm() / n1);
    const double cost = problem.dual_cost(squared), above = problem.dual_cost(squared * (1 + 1e-4)),
                 below = problem.dual_cost(squared * (1 - 1e-4));
    EXPECT_NEAR((above - below) / 2e-4, 0, 1e-6 * std::abs(cost));
    EXPECT_GT(std::min(above, below), cost);
  }
}

/// Two members -1 and 1 of one component, R = 2: G has the eigenvalues 1 and 0, so kappa = 3 / 4 and q = (3 / 4)^(3/8),
/// e = 3 / (2 q), b = 2 q. With y^2 / 2 = 9 (b / 2 - e / 4) the slope b / x - e / x^2 - y^2 / (2 (x + 1)^2) of the cost
/// is 0 at l^2 = x = 2. The variance 2 becomes 4, the gain 2 / 3, the analysis variance 4 / 3.
TEST_P(EnkfN, MatchesACaseWorkedByHand) {
  LinearCase c(1, 1, 2, 1, true);
  const double q = std::pow(0.75, 0.375), e = 1.5 / q, b = 2 * q;
  const double y = std::sqrt(18 * (b / 2 - e / 4));
  c.F << 1, c.H << 1, c.R << 2, c.y << y, c.members << -1, 1, c.m0 << 0;
  for (const FilterSettings& filter : {primal(2), dual(2)}) {
    const Dense members = last_members(device(), c.problem(), filter, c.members);
    EXPECT_NEAR(members(0, 0), 2 * y / 3 - std::sqrt(2.0 / 3), 1e-11) << filter.method;
    EXPECT_NEAR(members(1, 0), 2 * y / 3 + std::sqrt(2.0 / 3), 1e-11) << filter.method;
  }
}

TEST_P(EnkfN, ObservationsThatSayNothingChangeNothing) {
  LinearCase c(6, 5, 8, 1, true);
  c.R *= 1e12;
  const Dense forecast = c.members * c.F.transpose();
  for (const FilterSettings& filter : {primal(8), dual(8)})
    EXPECT_LT((last_members(device(), c.problem(), filter, c.members) - forecast).norm(), 1e-10 * forecast.norm());
}

TEST_P(EnkfN, UsesWhatIsThereOfAnIncompleteObservation) {
  LinearCase c(6, 5, 8, 2, false);
  c.y(0, 1) = c.y(0, 3) = NAN;
  c.y.row(1).setConstant(NAN);
  LinearCase rest = c;
  const std::vector<int> present = {0, 2, 4};
  rest.H = c.H(present, Eigen::all).eval(), rest.R = c.R(present, present).eval(), rest.y = c.y(0, present).eval();
  for (const FilterSettings& filter : {primal(8), dual(8)}) {
    const Dense analysis = last_members(device(), rest.problem(), filter, c.members) * c.F.transpose();
    const Dense members = last_members(device(), c.problem(), filter, c.members);
    EXPECT_LT((members - analysis).norm(), 1e-12 * analysis.norm()) << filter.method;
  }
}

TEST_P(EnkfN, TurnsWithTheRing) {
  FilterProblem problem = twins_of(sakov_system(8), 2, 1)[0];
  const Dense start = 3 * scattered(6, 8);
  const auto turned = [](const Dense& rows) {
    Dense to(rows.rows(), rows.cols());
    for (long i = 0; i < rows.cols(); ++i) to.col((i + 3) % rows.cols()) = rows.col(i);
    return to;
  };
  FilterProblem moved = problem;
  moved.data.y = matrix_of(turned(dense(problem.data.y)));
  for (const FilterSettings& filter : {primal(6), dual(6)}) {
    const Dense members = last_members(device(), problem, filter, start);
    const Dense others = last_members(device(), moved, filter, turned(start));
    EXPECT_LT((turned(members) - others).norm(), 1e-11 * members.norm()) << filter.method;
  }
}

TEST_P(EnkfN, InnovationsThatOverflowEndTheRun) {
  LinearCase c(6, 5, 8, 3, true);
  c.y.row(1) *= 1e200;
  for (const FilterSettings& filter : {primal(8), dual(8)}) {
    const FilterProblem problem = c.problem();
    const AssimilationRun run{.filter = filter, .initial_members = matrix_of(c.members)};
    EXPECT_EQ(assimilate(device(), {&problem, 1}, {&run, 1})[0].failed_at, 1) << filter.method;
  }
}

TEST(BadEnkfN, IsNamed) {
  const FilterProblem problem = twins_of(sakov_system(8), 2, 1)[0];
  const auto refusal = [&](const FilterSettings& filter) {
    const AssimilationRun run{.filter = filter};
    return message_of([&] { assimilate(Device::cpu(1), {&problem, 1}, {&run, 1}); });
  };
  EXPECT_THAT(refusal({.method = "enkf-n", .xn = 0}), HasSubstr("run 0 (enkf-n): xn is 0, expected a positive number"));
  EXPECT_THAT(refusal({.method = "enkf-n-dual", .xn = INFINITY}), HasSubstr("xn is inf, expected a positive number"));
  EXPECT_THAT(refusal({.method = "enkf-n", .tolerance = -1}), HasSubstr("tolerance is -1, expected a positive number"));
}

/// Published without inflation: .217, and .18 with a prior twice as firm; four short runs scatter by about .01.
TEST(EnkfNOnLorenz96, ReachesThePublishedError) {
  const auto problems = twins_of(sakov_system(), 600, 4);
  for (const auto& [method, xn, published] :
       {std::tuple{"enkf-n", 1.0, 0.217}, {"enkf-n", 2.0, 0.18}, {"enkf-n-dual", 1.0, 0.217}}) {
    double error = 0;
    for (const auto& scores :
         scores_of(Device::cpu(1), problems, {.method = method, .members = 24, .rotation = true, .xn = xn})) {
      EXPECT_EQ(scores.lost_at, -1);
      error += scores.analysis_error / 4;
    }
    EXPECT_NEAR(error, published, 0.03) << method << " " << xn;
  }
}

}  // namespace
}  // namespace vida
