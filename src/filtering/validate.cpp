#include "filtering/validate.hpp"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <cmath>

namespace vida {
namespace {

using RowMajor = Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

RowMajor mapped(const Matrix& matrix) { return {matrix.data(), matrix.extent(0), matrix.extent(1)}; }

void check_shape(const char* name, const Matrix& matrix, Extents<2> expected) {
  if (matrix.extents() != expected)
    throw InvalidArgument(
        fmt::format("{} has shape {}, expected {}.", name, to_string<2>(matrix.extents()), to_string<2>(expected)));
  for (long i = 0; i < matrix.size(); ++i)
    if (!std::isfinite(matrix.data()[i]))
      throw InvalidArgument(fmt::format("{} holds {} at [{}, {}]; every entry must be finite.", name, matrix.data()[i],
                                        i / expected[1], i % expected[1]));
}

void check_symmetric(const char* name, const Matrix& matrix) {
  const long n = matrix.extent(0);
  const double scale = mapped(matrix).cwiseAbs().maxCoeff();
  for (long i = 0; i < n; ++i)
    for (long j = 0; j < i; ++j)
      if (std::abs(matrix(i, j) - matrix(j, i)) > 1e-10 * scale)
        throw InvalidArgument(
            fmt::format("{} is not symmetric: [{}, {}] is {}, [{}, {}] is {}. Give a covariance matrix.", name, i, j,
                        matrix(i, j), j, i, matrix(j, i)));
}

double smallest_eigenvalue(const Matrix& matrix) {
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(mapped(matrix), Eigen::EigenvaluesOnly)
      .eigenvalues()
      .minCoeff();
}

void check_definite(const char* name, const Matrix& matrix) {
  check_symmetric(name, matrix);
  if (Eigen::LLT<Eigen::MatrixXd>(mapped(matrix)).info() != Eigen::Success)
    throw InvalidArgument(
        fmt::format("{} is not positive definite: its smallest eigenvalue is {:.3g}. Variances must be positive.", name,
                    smallest_eigenvalue(matrix)));
}

void check_semidefinite(const char* name, const Matrix& matrix) {
  check_symmetric(name, matrix);
  const double smallest = smallest_eigenvalue(matrix);
  if (smallest < -1e-10 * mapped(matrix).cwiseAbs().maxCoeff())
    throw InvalidArgument(
        fmt::format("{} is not positive semi-definite: its smallest eigenvalue is {:.3g}. Variances may be zero, "
                    "not negative.",
                    name, smallest));
}

}  // namespace

void validate(const StateSpaceModel& system) {
  validate(system.model);
  const long n = system.n();
  if (system.steps_per_cycle < 1)
    throw InvalidArgument(fmt::format("steps_per_cycle is {}, expected at least 1.", system.steps_per_cycle));
  const long p = system.observation_operator.extent(0);
  if (p < 1) throw InvalidArgument("the observation operator H has no row; observe at least one component.");
  check_shape("the observation operator H", system.observation_operator, {p, n});
  check_shape("the process noise Q", system.process_noise, {n, n});
  check_shape("the observation noise R", system.observation_noise, {p, p});
  check_shape("the initial covariance C0", system.initial_covariance, {n, n});
  if (system.initial_mean.extent(0) != n)
    throw InvalidArgument(
        fmt::format("the initial mean m0 has {} entries, expected {}.", system.initial_mean.extent(0), n));
  for (double value : system.initial_mean)
    if (!std::isfinite(value))
      throw InvalidArgument(fmt::format("the initial mean m0 holds {}; every entry must be finite.", value));
  check_semidefinite("the process noise Q", system.process_noise);
  check_definite("the observation noise R", system.observation_noise);
  check_definite("the initial covariance C0", system.initial_covariance);
}

void validate(const FilterProblem& problem) {
  validate(problem.system);
  const Matrix& y = problem.data.y;
  const Matrix& truth = problem.data.truth;
  const long n = problem.system.n(), p = problem.system.p();
  if (y.extent(0) < 1 || y.extent(1) != p)
    throw InvalidArgument(
        fmt::format("y has shape {}, expected [cycle, {}] with at least one cycle.", to_string<2>(y.extents()), p));
  for (long i = 0; i < y.size(); ++i)
    if (std::isinf(y.data()[i]))
      throw InvalidArgument(
          fmt::format("y holds {} at [{}, {}]; give NaN for a missing observation.", y.data()[i], i / p, i % p));
  if (!truth.empty() && truth.extents() != Extents<2>{y.extent(0), n})
    throw InvalidArgument(fmt::format("truth has shape {}, expected {}.", to_string<2>(truth.extents()),
                                      to_string<2>(Extents<2>{y.extent(0), n})));
}

void validate_batch(std::span<const FilterProblem> problems) {
  for (const FilterProblem& problem : problems) {
    validate(problem);
    if (!std::holds_alternative<Lorenz96>(problem.system.model))
      throw InvalidArgument(fmt::format("problem {}: gains are learned for the model lorenz96; this one is {}.",
                                        &problem - problems.data(), name_of(problem.system.model)));
    if (problem.system.observation_function != ObservationFunction::identity)
      throw InvalidArgument(
          fmt::format("problem {}: gains are learned with linear observations, function \"identity\".",
                      &problem - problems.data()));
  }
  for (const FilterProblem& problem : problems) {
    const FilterProblem& first = problems.front();
    if (problem.system.n() != first.system.n() || problem.system.p() != first.system.p() ||
        problem.data.y.extent(0) != first.data.y.extent(0) ||
        problem.system.steps_per_cycle != first.system.steps_per_cycle)
      throw InvalidArgument(
          fmt::format("problem {} of the batch has n = {}, p = {}, {} cycles, {} steps per cycle; problem 0 has n = "
                      "{}, p = {}, {} cycles, {} steps "
                      "per cycle. Run problems of different shape in calls of their own.",
                      &problem - problems.data(), problem.system.n(), problem.system.p(), problem.data.y.extent(0),
                      problem.system.steps_per_cycle, first.system.n(), first.system.p(), first.data.y.extent(0),
                      first.system.steps_per_cycle));
  }
}

void validate_gain(const Matrix& gain, const StateSpaceModel& system, const std::string& where) {
  check_shape((where + "the gain K").c_str(), gain, {system.n(), system.p()});
}

void validate_background(const std::string& where, const Matrix& covariance, long n) {
  if (covariance.empty()) return;
  const std::string name = where + "the background covariance";
  check_shape(name.c_str(), covariance, {n, n});
  check_semidefinite(name.c_str(), covariance);
}

}  // namespace vida
