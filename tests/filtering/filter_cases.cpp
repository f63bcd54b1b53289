#include "filter_cases.hpp"

namespace vida::testing {

Dense dense(const Matrix& matrix) {
  return Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      matrix.data(), matrix.extent(0), matrix.extent(1));
}

Matrix matrix_of(const Dense& from) {
  Matrix to({from.rows(), from.cols()});
  for (long i = 0; i < from.rows(); ++i)
    for (long j = 0; j < from.cols(); ++j) to(i, j) = from(i, j);
  return to;
}

Dense scattered(long rows, long columns, double phase) {
  Dense values(rows, columns);
  for (long e = 0; e < values.size(); ++e) {
    const double x = 43758.5453 * std::sin(12.9898 * static_cast<double>(e + 1) + phase);
    values(e / columns, e % columns) = 2 * (x - std::floor(x)) - 1;
  }
  return values;
}

Dense covariance(long n, double variance, double phase) {
  const Dense root = scattered(n, n, phase);
  return variance * (0.3 * root * root.transpose() + Dense::Identity(n, n));
}

LinearCase::LinearCase(long n, long p, long N, long cycles, bool diagonal_R) {
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

FilterProblem LinearCase::problem() const {
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

std::vector<std::pair<Eigen::VectorXd, Dense>> LinearCase::kalman() const {
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

LinearForecast::LinearForecast(const LinearCase& c) {
  E = c.members * c.F.transpose();
  mean = E.colwise().mean();
  A = E.rowwise() - mean;
  const Dense root = Eigen::SelfAdjointEigenSolver<Dense>(c.R).operatorInverseSqrt();
  Y = A * c.H.transpose() * root;
  d = (c.y.row(0) - mean * c.H.transpose()) * root;
  N1 = static_cast<double>(E.rows() - 1);
}

double LinearForecast::chi_square() const {
  return N1 * (d * inverse() * d.transpose())(0, 0) / static_cast<double>(d.size());
}

Dense LinearForecast::gain() const { return A.transpose() * Y * inverse(); }

Dense LinearForecast::inverse() const {
  return (Y.transpose() * Y + N1 * Dense::Identity(Y.cols(), Y.cols())).inverse();
}

Dense sample_covariance(const Dense& members) {
  const Dense A = members.rowwise() - members.colwise().mean();
  return A.transpose() * A / static_cast<double>(members.rows() - 1);
}

Dense last_members(const Device& device, const FilterProblem& problem, const FilterSettings& filter,
                   const Dense& members) {
  const AssimilationRun run{.filter = filter, .initial_members = matrix_of(members)};
  return dense(assimilate(device, {&problem, 1}, {&run, 1}, {.keep_members = true})[0].members);
}

StateSpaceModel sakov_system(int n, int every) {
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

AssimilationResult result_of(const Device& device, const FilterProblem& problem, const FilterSettings& filter,
                             const Dense& members) {
  const AssimilationRun run{.filter = filter, .initial_members = matrix_of(members)};
  return assimilate(device, {&problem, 1}, {&run, 1}, {.keep_members = true})[0];
}

double chi_square_of(const AssimilationResult& result) {
  return result.scores(0, static_cast<int>(CycleScore::chi_square));
}

LinearCase only(const LinearCase& c, const std::vector<int>& present) {
  LinearCase rest = c;
  rest.H = c.H(present, Eigen::all).eval(), rest.R = c.R(present, present).eval(),
  rest.y = c.y(Eigen::all, present).eval();
  return rest;
}

LinearCase with_gaps(const LinearCase& c, const std::vector<int>& present) {
  LinearCase gaps = c;
  gaps.y.setConstant(NAN);
  for (const int j : present) gaps.y.col(j) = c.y.col(j);
  return gaps;
}

Dense shifted(const Dense& from, long by) {
  Dense to = from;
  for (long i = 0; i < from.cols(); ++i) to.col((i + by) % from.cols()) = from.col(i);
  return to;
}

std::vector<FilterProblem> twins_of(const StateSpaceModel& system, long cycles, int seeds) {
  std::vector<TwinOptions> options;
  for (int s = 0; s < seeds; ++s) options.push_back({.cycles = cycles, .seed = static_cast<std::uint64_t>(s)});
  std::vector<FilterProblem> problems;
  for (Observations& data : simulate(Device::cpu(1), {&system, 1}, options))
    problems.push_back({.system = system, .data = std::move(data)});
  return problems;
}

std::vector<AssimilationSummary> scores_of(const Device& device, const std::vector<FilterProblem>& problems,
                                           const FilterSettings& filter) {
  std::vector<AssimilationRun> runs;
  for (std::size_t i = 0; i < problems.size(); ++i)
    runs.push_back({.problem = static_cast<long>(i), .filter = filter, .seed = i});
  std::vector<AssimilationSummary> summaries;
  for (const AssimilationResult& result : assimilate(device, problems, runs))
    summaries.push_back(summarize(result, result.scores.extent(0) / 2));
  return summaries;
}

RingCase::RingCase(long by, int N) {
  problem = {.system = sakov_system(12), .data = {.y = matrix_of(3 * scattered(1, 12, 6)), .truth = {}}};
  moved = problem;
  moved.data.y = matrix_of(shifted(dense(problem.data.y), by));
  members = 2 * scattered(N, 12, 7);
  moved_members = shifted(members, by);
}

}  // namespace vida::testing
