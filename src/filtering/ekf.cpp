#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "backend/smaller_chunks.hpp"
#include "filtering/filter_batch.hpp"
#include "filtering/validate.hpp"

namespace vida {
namespace {

constexpr long kSteadyCycles = 50;  // gain_steady is the mean over this many last cycles

template <class Real>
std::vector<FilterResult> run_all(const Device& device, std::span<const FilterProblem> problems) {
  Executor& executor = device.executor();
  const FilterBatch<Real> batch(executor, problems);
  const kernels::GainShape& s = batch.shape();
  const long cycles = batch.cycles();
  const std::size_t each = static_cast<std::size_t>((cycles + 1) * (s.nn() + s.ld)) * sizeof(Real);
  long group = std::clamp<long>(static_cast<long>(device.memory_limit() / each), 1,
                                std::min(batch.size(), std::max(executor.concurrent_teams(), 1L)));
  const auto run = [&](long first, long count) {
    const auto slots = static_cast<std::size_t>(count * (cycles + 1));
    Buffer<Real> means(executor, slots * static_cast<std::size_t>(s.ld)),
        covariances(executor, slots * static_cast<std::size_t>(s.nn()));
    return run_ekf(batch, first, count, {means.data(), covariances.data(), nullptr, cycles, cycles + 1, 1});
  };
  std::vector<FilterResult> results;
  while (std::ssize(results) < batch.size()) {
    const long first = std::ssize(results);
    group = std::min(group, batch.size() - first);
    auto some = with_smaller_chunks(group, [&](long count) { return run(first, count); });
    std::move(some.begin(), some.end(), std::back_inserter(results));
  }
  return results;
}

}  // namespace

template <class Real>
std::vector<FilterResult> run_ekf(const FilterBatch<Real>& batch, long first, long count,
                                  const kernels::Trajectory<Real>& trajectory) {
  Executor& executor = batch.executor();
  const kernels::GainShape& s = batch.shape();
  const long cycles = batch.cycles();
  std::vector<int> which(static_cast<std::size_t>(count));
  std::iota(which.begin(), which.end(), static_cast<int>(first));
  const auto data_of = uploaded(executor, which);
  Buffer<Real> last(executor, static_cast<std::size_t>(count * s.np())),
      steady(executor, static_cast<std::size_t>(count * s.np())),
      chi(executor, static_cast<std::size_t>(count * cycles));
  last.clear(), steady.clear();
  using Kernel = kernels::ExtendedKalmanFilter<Real>;
  launch(executor, {.items = count, .scratch_bytes = Kernel::scratch_bytes(s)},
         Kernel{s, batch.data(), data_of.data(), trajectory, last.data(), steady.data(), chi.data(),
                std::min(cycles, kSteadyCycles)});

  const auto gains_last = last.download(), gains_steady = steady.download(), chi_squares = chi.download();
  std::vector<Real> means(static_cast<std::size_t>((cycles + 1) * s.ld)), covariance(static_cast<std::size_t>(s.nn()));
  std::vector<FilterResult> results;
  for (long i = 0; i < count; ++i) {
    executor.download(means.data(), trajectory.mean(s, i, 0), means.size() * sizeof(Real));
    executor.download(covariance.data(), trajectory.covariance(s, i, cycles), covariance.size() * sizeof(Real));
    FilterResult result{.analysis_mean = unpadded(means.data() + s.ld, cycles, s.n, s.ld),
                        .analysis_cov_last = unpadded(covariance.data(), s.n, s.n, s.ld),
                        .gain_last = unpadded(gains_last.data() + i * s.np(), s.n, s.p, s.lp),
                        .gain_steady = unpadded(gains_steady.data() + i * s.np(), s.n, s.p, s.lp)};
    const auto* chi_of = chi_squares.data() + i * cycles;
    result.chi_square =
        std::accumulate(chi_of, chi_of + cycles, 0.0) / static_cast<double>(batch.observed_cycles(first + i));
    result.mse = mean_squared_error(result.analysis_mean, batch.truth(first + i));
    results.push_back(std::move(result));
  }
  return results;
}

template std::vector<FilterResult> run_ekf(const FilterBatch<float>&, long, long, const kernels::Trajectory<float>&);
template std::vector<FilterResult> run_ekf(const FilterBatch<double>&, long, long, const kernels::Trajectory<double>&);

std::vector<FilterResult> extended_kalman_filter(const Device& device, std::span<const FilterProblem> problems,
                                                 Precision precision) {
  if (problems.empty()) return {};
  validate_batch(problems);
  return precision == Precision::float32 ? run_all<float>(device, problems) : run_all<double>(device, problems);
}

double mean_squared_error(View<const double, 2> estimate, View<const double, 2> truth) {
  if (truth.empty() || estimate.extents() != truth.extents()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (long i = 0; i < truth.size(); ++i) {
    const double error = estimate.data()[i] - truth.data()[i];
    sum += error * error;
  }
  return sum / static_cast<double>(truth.size());
}

}  // namespace vida
