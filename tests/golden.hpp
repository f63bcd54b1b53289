#pragma once

#include <string>
#include <vector>

#include "io/netcdf.hpp"
#include "vida/vida.hpp"

namespace vida::testing {

/// A golden file of tests/data; data/README.md tells what each holds.
class Golden {
 public:
  explicit Golden(const std::string& name) : file_(std::string(VIDA_TEST_DATA) + "/" + name) {}

  double scalar(const std::string& name) const { return file_.scalar(name); }
  Vector vector(const std::string& name) const { return file_.array<1>(name); }
  Matrix matrix(const std::string& name) const { return file_.array<2>(name); }
  Array<double, 3> cube(const std::string& name) const { return file_.array<3>(name); }

  /// The problem of a filter_general file.
  FilterProblem general() const {
    const Matrix H = matrix("H");
    return {
        .system = {.model = Lorenz96{.n = static_cast<int>(H.extent(1)), .forcing = scalar("F"), .dt = scalar("dt")},
                   .steps_per_cycle = static_cast<int>(scalar("steps_per_cycle")),
                   .process_noise = matrix("Q"),
                   .observation_operator = H,
                   .observation_noise = matrix("R"),
                   .initial_mean = vector("m0"),
                   .initial_covariance = matrix("C0")},
        .data = {.y = matrix("y"), .truth = matrix("truth")}};
  }

  /// The reference problem of learn_gain_l96.nc: everything observed, R = I, Q = 0.1 I, m0 = 1, C0 = I.
  FilterProblem reference() const { return reference_problem(matrix("y"), matrix("truth")); }

  static StateSpaceModel reference_system(int n = 40) {
    return {.model = Lorenz96{.n = n},
            .steps_per_cycle = 1,
            .process_noise = scaled_identity(n, 0.1),
            .observation_operator = scaled_identity(n, 1.0),
            .observation_noise = scaled_identity(n, 1.0),
            .initial_mean = Vector({n}, 1.0),
            .initial_covariance = scaled_identity(n, 1.0)};
  }
  static FilterProblem reference_problem(Matrix y, Matrix truth) {
    return {.system = reference_system(static_cast<int>(y.extent(1))),
            .data = {.y = std::move(y), .truth = std::move(truth)}};
  }

 private:
  io::NetcdfReader file_;
};

/// The first `cycles` cycles of a problem.
inline FilterProblem shortened(const FilterProblem& problem, long cycles) {
  FilterProblem result = problem;
  const auto cut = [&](const Matrix& from) {
    Matrix to({cycles, from.extent(1)});
    std::copy(from.begin(), from.begin() + to.size(), to.begin());
    return to;
  };
  result.data = {cut(problem.data.y), problem.data.truth.empty() ? Matrix() : cut(problem.data.truth)};
  return result;
}

}  // namespace vida::testing
