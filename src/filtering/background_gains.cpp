#include "filtering/background_gains.hpp"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "filtering/filter_data.hpp"
#include "filters/observation.cuh"

namespace vida {
namespace {

using Dense = Eigen::MatrixXd;
using RowMajor = Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

RowMajor mapped(const Matrix& matrix) { return {matrix.data(), matrix.extent(0), matrix.extent(1)}; }

/// A background and the observations linearised about its mean.
struct Background {
  Eigen::VectorXd mean;
  Dense B;  // empty when the gain is given
  Dense H;

  Background(const FilterProblem& problem, const FilterSettings& filter) {
    const StateSpaceModel& system = problem.system;
    const bool variational = filter.method == "3dvar";
    const auto truth = mapped(problem.data.truth);
    mean = Eigen::VectorXd::Constant(system.n(), kUnknown);
    if (variational && !filter.gain.empty()) return;
    if (truth.rows() > 0) mean = truth.colwise().mean().transpose();
    if (filter.background.empty()) {
      const Dense deviations = truth.rowwise() - mean.transpose();
      B = deviations.transpose() * deviations / static_cast<double>(truth.rows() - 1);
    } else {
      B = mapped(filter.background);
    }
    if (variational) B *= filter.background_scale;
    if (!filter.background_mean.empty())
      mean = Eigen::Map<const Eigen::VectorXd>(filter.background_mean.data(), system.n());
    H = mapped(system.observation_operator);
    if (system.observation_function == ObservationFunction::identity) return;
    const auto kind = static_cast<kernels::ObservationKind>(system.observation_function);
    const Eigen::VectorXd seen = H * mean;
    for (Eigen::Index j = 0; j < H.rows(); ++j) H.row(j) *= kernels::observe_slope(kind, seen[j]);
  }
};

/// K and (H B H' + R)^-1 for the observations present, zero elsewhere, and the diagonal of (I - K H) B.
struct Table {
  Dense gain, precision;
  Eigen::VectorXd variance;

  Table(const FilterProblem& problem, const FilterSettings& filter, const Background& background,
        const std::vector<int>& present) {
    const auto n = static_cast<Eigen::Index>(problem.system.n()), p = static_cast<Eigen::Index>(problem.system.p());
    if (background.B.size() == 0) {
      gain = mapped(filter.gain);
      precision = Dense::Constant(p, p, kUnknown);
      variance = Eigen::VectorXd::Constant(n, kUnknown);
      return;
    }
    const Dense H = background.H(present, Eigen::all), HB = H * background.B;
    const Dense R = mapped(problem.system.observation_noise)(present, present), S = HB * H.transpose() + R;
    const Dense inverse = S.llt().solve(Dense::Identity(S.rows(), S.cols())), K = HB.transpose() * inverse;
    gain = Dense::Zero(n, p), precision = Dense::Zero(p, p);
    gain(Eigen::all, present) = K, precision(present, present) = inverse;
    variance = background.B.diagonal() - (K.array() * HB.transpose().array()).rowwise().sum().matrix();
  }
};

template <class Real>
void append(const Dense& from, long rows, long ld, std::vector<Real>& to) {
  const std::size_t start = to.size();
  to.resize(start + static_cast<std::size_t>(rows * ld), Real(0));
  for (Eigen::Index i = 0; i < from.rows(); ++i)
    for (Eigen::Index j = 0; j < from.cols(); ++j)
      to[start + static_cast<std::size_t>(i * ld + j)] = static_cast<Real>(from(i, j));
}

std::vector<double> numbers(const auto& array) { return {array.begin(), array.end()}; }

}  // namespace

template <class Real>
BackgroundGains<Real>::BackgroundGains(Executor& executor, const kernels::FilterShape& shape,
                                       std::span<const FilterProblem* const> problems,
                                       std::span<const AssimilationRun> runs, const std::vector<long>& indices,
                                       const std::vector<int>& set_of, std::size_t memory_limit) {
  const long K_elements = static_cast<long>(shape.prows) * shape.ldn;
  const long precision_elements = static_cast<long>(shape.prows) * shape.lp;
  const std::size_t each = sizeof(Real) * static_cast<std::size_t>(K_elements + precision_elements + shape.n);
  using Settings = std::tuple<int, double, std::vector<double>, std::vector<double>, std::vector<double>>;
  std::map<Settings, int> known;
  std::map<std::pair<bool, std::vector<Real>>, int> tables;  // by whether the gain is given, and content
  std::vector<Real> mean, forecast_variance;
  std::vector<int> table_of;
  for (std::size_t k = 0; k < indices.size(); ++k) {
    const FilterSettings& filter = runs[static_cast<std::size_t>(indices[k])].filter;
    const FilterProblem& problem = *problems[static_cast<std::size_t>(set_of[k])];
    const auto [entry, added] = known.try_emplace({set_of[k], filter.background_scale, numbers(filter.background),
                                                   numbers(filter.background_mean), numbers(filter.gain)},
                                                  static_cast<int>(known.size()));
    background_of_.push_back(entry->second);
    if (!added) continue;
    const Background background(problem, filter);
    append<Real>(background.mean.transpose(), 1, shape.n, mean);
    const Eigen::VectorXd unknown = Eigen::VectorXd::Constant(shape.n, kUnknown);
    append<Real>((background.B.size() ? Eigen::VectorXd(background.B.diagonal()) : unknown).transpose(), 1, shape.n,
                 forecast_variance);
    std::map<std::vector<int>, int> table_of_pattern;
    for (long j = 0; j < shape.cycles; ++j) {
      const std::vector<int> present = observations_present(problem.data.y, j);
      if (present.empty() || filter.method == "climatology") {
        table_of.push_back(-1);
        continue;
      }
      auto place = table_of_pattern.find(present);
      if (place == table_of_pattern.end()) {
        const Table table(problem, filter, background, present);
        std::vector<Real> content;
        append(table.gain.transpose(), shape.prows, shape.ldn, content);
        append(table.precision, shape.prows, shape.lp, content);
        append(table.variance, shape.n, 1, content);
        const auto index =
            tables.try_emplace({background.B.size() == 0, std::move(content)}, static_cast<int>(tables.size()))
                .first->second;
        if (tables.size() * each > memory_limit / 4)
          throw OutOfMemory(fmt::format(
              "{}: the gains for more than {} different sets of observations present need more than {} bytes, a "
              "quarter "
              "of the {} that may be used. Assimilate fewer data sets in one call, give one gain for all sets (3dvar), "
              "or use \"ekf\", which keeps no gains.",
              filter.method, tables.size() - 1, memory_limit / 4, memory_limit));
        place = table_of_pattern.emplace(present, index).first;
      }
      table_of.push_back(place->second);
    }
  }
  std::vector<Real> gain(tables.size() * static_cast<std::size_t>(K_elements)),
      precision(tables.size() * static_cast<std::size_t>(precision_elements)),
      variance(tables.size() * static_cast<std::size_t>(shape.n));
  for (const auto& [key, index] : tables) {
    auto from = key.second.begin();
    const auto take = [&, at = index](std::vector<Real>& to, long count) {
      std::copy(from, from + count, to.begin() + at * count);
      from += count;
    };
    take(gain, K_elements), take(precision, precision_elements), take(variance, shape.n);
  }
  mean_ = uploaded(executor, mean), forecast_variance_ = uploaded(executor, forecast_variance);
  gain_ = uploaded(executor, gain), precision_ = uploaded(executor, precision);
  analysis_variance_ = uploaded(executor, variance), table_of_ = uploaded(executor, table_of);
}

template class BackgroundGains<float>;
template class BackgroundGains<double>;

}  // namespace vida
