#include <gmock/gmock.h>

#include "backends.hpp"
#include "filter_cases.hpp"
#include "golden.hpp"
#include "messages.hpp"
#include "near.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

class Kalman : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Kalman);

AssimilationResult filtered(const Device& device, const FilterProblem& problem, const FilterSettings& filter,
                            Precision precision = Precision::float64) {
  const AssimilationRun run{.filter = filter};
  return assimilate(device, {&problem, 1}, {&run, 1},
                    {.precision = precision, .keep_means = true, .keep_members = true, .crps_every = 1})[0];
}

Eigen::VectorXd row_of(const Matrix& matrix, long row) { return dense(matrix).row(row).transpose(); }

double score(const AssimilationResult& result, long cycle, CycleScore which) {
  return result.scores(cycle, static_cast<int>(which));
}

/// Rows of H that see one component each, two of them the same one.
Dense single_components(long p, long n) {
  Dense H = Dense::Zero(p, n);
  for (long j = 0; j < p; ++j) H(j, (5 * j) % n) = 1;
  return H;
}

/// The filter of dense algebra with missing observations, several steps a cycle and inflation.
void expect_dense_algebra(const AssimilationResult& result, const FilterProblem& problem, double inflation) {
  const StateSpaceModel& system = problem.system;
  const auto& model = std::get<LinearDynamics>(system.model);
  const Dense F = dense(model.step), Q = dense(system.process_noise);
  Eigen::VectorXd m = Eigen::Map<const Eigen::VectorXd>(system.initial_mean.data(), system.n());
  Dense P = dense(system.initial_covariance);
  for (long j = 0; j < problem.data.y.extent(0); ++j) {
    for (int step = 0; step < system.steps_per_cycle; ++step)
      m = F * m, P = std::pow(inflation, model.dt) * F * P * F.transpose();
    P += Q;
    EXPECT_LT((row_of(result.forecast_mean, j) - m).norm(), 1e-11 * m.norm()) << j;
    EXPECT_NEAR(score(result, j, CycleScore::forecast_spread), std::sqrt(P.trace() / static_cast<double>(m.size())),
                1e-11);
    std::vector<int> present;
    for (int k = 0; k < system.p(); ++k)
      if (!std::isnan(problem.data.y(j, k))) present.push_back(k);
    if (present.empty()) {
      EXPECT_TRUE(std::isnan(score(result, j, CycleScore::chi_square)));
    } else {
      const Dense H = dense(system.observation_operator)(present, Eigen::all);
      const Dense S = H * P * H.transpose() + Dense(dense(system.observation_noise)(present, present));
      const Eigen::VectorXd d = Eigen::VectorXd(row_of(problem.data.y, j)(present)) - H * m;
      const Dense K = P * H.transpose() * S.inverse();
      EXPECT_NEAR(score(result, j, CycleScore::chi_square),
                  d.dot(S.inverse() * d) / static_cast<double>(present.size()), 1e-11);
      m += K * d;
      P -= K * H * P;
    }
    EXPECT_LT((row_of(result.analysis_mean, j) - m).norm(), 1e-11 * m.norm()) << j;
    EXPECT_LT((row_of(result.analysis_spread, j) - P.diagonal().cwiseSqrt()).norm(), 1e-11 * P.norm()) << j;
  }
  EXPECT_LT((dense(result.covariance) - P).norm(), 1e-11 * P.norm());
  EXPECT_LT((dense(result.covariance) - dense(result.covariance).transpose()).norm(), 1e-15 * P.norm());
}

TEST_P(Kalman, IsTheFilterOfDenseAlgebra) {
  for (const char* method : {"kalman", "ekf"})
    for (const bool diagonal : {true, false})
      for (const bool single : {true, false}) {
        LinearCase c(7, 9, 12, 5, diagonal);
        if (single) c.H = single_components(9, 7);
        c.y(0, 2) = c.y(1, 0) = c.y(1, 7) = c.y(4, 8) = NAN;
        c.y.row(3).setConstant(NAN);
        FilterProblem problem = c.problem();
        std::get<LinearDynamics>(problem.system.model).dt = 0.5;
        problem.system.steps_per_cycle = diagonal ? 1 : 3;
        problem.system.initial_covariance = matrix_of(covariance(7, 1.5, 6));
        problem.system.process_noise = single ? scaled_identity(7, 0.3) : matrix_of(covariance(7, 0.2, 7));
        const double inflation = single ? 1.3 : 1.0;
        expect_dense_algebra(filtered(device(), problem, {.method = method, .inflation = inflation}), problem,
                             inflation);
      }
}

/// C^ = [1 1/2; 1/2 1], y = 2 sees the first component with R = 1: S = 2, K = (1/2, 1/4), chi-square 4 / 2.
TEST_P(Kalman, MatchesACaseWorkedByHand) {
  LinearCase c(2, 1, 3, 1, true);
  c.F.setIdentity();
  c.H << 1, 0;
  c.R << 1;
  c.y << 2;
  c.m0.setZero();
  FilterProblem problem = c.problem();
  problem.system.initial_covariance = matrix_of((Dense(2, 2) << 1, 0.5, 0.5, 1).finished());
  const AssimilationResult result = filtered(device(), problem, {.method = "kalman"});
  EXPECT_NEAR(result.analysis_mean(0, 0), 1, 1e-15);
  EXPECT_NEAR(result.analysis_mean(0, 1), 0.5, 1e-15);
  EXPECT_NEAR(result.covariance(0, 0), 0.5, 1e-15);
  EXPECT_NEAR(result.covariance(0, 1), 0.25, 1e-15);
  EXPECT_NEAR(result.covariance(1, 1), 0.875, 1e-15);
  EXPECT_NEAR(score(result, 0, CycleScore::chi_square), 2, 1e-15);
  // the truth is 0, the forecast N(0, 1) in both components: (2 phi(0) - 1 / sqrt(pi)) is its score
  const double pi = std::acos(-1.0);
  EXPECT_NEAR(score(result, 0, CycleScore::forecast_crps), (std::sqrt(2.0) - 1) / std::sqrt(pi), 1e-14);
  EXPECT_NEAR(score(result, 0, CycleScore::forecast_spread), 1, 1e-15);
}

TEST_P(Kalman, MatchesTheGoldenFiles) {
  for (const char* name : {"filter_general_n12_p8.nc", "filter_general_n40_p30.nc"}) {
    const Golden golden = Golden(name);
    const bool whole = !(kOnShim && on_cuda());
    if (!whole && std::string(name) == "filter_general_n40_p30.nc") continue;
    const AssimilationResult result = filtered(device(), golden.general(), {.method = "ekf"});
    EXPECT_LT(relative_error(result.analysis_mean, golden.matrix("ekf_mean")), 1e-9) << name;
    EXPECT_LT(relative_error(result.covariance, golden.matrix("ekf_cov_last")), 1e-9) << name;
  }
}

TEST_P(Kalman, IsTheExtendedFilterOfTheReferenceProblem) {
  const FilterProblem problem = shortened(Golden("learn_gain_l96.nc").reference(), kOnShim && on_cuda() ? 3 : 200);
  const AssimilationResult result = filtered(device(), problem, {.method = "ekf"});
  const FilterResult expected = extended_kalman_filter(Device::cpu(1), {&problem, 1})[0];
  EXPECT_LT(relative_error(result.analysis_mean, expected.analysis_mean), 1e-9);
  EXPECT_LT(relative_error(result.covariance, expected.analysis_cov_last), 1e-9);
  double chi_square = 0;
  const long cycles = result.scores.extent(0);
  for (long j = 0; j < cycles; ++j)
    chi_square += score(result, j, CycleScore::chi_square) / static_cast<double>(cycles);
  EXPECT_NEAR(chi_square, expected.chi_square, 1e-9);
}

/// The derivative by which a filter carries its covariance over a second cycle that observes nothing, as
/// J P J' = the covariance after it; J from `derivative` of the mean after the first.
template <class Derivative>
void expect_derivative(const Device& device, FilterProblem problem, const char* tangent, double tolerance,
                       Derivative derivative) {
  const FilterSettings filter{.method = "ekf", .inflation = 3, .tangent = tangent};
  for (long k = 0; k < problem.data.y.extent(1); ++k) problem.data.y(1, k) = NAN;
  const AssimilationResult first = filtered(device, shortened(problem, 1), filter);
  const AssimilationResult second = filtered(device, problem, filter);
  const Dense J = derivative(row_of(first.analysis_mean, 0), row_of(second.forecast_mean, 1));
  const Dense expected = std::pow(3.0, step_length(problem.system.model)) * J * dense(first.covariance) * J.transpose();
  EXPECT_LT((dense(second.covariance) - expected).norm(), tolerance * expected.norm()) << tangent;
}

FilterProblem correlated(FilterProblem problem, double variance) {
  problem.system.initial_covariance = matrix_of(covariance(problem.system.n(), variance, 8));
  return problem;
}

/// exp(dt M) by its series.
Dense exponential(const Dense& M, int order) {
  Dense term = Dense::Identity(M.rows(), M.cols()), sum = term;
  for (int k = 1; k <= order; ++k) term = term * M / k, sum += term;
  return sum;
}

TEST_P(Kalman, CarriesTheCovarianceOfLorenz96ByItsDerivative) {
  for (const int n : {5, 14}) {
    const FilterProblem problem = correlated(twins_of(sakov_system(n), 2, 1)[0], 0.5);
    const auto& model = std::get<Lorenz96>(problem.system.model);
    expect_derivative(device(), problem, "exact", 1e-12, [&](const Eigen::VectorXd& mean, const Eigen::VectorXd&) {
      Matrix state({1, n});
      std::copy(mean.begin(), mean.end(), state.begin());
      const auto J = jacobian<double>(Device::cpu(1), model, state, 1);
      Matrix one({n, n});
      std::copy(J.begin(), J.end(), one.begin());
      return dense(one);
    });
    expect_derivative(device(), problem, "frozen", 1e-12, [&](const Eigen::VectorXd&, const Eigen::VectorXd& v) {
      Dense M = -Dense::Identity(n, n);
      for (int i = 0; i < n; ++i) {
        const int below = (i + n - 1) % n, two = (i + n - 2) % n, above = (i + 1) % n;
        M(i, below) += v[above] - v[two];
        M(i, above) += v[below];
        M(i, two) -= v[below];
      }
      return exponential(model.dt * M, 30);
    });
  }
}

StateSpaceModel lorenz63_system() {
  Vector mean({3});
  mean[0] = 1.509, mean[1] = -1.531, mean[2] = 25.46;
  return {.model = Lorenz63{},
          .steps_per_cycle = 1,
          .process_noise = Matrix({3, 3}),
          .observation_operator = scaled_identity(3, 1.0),
          .observation_noise = scaled_identity(3, 2.0),
          .initial_mean = mean,
          .initial_covariance = scaled_identity(3, 2.0)};
}

Eigen::Vector3d lorenz63_step(const Eigen::Vector3d& v, const Lorenz63& model) {
  const auto slope = [&](const Eigen::Vector3d& u) {
    return Eigen::Vector3d(model.sigma * (u[1] - u[0]), u[0] * (model.rho - u[2]) - u[1],
                           u[0] * u[1] - model.beta * u[2]);
  };
  const double dt = model.dt;
  const Eigen::Vector3d a = slope(v), b = slope(v + dt / 2 * a), c = slope(v + dt / 2 * b), d = slope(v + dt * c);
  return v + dt / 6 * (a + 2 * b + 2 * c + d);
}

TEST_P(Kalman, CarriesTheCovarianceOfLorenz63ByItsDerivative) {
  const FilterProblem problem = correlated(twins_of(lorenz63_system(), 2, 1)[0], 1);
  const Lorenz63 model;
  // central differences with steps of 1e-5 err by about 1e-10 from truncation and 1e-10 from rounding
  expect_derivative(device(), problem, "exact", 1e-8, [&](const Eigen::VectorXd& mean, const Eigen::VectorXd&) {
    Dense J(3, 3);
    for (int k = 0; k < 3; ++k) {
      const Eigen::Vector3d step = 1e-5 * Eigen::Vector3d::Unit(k);
      J.col(k) = (lorenz63_step(mean + step, model) - lorenz63_step(mean - step, model)) / 2e-5;
    }
    return J;
  });
  expect_derivative(device(), problem, "frozen", 1e-12, [&](const Eigen::VectorXd&, const Eigen::VectorXd& v) {
    Dense M(3, 3);
    M << -model.sigma, model.sigma, 0, model.rho - v[2], -1, -v[0], v[1], v[0], -model.beta;
    return Dense(Dense::Identity(3, 3) + model.dt * M);
  });
}

TEST_P(Kalman, LinearizesObservationsAboutTheForecast) {
  for (const bool diagonal : {true, false}) {
    const LinearCase c(6, 5, 12, 1, diagonal);
    FilterProblem problem = c.problem();
    problem.system.observation_function = ObservationFunction::cube;
    const Eigen::VectorXd m = c.F * c.m0, seen = c.H * m;
    const Dense P = c.F * dense(problem.system.initial_covariance) * c.F.transpose();
    const Dense H = (3 * seen.array().square()).matrix().asDiagonal() * c.H;
    const Dense K = P * H.transpose() * (H * P * H.transpose() + c.R).inverse();
    const Eigen::VectorXd expected = m + K * (c.y.row(0).transpose() - Eigen::VectorXd(seen.array().cube()));
    const AssimilationResult result = filtered(device(), problem, {.method = "ekf"});
    EXPECT_LT((row_of(result.analysis_mean, 0) - expected).norm(), 1e-12 * expected.norm());
    EXPECT_LT((dense(result.covariance) - (P - K * H * P)).norm(), 1e-12 * P.norm());
  }
}

TEST_P(Kalman, IsEquivariantUnderCyclicShifts) {
  const long n = 12, shift = 5, cycles = 3;
  FilterProblem problem = twins_of(sakov_system(n), cycles, 1)[0];
  FilterProblem shifted = problem;
  for (long i = 0; i < n; ++i) {
    shifted.system.initial_mean[(i + shift) % n] = problem.system.initial_mean[i];
    for (long j = 0; j < cycles; ++j) {
      shifted.data.y(j, (i + shift) % n) = problem.data.y(j, i);
      shifted.data.truth(j, (i + shift) % n) = problem.data.truth(j, i);
    }
  }
  const FilterSettings filter{.method = "ekf", .inflation = 10};
  const AssimilationResult a = filtered(device(), problem, filter), b = filtered(device(), shifted, filter);
  for (long i = 0; i < n; ++i) {
    EXPECT_NEAR(b.analysis_mean(cycles - 1, (i + shift) % n), a.analysis_mean(cycles - 1, i), 1e-12);
    for (long k = 0; k < n; ++k) EXPECT_NEAR(b.covariance((i + shift) % n, (k + shift) % n), a.covariance(i, k), 1e-13);
  }
}

TEST_P(Kalman, RunsInSinglePrecision) {
  const FilterProblem problem = twins_of(sakov_system(12), 4, 1)[0];
  const FilterSettings filter{.method = "ekf", .inflation = 10};
  const AssimilationResult exact = filtered(device(), problem, filter);
  const AssimilationResult single = filtered(device(), problem, filter, Precision::float32);
  EXPECT_LT(relative_error(single.analysis_mean, exact.analysis_mean), 1e-5);
  EXPECT_LT(relative_error(single.covariance, exact.covariance), 1e-4);
}

/// Published: .22 with inflation 10 over long runs (Sakov and Oke 2008); four short ones scatter by about .005.
TEST(KalmanOnLorenz96, ReachesThePublishedError) {
  const auto problems = twins_of(sakov_system(), 600, 4);
  double error = 0, ratio = 0;
  for (const auto& scores : scores_of(Device::cpu(1), problems, {.method = "ekf", .inflation = 10})) {
    EXPECT_EQ(scores.lost_at, -1);
    error += scores.analysis_error / 4, ratio += scores.ratio / 4;
  }
  EXPECT_NEAR(error, 0.22, 0.015);
  EXPECT_NEAR(ratio, 1.2, 0.1);
}

std::string refusal(const FilterProblem& problem, const FilterSettings& filter, std::size_t memory = 0) {
  const AssimilationRun run{.filter = filter};
  return message_of([&] {
    assimilate(Device({.name = "cpu", .threads = 1, .memory_limit = memory}), {&problem, 1}, {&run, 1});
  });
}

TEST(BadKalman, IsNamed) {
  const FilterProblem ring = twins_of(sakov_system(8), 2, 1)[0];
  EXPECT_THAT(refusal(ring, {.method = "kalman"}),
              HasSubstr("run 0 (kalman): the model of data set 0 is lorenz96 and its observations are linear; this "
                        "filter needs a linear model and linear observations. Use \"ekf\"."));
  FilterProblem cubic = LinearCase(3, 2, 5, 1, true).problem();
  cubic.system.observation_function = ObservationFunction::cube;
  EXPECT_THAT(refusal(cubic, {.method = "kalman"}), HasSubstr("is linear and its observations are not linear"));
  EXPECT_THAT(refusal(ring, {.method = "ekf", .tangent = "forzen"}),
              HasSubstr("run 0 (ekf): tangent is \"forzen\", expected \"exact\" or \"frozen\""));
  EXPECT_THAT(refusal(ring, {.method = "ekf", .inflation = -1}), HasSubstr("inflation is -1, expected a positive"));
  EXPECT_THAT(refusal(ring, {.method = "ekf"}, 10'000),
              ::testing::AllOf(HasSubstr("ekf of 8 components needs"), HasSubstr("Use an ensemble filter")));
}

}  // namespace
}  // namespace vida
