#include <gmock/gmock.h>

#include "backends.hpp"
#include "filter_cases.hpp"
#include "messages.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

class Particle : public OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Particle);

/// Without resampling, unless asked for.
FilterSettings settings(const char* method, long members, double threshold = 0, double jitter = 0) {
  return {.method = method, .members = static_cast<int>(members), .resampling_threshold = threshold, .jitter = jitter};
}

AssimilationResult run_of(const Device& device, const FilterProblem& problem, const FilterSettings& filter,
                          const Dense& members, const AssimilationOptions& more = {}) {
  AssimilationOptions options = more;
  options.keep_means = options.keep_members = true;
  const AssimilationRun run{.filter = filter, .initial_members = matrix_of(members)};
  return assimilate(device, {&problem, 1}, {&run, 1}, options)[0];
}

Eigen::VectorXd normalized(const Eigen::VectorXd& logs) {
  const Eigen::VectorXd weights = (logs.array() - logs.maxCoeff()).exp();
  return weights / weights.sum();
}

/// -d' R^-1 d / 2 of y - H x for every particle, a row of E.
Eigen::VectorXd log_likelihoods(const Dense& E, const Dense& H, const Dense& R, const Eigen::RowVectorXd& y) {
  const Dense apart = (E * H.transpose()).rowwise() - y;
  return -0.5 * (apart * R.inverse()).cwiseProduct(apart).rowwise().sum();
}

Eigen::RowVectorXd row(const Matrix& matrix, long i) { return dense(matrix).row(i); }

/// More cycles than one launch has, so that weights are carried from one to the next.
TEST_P(Particle, WeighsAsADenseCalculationDoes) {
  for (const bool diagonal : {true, false}) {
    const LinearCase c(4, 3, 7, 70, diagonal);
    const AssimilationResult result =
        run_of(device(), c.problem(), settings("particle", 7), c.members, {.keep_ranks = true, .crps_every = 1});
    Dense E = c.members;
    Eigen::VectorXd logs = Eigen::VectorXd::Zero(7);
    for (const long j : {0L, 1L, 2L, 69L}) {
      E = c.members, logs.setZero();
      for (long k = 0; k <= j; ++k) {
        E = (E * c.F.transpose()).eval();
        logs += log_likelihoods(E, c.H, c.R, c.y.row(k));
      }
      const Eigen::VectorXd w = normalized(logs);
      const Eigen::RowVectorXd mean = w.transpose() * E;
      EXPECT_LT((row(result.analysis_mean, j) - mean).norm(), 1e-11 * E.norm()) << j;
      if (1 - w.squaredNorm() < 1e-3) continue;  // the spread is divided by that
      double crps = 0;
      for (long i = 0; i < 4; ++i) {
        const double variance = w.dot((E.col(i).array() - mean[i]).square().matrix()) / (1 - w.squaredNorm());
        EXPECT_NEAR(result.analysis_spread(j, i), std::sqrt(variance), 1e-10) << j;
        crps += w.dot(E.col(i).cwiseAbs()) / 4;  // the truth is 0
        for (long a = 0; a < 7; ++a) crps -= w[a] * w.dot((E.col(i).array() - E(a, i)).abs().matrix()) / 8;
      }
      EXPECT_NEAR(result.scores(j, static_cast<int>(CycleScore::analysis_crps)), crps, 1e-11) << j;
    }
    EXPECT_TRUE(std::isnan(result.scores(0, static_cast<int>(CycleScore::chi_square))));
    for (long i = 0; i < 4; ++i)
      EXPECT_EQ(result.ranks(0, i), ((c.members * c.F.transpose()).col(i).array() < 0).count());
  }
}

/// Two particles at -1 and 1, y = 2, R = 2: weights are as 1 to exp(2), so that the mean is tanh(1) and the variance
/// (1 - tanh(1)^2) / (1 - sum w^2) = 2.
TEST_P(Particle, MatchesACaseWorkedByHand) {
  LinearCase c(1, 1, 2, 1, true);
  c.F << 1, c.H << 1, c.R << 2, c.y << 2, c.members << -1, 1, c.m0 << 0;
  const AssimilationResult result = run_of(device(), c.problem(), settings("particle", 2), c.members);
  EXPECT_NEAR(result.analysis_mean(0, 0), std::tanh(1.0), 1e-14);
  EXPECT_NEAR(result.analysis_spread(0, 0), std::sqrt(2.0), 1e-14);
}

/// Every likelihood is exp(-1e10) or less; the weights are as if the nearest particle were all.
TEST_P(Particle, SurvivesLikelihoodsThatUnderflow) {
  LinearCase c(1, 1, 4, 2, true);
  c.F << 1, c.H << 1, c.R << 1, c.y << 1e5, 1e5, c.members << -1, 0, 1, 2, c.m0 << 0.5;
  const AssimilationResult result = run_of(device(), c.problem(), settings("particle", 4, 0.5, 0.3), c.members);
  EXPECT_EQ(result.failed_at, -1);
  EXPECT_NEAR(result.analysis_mean(0, 0), 2, 1e-12);
  EXPECT_EQ(result.analysis_spread(0, 0), 0);
  EXPECT_GT(result.analysis_spread(1, 0) + std::abs(result.analysis_mean(1, 0) - 2),
            0);  // jitter of the unweighted law
}

TEST_P(Particle, UsesWhatIsThereOfAnIncompleteObservation) {
  LinearCase c(4, 3, 9, 2, false);
  c.y(0, 1) = NAN;
  c.y.row(1).setConstant(NAN);
  LinearCase rest = c;
  const std::vector<int> present = {0, 2};
  rest.H = c.H(present, Eigen::all).eval(), rest.R = c.R(present, present).eval();
  rest.y = c.y.topRows(1)(Eigen::all, present).eval();
  const auto result = run_of(device(), c.problem(), settings("particle", 9), c.members);
  const auto reduced = run_of(device(), rest.problem(), settings("particle", 9), c.members);
  EXPECT_LT((row(result.analysis_mean, 0) - row(reduced.analysis_mean, 0)).norm(), 1e-13);
  EXPECT_LT((row(result.analysis_mean, 1) - row(result.forecast_mean, 1)).norm(), 1e-13);
  EXPECT_LT((row(result.forecast_mean, 1) - row(result.analysis_mean, 0) * c.F.transpose()).norm(), 1e-12);
}

TEST_P(Particle, ResamplesSystematically) {
  const long N = 150;  // three tiles
  const LinearCase c(3, 2, N, 1, true);
  const auto result = run_of(device(), c.problem(), settings("particle", N, 1), c.members);
  const Dense E = c.members * c.F.transpose(), after = dense(result.members);
  const Eigen::VectorXd w = normalized(log_likelihoods(E, c.H, c.R, c.y.row(0)));
  for (long k = 0; k < N; ++k) {
    long copies = 0;
    for (long i = 0; i < N; ++i) copies += (after.row(i) - E.row(k)).norm() < 1e-13;
    EXPECT_GE(copies, std::floor(N * w[k] - 1e-9)) << k;
    EXPECT_LE(copies, std::ceil(N * w[k] + 1e-9)) << k;
  }
  EXPECT_LT((row(result.analysis_mean, 0) - w.transpose() * E).norm(), 1e-12);  // before the resampling
}

TEST_P(Particle, JitterPartsTwinsWithTheWeightedCovariance) {
  const long N = on_cuda() && kOnShim ? 400 : 6000, n = 3;
  const LinearCase c(n, 2, N, 1, true);
  const Dense still = dense(run_of(device(), c.problem(), settings("particle", N, 1), c.members).members);
  const Dense moved = dense(run_of(device(), c.problem(), settings("particle", N, 1, 0.6), c.members).members);
  const Dense E = c.members * c.F.transpose();
  const Eigen::VectorXd w = normalized(log_likelihoods(E, c.H, c.R, c.y.row(0)));
  const Dense A = E.rowwise() - (w.transpose() * E);
  const double width = 0.6 * std::pow(N, -1.0 / (n + 4.0));
  const Dense C = width * width * A.transpose() * w.asDiagonal() * A / (1 - w.squaredNorm());
  Dense sum = Dense::Zero(n, n);
  long twins = 0;
  for (long i = 0; i < N; ++i) {
    const bool twin = (i > 0 && still.row(i) == still.row(i - 1)) || (i + 1 < N && still.row(i) == still.row(i + 1));
    const Eigen::RowVectorXd apart = moved.row(i) - still.row(i);
    EXPECT_EQ(apart.norm() > 0, twin) << i;
    if (twin) sum += apart.transpose() * apart, ++twins;
  }
  ASSERT_GT(twins, N / 4);
  const double relative = 4.5 * std::sqrt(2.0 / static_cast<double>(twins / 2));  // a draw serves two particles
  for (long a = 0; a < n; ++a)
    for (long b = 0; b < n; ++b)
      EXPECT_NEAR(sum(a, b) / static_cast<double>(twins), C(a, b), relative * std::sqrt(C(a, a) * C(b, b)));
}

/// The offspring of the last cycle of a launch are the particles of the next one.
TEST_P(Particle, CarriesOffspringFromLaunchToLaunch) {
  const LinearCase c(3, 2, 20, 66, true);
  LinearCase first = c;
  first.y = c.y.topRows(64).eval();
  const auto whole = run_of(device(), c.problem(), settings("particle", 20, 1, 0.7), c.members);
  const auto begun = run_of(device(), first.problem(), settings("particle", 20, 1, 0.7), c.members);
  const Eigen::RowVectorXd mean = dense(begun.members).colwise().mean() * c.F.transpose();
  EXPECT_EQ(row(whole.analysis_mean, 63), row(begun.analysis_mean, 63));
  EXPECT_LT((row(whole.forecast_mean, 64) - mean).norm(), 1e-12 * (1 + mean.norm()));
}

FilterProblem with_model_noise(const LinearCase& c, const Dense& Q) {
  FilterProblem problem = c.problem();
  problem.system.process_noise = matrix_of(Q);
  return problem;
}

TEST_P(Particle, OptimalWeightsAreThoseOfADenseCalculation) {
  for (const bool diagonal : {true, false}) {
    const LinearCase c(4, 3, 70, 1, diagonal);
    const Dense Q = diagonal ? Dense(0.3 * Dense::Identity(4, 4)) : covariance(4, 0.3, 7);
    const auto result = run_of(device(), with_model_noise(c, Q), settings("optimal-particle", 70), c.members);
    const Dense Psi = c.members * c.F.transpose(), S = c.H * Q * c.H.transpose() + c.R;
    const Eigen::VectorXd w = normalized(log_likelihoods(Psi, c.H, S, c.y.row(0)));
    EXPECT_LT((row(result.analysis_mean, 0) - w.transpose() * dense(result.members)).norm(), 1e-12);
    EXPECT_LT((row(result.forecast_mean, 0) - Psi.colwise().mean()).norm(), 1e-12);
  }
}

TEST_P(Particle, OptimalParticlesAreDrawnGivenTheObservation) {
  const long N = on_cuda() && kOnShim ? 300 : 3000;
  const LinearCase c(3, 2, N, 1, false);
  const Dense Q = covariance(3, 0.3, 7);
  const auto result = run_of(device(), with_model_noise(c, Q), settings("optimal-particle", N), c.members);
  const Dense K = Q * c.H.transpose() * (c.H * Q * c.H.transpose() + c.R).inverse();
  const Dense Psi = c.members * c.F.transpose();
  const Dense center = Psi + ((-Psi * c.H.transpose()).rowwise() + c.y.row(0)) * K.transpose();
  const Dense law = Q - K * c.H * Q, root = law.llt().matrixL();
  const Dense z = root.triangularView<Eigen::Lower>().solve((dense(result.members) - center).transpose());
  const Dense moments = z * z.transpose() / static_cast<double>(N);
  const double scatter = 4.5 * std::sqrt(2.0 / static_cast<double>(N));
  for (long a = 0; a < 3; ++a) {
    EXPECT_NEAR(z.row(a).mean(), 0, scatter);
    for (long b = 0; b < 3; ++b) EXPECT_NEAR(moments(a, b), a == b, scatter);
  }
}

/// Two variables with model noise: the error of the mean falls like 1 / sqrt(N) times the posterior's deviation.
TEST_P(Particle, ApproachesTheExactPosterior) {
  const LinearCase c(2, 2, 8, 4, true);
  const Dense Q = covariance(2, 0.4, 7);
  const FilterProblem problem = with_model_noise(c, Q);
  Eigen::VectorXd m = c.m0;
  Dense P = c.P0;
  for (long j = 0; j < 4; ++j) {
    m = c.F * m, P = c.F * P * c.F.transpose() + Q;
    const Dense K = P * c.H.transpose() * (c.H * P * c.H.transpose() + c.R).inverse();
    m += K * (c.y.row(j).transpose() - c.H * m), P -= K * c.H * P;
  }
  for (const char* method : {"particle", "optimal-particle"})
    for (const int N : {300, on_cuda() && kOnShim ? 900 : 30000}) {
      const AssimilationRun run{.filter = settings(method, N, 0.5), .seed = 5};
      const auto result = assimilate(device(), {&problem, 1}, {&run, 1}, {.keep_means = true})[0];
      for (long i = 0; i < 2; ++i) {
        // an effective size of a tenth of N, and as much again from each of the resamplings before
        const double scatter = 4.5 * std::sqrt(40 * P(i, i) / N);
        EXPECT_NEAR(result.analysis_mean(3, i), m[i], scatter) << method << " " << N;
        EXPECT_NEAR(result.analysis_spread(3, i), std::sqrt(P(i, i)), scatter) << method << " " << N;
      }
    }
}

TEST_P(Particle, WithOptimalProposalIsTheSameAloneAndInABatch) {
  StateSpaceModel system = sakov_system(8);
  system.process_noise = scaled_identity(8, 0.1);
  const auto problems = twins_of(system, kOnShim ? 4 : 80, 2);
  std::vector<AssimilationRun> runs;
  for (const int members : {70, 9})
    for (const long problem : {0, 1})
      runs.push_back({.problem = problem, .filter = {.method = "optimal-particle", .members = members}, .seed = 4});
  const auto batch = assimilate(device(3), problems, runs, {.keep_means = true, .keep_members = true});
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto alone = assimilate(device(1), problems, {&runs[i], 1}, {.keep_means = true, .keep_members = true})[0];
    EXPECT_EQ(batch[i].failed_at, -1);
    EXPECT_TRUE(batch[i].analysis_mean == alone.analysis_mean);
    EXPECT_TRUE(batch[i].members == alone.members);
  }
}

/// Long runs of 3,000 particles give .25; one short one of half as many is allowed .4.
TEST(ParticleOnLorenz96, FollowsTheTruth) {
  const auto problems = twins_of(sakov_system(), 300, 1);
  const auto scores = scores_of(Device::cpu(1), problems, {.method = "particle", .members = 1500})[0];
  EXPECT_EQ(scores.lost_at, -1);
  EXPECT_LT(scores.analysis_error, 0.4);
  EXPECT_NEAR(scores.ratio, 1.1, 0.25);
}

std::string refusal(const FilterSettings& filter, const StateSpaceModel& system) {
  const FilterProblem problem{.system = system, .data = {.y = Matrix({2, system.p()}), .truth = {}}};
  const AssimilationRun run{.filter = filter};
  return message_of([&] { assimilate(Device::cpu(1), {&problem, 1}, {&run, 1}); });
}

TEST(BadParticleFilter, IsNamed) {
  StateSpaceModel system = sakov_system(8);
  EXPECT_THAT(refusal(settings("particle", 5, 1.5), system),
              HasSubstr("run 0 (particle): resampling_threshold is 1.5, expected a share of the members from 0 to 1"));
  EXPECT_THAT(refusal(settings("particle", 5, 1, -1), system),
              HasSubstr("jitter is -1, expected 0 or a positive number"));
  EXPECT_THAT(refusal(settings("optimal-particle", 5), system),
              HasSubstr("run 0 (optimal-particle): data set 0 has no model noise (process_noise is zero)"));
  system.process_noise = scaled_identity(8, 0.1);
  system.observation_function = ObservationFunction::square;
  EXPECT_THAT(refusal(settings("optimal-particle", 5), system),
              HasSubstr("the optimal proposal needs linear ones, H v. Use the method \"particle\"."));
}

}  // namespace
}  // namespace vida
