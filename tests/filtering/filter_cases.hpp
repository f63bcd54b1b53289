#pragma once

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "vida/vida.hpp"

/// Small problems of filters, with dense algebra to check them by.
namespace vida::testing {

using Dense = Eigen::MatrixXd;

Dense dense(const Matrix& matrix);

Matrix matrix_of(const Dense& from);

/// Numbers between -1 and 1 without any order.
Dense scattered(long rows, long columns, double phase = 0);

Dense covariance(long n, double variance, double phase);

/// A linear problem without model noise: v_{j+1} = F v_j, y = H v + noise.
struct LinearCase {
  Dense F, H, R, P0;  ///< P0: covariance of the members that runs start from
  Dense members;      ///< [member, n], with sample mean m0 and sample covariance exactly P0
  Eigen::VectorXd m0;
  Dense y;  ///< [cycle, p]

  LinearCase(long n, long p, long N, long cycles, bool diagonal_R);

  FilterProblem problem() const;

  /// Mean and covariance of the Kalman filter after every cycle.
  std::vector<std::pair<Eigen::VectorXd, Dense>> kalman() const;
};

Dense sample_covariance(const Dense& members);

/// The last analysis ensemble of one run [member, n].
Dense last_members(const Device& device, const FilterProblem& problem, const FilterSettings& filter,
                   const Dense& members);

/// Lorenz-96 as in Sakov and Oke (2008), n variables, every `every`-th observed.
StateSpaceModel sakov_system(int n = 40, int every = 1);

/// Everything of one run from given members.
AssimilationResult result_of(const Device& device, const FilterProblem& problem, const FilterSettings& filter,
                             const Dense& members);

/// The forecast at the first cycle of a linear case: members E, their mean, anomalies, and whitened observations.
struct LinearForecast {
  Dense E, A, Y;  ///< [member, n], [member, n], [member, p]
  Eigen::RowVectorXd mean, d;
  double N1;

  explicit LinearForecast(const LinearCase& c);
  /// (Y'Y + N1 I)^-1 among the observations.
  Dense inverse() const;
  /// K for whitened observations [n, p].
  Dense gain() const;
  double chi_square() const;
};

double chi_square_of(const AssimilationResult& result);

/// The observations `present` of a linear case, all others left out or, in `with_gaps`, missing.
LinearCase only(const LinearCase& c, const std::vector<int>& present);
LinearCase with_gaps(const LinearCase& c, const std::vector<int>& present);

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
Dense shifted(const Dense& from, long by);

/// A cycle of Lorenz-96 with 12 variables from scattered members, as it is and moved around the ring.
struct RingCase {
  FilterProblem problem, moved;
  Dense members, moved_members;

  explicit RingCase(long by, int N = 7);
};

std::vector<FilterProblem> twins_of(const StateSpaceModel& system, long cycles, int seeds);

/// Scores after half of the cycles for one filter on each problem.
std::vector<AssimilationSummary> scores_of(const Device& device, const std::vector<FilterProblem>& problems,
                                           const FilterSettings& filter);

}  // namespace vida::testing
