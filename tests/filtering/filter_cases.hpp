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
