#pragma once

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "vida/vida.hpp"

/// Small problems of filters, with dense algebra to check them by.
namespace vida::testing {

using Dense = Eigen::MatrixXd;

inline Dense dense(const Matrix& matrix) {
  return Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      matrix.data(), matrix.extent(0), matrix.extent(1));
}

inline Matrix matrix_of(const Dense& from) {
  Matrix to({from.rows(), from.cols()});
  for (long i = 0; i < from.rows(); ++i)
    for (long j = 0; j < from.cols(); ++j) to(i, j) = from(i, j);
  return to;
}

/// Numbers between -1 and 1 without any order.
inline Dense scattered(long rows, long columns, double phase = 0) {
  Dense values(rows, columns);
  for (long e = 0; e < values.size(); ++e) {
    const double x = 43758.5453 * std::sin(12.9898 * static_cast<double>(e + 1) + phase);
    values(e / columns, e % columns) = 2 * (x - std::floor(x)) - 1;
  }
  return values;
}

inline Dense covariance(long n, double variance, double phase) {
  const Dense root = scattered(n, n, phase);
  return variance * (0.3 * root * root.transpose() + Dense::Identity(n, n));
}

/// A linear problem without model noise: v_{j+1} = F v_j, y = H v + noise.
struct LinearCase {
  Dense F, H, R, P0;  ///< P0: covariance of the members that runs start from
  Dense members;      ///< [member, n], with sample mean m0 and sample covariance exactly P0
  Eigen::VectorXd m0;
  Dense y;  ///< [cycle, p]

  LinearCase(long n, long p, long N, long cycles, bool diagonal_R) {
    F = 0.9 * Dense::Identity(n, n) + 0.2 * scattered(n, n, 1);
    H = scattered(p, n, 2);
    R = diagonal_R ? Dense(Dense::Identity(p, p) * 0.5) : covariance(p, 0.5, 3);
    const Dense draws = scattered(N, n, 4);
    members = draws;
    m0 = members.colwise().mean().transpose();
    const Dense A = members.rowwise() - m0.transpose();
    P0 = A.transpose() * A / static_cast<double>(N - 1);
    y = 2 * scattered(cycles, p, 5);
  }

  FilterProblem problem() const {
    const long n = F.rows();
    Vector mean({n});
    std::copy(m0.data(), m0.data() + n, mean.begin());
    const Dense law = P0 + 1e-9 * Dense::Identity(n, n);  // of runs that draw; positive definite whatever N is
    return {.system = {.model = LinearDynamics{matrix_of(F)},
                       .process_noise = Matrix({n, n}),
                       .observation_operator = matrix_of(H),
                       .observation_noise = matrix_of(R),
                       .initial_mean = mean,
                       .initial_covariance = matrix_of(law)},
            .data = {.y = matrix_of(y), .truth = Matrix({y.rows(), n})}};
  }

  /// Mean and covariance of the Kalman filter after every cycle.
  std::vector<std::pair<Eigen::VectorXd, Dense>> kalman() const {
    std::vector<std::pair<Eigen::VectorXd, Dense>> analyses;
    Eigen::VectorXd m = m0;
    Dense P = P0;
    for (long j = 0; j < y.rows(); ++j) {
      m = F * m;
      P = F * P * F.transpose();
      const Dense K = P * H.transpose() * (H * P * H.transpose() + R).inverse();
      m += K * (y.row(j).transpose() - H * m);
      P -= K * H * P;
      analyses.emplace_back(m, P);
    }
    return analyses;
  }
};

inline Dense sample_covariance(const Dense& members) {
  const Dense A = members.rowwise() - members.colwise().mean();
  return A.transpose() * A / static_cast<double>(members.rows() - 1);
}

/// The last analysis ensemble of one run [member, n].
inline Dense last_members(const Device& device, const FilterProblem& problem, const FilterSettings& filter,
                          const Dense& members) {
  const AssimilationRun run{.filter = filter, .initial_members = matrix_of(members)};
  return dense(assimilate(device, {&problem, 1}, {&run, 1}, {.keep_members = true})[0].members);
}

/// Lorenz-96 as in Sakov and Oke (2008), n variables, every `every`-th observed.
inline StateSpaceModel sakov_system(int n = 40, int every = 1) {
  const int p = (n + every - 1) / every;
  Matrix H({p, n});
  for (int j = 0; j < p; ++j) H(j, j * every) = 1;
  Vector mean({n});
  mean[0] = 1;
  return {.model = Lorenz96{.n = n},
          .process_noise = Matrix({n, n}),
          .observation_operator = H,
          .observation_noise = scaled_identity(p, 1.0),
          .initial_mean = mean,
          .initial_covariance = scaled_identity(n, 0.001)};
}

/// Everything of one run from given members.
inline AssimilationResult result_of(const Device& device, const FilterProblem& problem, const FilterSettings& filter,
                                    const Dense& members) {
  const AssimilationRun run{.filter = filter, .initial_members = matrix_of(members)};
  return assimilate(device, {&problem, 1}, {&run, 1}, {.keep_members = true})[0];
}

/// The forecast at the first cycle of a linear case: members E, their mean, anomalies, and whitened observations.
struct LinearForecast {
  Dense E, A, Y;  ///< [member, n], [member, n], [member, p]
  Eigen::RowVectorXd mean, d;
  double N1;

  explicit LinearForecast(const LinearCase& c) {
    E = c.members * c.F.transpose();
    mean = E.colwise().mean();
    A = E.rowwise() - mean;
    const Dense root = Eigen::SelfAdjointEigenSolver<Dense>(c.R).operatorInverseSqrt();
    Y = A * c.H.transpose() * root;
    d = (c.y.row(0) - mean * c.H.transpose()) * root;
    N1 = static_cast<double>(E.rows() - 1);
  }
  /// (Y'Y + N1 I)^-1 among the observations.
  Dense inverse() const { return (Y.transpose() * Y + N1 * Dense::Identity(Y.cols(), Y.cols())).inverse(); }
  /// K for whitened observations [n, p].
  Dense gain() const { return A.transpose() * Y * inverse(); }
  double chi_square() const { return N1 * (d * inverse() * d.transpose())(0, 0) / static_cast<double>(d.size()); }
};

inline double chi_square_of(const AssimilationResult& result) {
  return result.scores(0, static_cast<int>(CycleScore::chi_square));
}

/// The observations `present` of a linear case, all others left out or, in `with_gaps`, missing.
inline LinearCase only(const LinearCase& c, const std::vector<int>& present) {
  LinearCase rest = c;
  rest.H = c.H(present, Eigen::all).eval(), rest.R = c.R(present, present).eval(),
  rest.y = c.y(Eigen::all, present).eval();
  return rest;
}
inline LinearCase with_gaps(const LinearCase& c, const std::vector<int>& present) {
  LinearCase gaps = c;
  gaps.y.setConstant(NAN);
  for (const int j : present) gaps.y.col(j) = c.y.col(j);
  return gaps;
}

/// One lane that works alone, to draw in a test what a kernel draws.
struct OneLane {
  template <class Real>
  using Pack = Real;
  template <class Real>
  using Octet = Real;
  static constexpr bool kSingleLane = true;
  static constexpr int rank() { return 0; }
  static constexpr int size() { return 1; }
  static void sync() {}
};

/// Columns of the matrix moved up by `by`, around the end.
inline Dense shifted(const Dense& from, long by) {
  Dense to = from;
  for (long i = 0; i < from.cols(); ++i) to.col((i + by) % from.cols()) = from.col(i);
  return to;
}

/// A cycle of Lorenz-96 with 12 variables from scattered members, as it is and moved around the ring.
struct RingCase {
  FilterProblem problem, moved;
  Dense members, moved_members;

  explicit RingCase(long by, int N = 7) {
    problem = {.system = sakov_system(12), .data = {.y = matrix_of(3 * scattered(1, 12, 6)), .truth = {}}};
    moved = problem;
    moved.data.y = matrix_of(shifted(dense(problem.data.y), by));
    members = 2 * scattered(N, 12, 7);
    moved_members = shifted(members, by);
  }
};

inline std::vector<FilterProblem> twins_of(const StateSpaceModel& system, long cycles, int seeds) {
  std::vector<TwinOptions> options;
  for (int s = 0; s < seeds; ++s) options.push_back({.cycles = cycles, .seed = static_cast<std::uint64_t>(s)});
  std::vector<FilterProblem> problems;
  for (Observations& data : simulate(Device::cpu(1), {&system, 1}, options))
    problems.push_back({.system = system, .data = std::move(data)});
  return problems;
}

/// Scores after half of the cycles for one filter on each problem.
inline std::vector<AssimilationSummary> scores_of(const Device& device, const std::vector<FilterProblem>& problems,
                                                  const FilterSettings& filter) {
  std::vector<AssimilationRun> runs;
  for (std::size_t i = 0; i < problems.size(); ++i)
    runs.push_back({.problem = static_cast<long>(i), .filter = filter, .seed = i});
  std::vector<AssimilationSummary> summaries;
  for (const AssimilationResult& result : assimilate(device, problems, runs))
    summaries.push_back(summarize(result, result.scores.extent(0) / 2));
  return summaries;
}

}  // namespace vida::testing
