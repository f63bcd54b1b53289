#include "filtering/filter_data.hpp"

#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "filtering/factor.hpp"
#include "filtering/padding.hpp"
#include "filters/letkf.cuh"

namespace vida {
namespace {

bool is_diagonal(const Matrix& matrix) {
  for (long i = 0; i < matrix.extent(0); ++i)
    for (long j = 0; j < matrix.extent(1); ++j)
      if (i != j && matrix(i, j) != 0) return false;
  return true;
}

bool is_zero(const Matrix& matrix) {
  return std::all_of(matrix.begin(), matrix.end(), [](double value) { return value == 0; });
}

/// R^-1/2 of the observations in `present`, symmetric.
Eigen::MatrixXd inverse_root(const Matrix& R, const std::vector<int>& present) {
  const auto size = static_cast<Eigen::Index>(present.size());
  Eigen::MatrixXd block(size, size);
  for (Eigen::Index i = 0; i < size; ++i)
    for (Eigen::Index j = 0; j < size; ++j)
      block(i, j) = R(present[static_cast<std::size_t>(i)], present[static_cast<std::size_t>(j)]);
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(block).operatorInverseSqrt();
}

/// Local analyses worked side by side: on the CPU those of a pack, on a GPU what keeps its lanes busy and leaves
/// shared memory to the rest of the filter.
template <class Real>
int analyses_side_by_side(const Executor& executor, int members, int n) {
  if (!executor.is_cuda()) return executor.pack_width(sizeof(Real));
  constexpr long kBytes = 64 * 1024;
  const long each = kernels::LetkfWork<Real>::elements(members) * static_cast<long>(sizeof(Real));
  return static_cast<int>(std::clamp<long>(kBytes / each, 1, std::min(n, 32)));
}

}  // namespace

int single_component(const Matrix& H, long row) {
  int found = -1;
  for (long i = 0; i < H.extent(1); ++i) {
    if (H(row, i) == 0) continue;
    if (H(row, i) != 1 || found >= 0) return -1;
    found = static_cast<int>(i);
  }
  return found;
}

std::vector<int> observations_present(const Matrix& y, long cycle) {
  std::vector<int> present;
  for (long k = 0; k < y.extent(1); ++k)
    if (!std::isnan(y(cycle, k))) present.push_back(static_cast<int>(k));
  return present;
}

ProblemClass::ProblemClass(const FilterProblem& problem)
    : model(static_cast<int>(problem.system.model.index())),
      n(problem.system.n()),
      p(problem.system.p()),
      steps(problem.system.steps_per_cycle),
      cycles(problem.data.y.extent(0)),
      observation(static_cast<int>(problem.system.observation_function)),
      dense_initial(!is_diagonal(problem.system.initial_covariance)),
      dense_noise(!is_diagonal(problem.system.process_noise)),
      noisy(!is_zero(problem.system.process_noise)),
      diagonal_noise(is_diagonal(problem.system.observation_noise)) {
  std::set<int> seen;
  for (long j = 0; j < p; ++j) seen.insert(single_component(problem.system.observation_operator, j));
  single_components = !seen.contains(-1);
  whole_state = single_components && p == n && static_cast<int>(seen.size()) == n && diagonal_noise &&
                problem.system.observation_function == ObservationFunction::identity;
}

template <class Real>
FilterDataSet<Real>::FilterDataSet(Executor& executor, std::span<const FilterProblem* const> problems)
    : executor_(&executor),
      kind_(*problems.front()),
      ldn_(executor.leading_dimension(kind_.n, sizeof(Real))),
      lp_(executor.leading_dimension(kind_.p, sizeof(Real))),
      rows_(static_cast<int>(round_up(kind_.n, kernels::kTileRows))),
      prows_(static_cast<int>(round_up(kind_.p, kernels::kTileRows))),
      model_(model_shape<Real>(executor, problems.front()->system.model, 1)) {
  const long n = kind_.n, p = kind_.p, cycles = kind_.cycles;
  const auto count = static_cast<long>(problems.size());
  const auto reals = [&](long each) { return std::vector<Real>(static_cast<std::size_t>(count * each), Real(0)); };
  const long matrix = static_cast<long>(rows_) * ldn_;
  const long initial_each = kind_.dense_initial ? matrix : n, noise_each = kind_.dense_noise ? matrix : n;
  const long H_each = static_cast<long>(prows_) * ldn_;
  auto y = reals(cycles * lp_), truth = reals(cycles * n), mean = reals(n), initial = reals(initial_each),
       noise = reals(noise_each), initial_covariance = reals(initial_each), noise_covariance = reals(noise_each),
       H = kind_.single_components ? std::vector<Real>() : reals(H_each);
  std::vector<Real> parameters, whitening;
  std::vector<int> component, pattern_of;
  const auto put = [&](const Matrix& matrix, bool dense, Real* to) {
    if (dense) return pad(matrix.view(), ldn_, to);
    for (long i = 0; i < n; ++i) to[i] = static_cast<Real>(matrix(i, i));
  };
  for (long k = 0; k < count; ++k) {
    const FilterProblem& problem = *problems[static_cast<std::size_t>(k)];
    const StateSpaceModel& system = problem.system;
    append_parameters(model_, system.model, parameters);
    pad(problem.data.y.view(), lp_, y.data() + k * cycles * lp_);
    if (problem.data.truth.empty())
      std::fill_n(truth.data() + k * cycles * n, cycles * n, std::numeric_limits<Real>::quiet_NaN());
    else
      pad(problem.data.truth.view(), n, truth.data() + k * cycles * n);
    for (long i = 0; i < n; ++i) mean[static_cast<std::size_t>(k * n + i)] = static_cast<Real>(system.initial_mean[i]);
    put(lower_factor(system.initial_covariance), kind_.dense_initial, initial.data() + k * initial_each);
    put(lower_factor(system.process_noise), kind_.dense_noise, noise.data() + k * noise_each);
    put(system.initial_covariance, kind_.dense_initial, initial_covariance.data() + k * initial_each);
    put(system.process_noise, kind_.dense_noise, noise_covariance.data() + k * noise_each);
    for (long j = 0; j < p; ++j) component.push_back(single_component(system.observation_operator, j));
    if (!kind_.single_components) pad(system.observation_operator.view(), ldn_, H.data() + k * H_each);
    add_patterns(problem, pattern_of, whitening);
  }
  std::vector<int> counts, observed, place;
  for (const auto& pattern : patterns_) {
    std::vector<int> places(static_cast<std::size_t>(lp_), -1);
    for (std::size_t row = 0; row < pattern.size(); ++row)
      places[static_cast<std::size_t>(pattern[row])] = static_cast<int>(row);
    place.insert(place.end(), places.begin(), places.end());
    counts.push_back(static_cast<int>(pattern.size()));
    observed.insert(observed.end(), pattern.begin(), pattern.end());
    observed.resize(counts.size() * static_cast<std::size_t>(lp_), 0);
  }
  parameters_ = uploaded(executor, parameters), y_ = uploaded(executor, y), truth_ = uploaded(executor, truth);
  initial_mean_ = uploaded(executor, mean), initial_factor_ = uploaded(executor, initial);
  initial_covariance_ = uploaded(executor, initial_covariance);
  noise_covariance_ = uploaded(executor, noise_covariance);
  noise_factor_ = uploaded(executor, noise), H_ = uploaded(executor, H), whitening_ = uploaded(executor, whitening);
  component_ = uploaded(executor, component), pattern_of_ = uploaded(executor, pattern_of);
  count_ = uploaded(executor, counts), observed_ = uploaded(executor, observed), place_ = uploaded(executor, place);
}

template <class Real>
void FilterDataSet<Real>::add_patterns(const FilterProblem& problem, std::vector<int>& pattern_of,
                                       std::vector<Real>& whitening) {
  const Matrix& R = problem.system.observation_noise;
  if (kind_.diagonal_noise) {
    for (int j = 0; j < lp_; ++j)
      whitening.push_back(j < kind_.p ? static_cast<Real>(1 / std::sqrt(R(j, j))) : Real(0));
  }
  std::map<std::vector<int>, int> known;  // patterns of this problem; with a diagonal R of all problems
  if (kind_.diagonal_noise)
    for (std::size_t k = 0; k < patterns_.size(); ++k) known[patterns_[k]] = static_cast<int>(k);
  for (long j = 0; j < kind_.cycles; ++j) {
    const std::vector<int> present = observations_present(problem.data.y, j);
    const auto [entry, added] = known.try_emplace(present, static_cast<int>(patterns_.size()));
    pattern_of.push_back(entry->second);
    if (!added) continue;
    patterns_.push_back(present);
    if (kind_.diagonal_noise) continue;
    std::vector<Real> block(static_cast<std::size_t>(prows_) * static_cast<std::size_t>(lp_), Real(0));
    if (!present.empty()) {
      const Eigen::MatrixXd root = inverse_root(R, present);
      for (Eigen::Index a = 0; a < root.rows(); ++a)
        for (Eigen::Index b = 0; b < root.cols(); ++b)
          block[static_cast<std::size_t>(a * lp_ + b)] = static_cast<Real>(root(a, b));
    }
    whitening.insert(whitening.end(), block.begin(), block.end());
  }
}

template <class Real>
kernels::FilterShape FilterDataSet<Real>::shape(int members) const {
  kernels::ModelShape model = model_;
  model.group = column_group<Real>(*executor_, model.kind, members);
  return {.n = kind_.n,
          .p = kind_.p,
          .members = members,
          .ld = executor_->leading_dimension(members, sizeof(Real)),
          .ldn = ldn_,
          .lp = lp_,
          .rows = rows_,
          .prows = prows_,
          .mrows = static_cast<int>(round_up(members, kernels::kTileRows)),
          .steps = kind_.steps,
          .analyses = analyses_side_by_side<Real>(*executor_, members, kind_.n),
          .cycles = kind_.cycles,
          .model = model};
}

template <class Real>
kernels::FilterData<Real> FilterDataSet<Real>::data() const {
  return {.parameters = parameters_.data(),
          .y = y_.data(),
          .truth = truth_.data(),
          .initial_mean = initial_mean_.data(),
          .initial_factor = initial_factor_.data(),
          .noise_factor = noise_factor_.data(),
          .initial_covariance = initial_covariance_.data(),
          .noise_covariance = noise_covariance_.data(),
          .H = H_.data(),
          .component = component_.data(),
          .whitening = whitening_.data(),
          .pattern_of = pattern_of_.data(),
          .count = count_.data(),
          .observed = observed_.data(),
          .place = place_.data(),
          .observation = static_cast<kernels::ObservationKind>(kind_.observation),
          .dense_initial = kind_.dense_initial,
          .dense_noise = kind_.dense_noise,
          .noisy = kind_.noisy,
          .single_components = kind_.single_components,
          .diagonal_noise = kind_.diagonal_noise,
          .whole_state = kind_.whole_state};
}

template class FilterDataSet<float>;
template class FilterDataSet<double>;

}  // namespace vida
