#include "jobs/examination.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "vida/vida.hpp"

namespace vida::jobs {
namespace {

constexpr long kPictured = 500;  // draws that a picture shows
constexpr long kTail = 400;      // weights that a picture shows
constexpr long kPictures = 4;    // problems that have a picture
constexpr long kGrid = 160;      // points of the picture of a density, per axis

std::size_t size(long value) { return static_cast<std::size_t>(value); }

std::span<const double> observation_of(const InverseProblems& problems, long index) {
  const long p = problems.observations.extent(1);
  return {problems.observations.data() + index * p, size(p)};
}

Matrix rows_of(const Matrix& from, const std::vector<long>& rows) {
  const long d = from.extent(1);
  Matrix result({std::ssize(rows), d});
  for (long i = 0; i < std::ssize(rows); ++i) std::copy_n(&from(rows[size(i)], 0), d, &result(i, 0));
  return result;
}

std::vector<long> first_rows(long count) {
  std::vector<long> rows(size(std::min(count, kPictured)));
  std::iota(rows.begin(), rows.end(), 0L);
  return rows;
}

/// Systematic resampling: row i as often as its weight says, to one; the offset is fixed, as the rows are random.
std::vector<long> resampled(const Vector& log_weights) {
  std::vector<long> rows;
  double sum = 0;
  for (long i = 0; i < log_weights.size(); ++i) {
    sum += std::exp(log_weights[i]);
    while (std::ssize(rows) < kPictured && (static_cast<double>(rows.size()) + 0.5) / kPictured < sum)
      rows.push_back(i);
  }
  return rows;
}

/// The largest exponentials over their mean, decreasing.
std::vector<double> largest_weights(std::vector<double> log_weights, double log_mean) {
  const long count = std::ssize(log_weights), kept = std::min(count, kTail);
  std::partial_sort(log_weights.begin(), log_weights.begin() + kept, log_weights.end(), std::greater<>());
  std::vector<double> tail;
  for (long i = 0; i < kept; ++i) tail.push_back(std::exp(log_weights[size(i)] - log_mean));
  return tail;
}

/// Values above which lie the given shares of all.
std::vector<double> upper_levels(std::vector<double> values, const std::vector<double>& shares) {
  std::vector<double> levels;
  for (const double share : shares) {
    const auto at = values.begin() + static_cast<long>((1 - share) * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    levels.push_back(*at);
  }
  return levels;
}

/// Where all draws of component k lie but the outermost of two hundred on either side.
std::pair<double, double> inner_range(const Examination& examined, long k) {
  std::vector<double> values;
  for (const Matrix* draws : {&examined.posterior, &examined.draws})
    for (long i = 0; i < draws->extent(0); ++i) values.push_back((*draws)(i, k));
  std::sort(values.begin(), values.end());
  const std::size_t cut = values.size() / 200;
  return {values[cut], values[values.size() - 1 - cut]};
}

}  // namespace

Examination examine(const Device& device, const InverseProblems& problems, long index, Approximation& q, long count) {
  const ApproximateDraws draws = q.draw(count);
  std::vector<double> log_weights = log_density(device, *problems.target, draws.x, observation_of(problems, index));
  for (long i = 0; i < count; ++i) log_weights[size(i)] -= draws.log_density[size(i)];
  Examination result;
  result.importance = importance_report(device, log_weights, draws.x);
  result.approximate = importance_moments(std::vector<double>(size(count), 0.0), draws.x);
  result.truth = posterior_truth(problems, index);
  result.draws = rows_of(draws.x, first_rows(count));
  const Vector smoothed = pareto_smoothed(device, log_weights).log_weights;
  const auto rows = resampled(smoothed);
  result.posterior = rows_of(draws.x, rows);
  result.latent = rows_of(draws.z, rows);
  result.tail = largest_weights(log_weights, result.importance.log_evidence.value);
  result.smoothed_tail = largest_weights({smoothed.begin(), smoothed.end()}, -std::log(static_cast<double>(count)));
  result.levels = upper_levels(draws.log_density, {0.5, 0.95});
  return result;
}

DensityPicture density_picture(const Device& device, const InverseProblems& problems, long index,
                               const Examination& examined, Approximation& q) {
  DensityPicture picture;
  std::vector<double>* axes[] = {&picture.first, &picture.second};
  for (long k = 0; k < 2; ++k) {
    const auto [low, high] = inner_range(examined, k);
    const double margin = 0.1 * (high - low), width = high - low + 2 * margin;
    for (long i = 0; i < kGrid; ++i)
      axes[k]->push_back(low - margin + width * static_cast<double>(i) / static_cast<double>(kGrid - 1));
  }
  Matrix points({kGrid * kGrid, 2});
  for (long i = 0; i < kGrid; ++i)
    for (long k = 0; k < kGrid; ++k) {
      points(i * kGrid + k, 0) = picture.first[size(k)];
      points(i * kGrid + k, 1) = picture.second[size(i)];
    }
  picture.log_density = log_density(device, *problems.target, points, observation_of(problems, index));
  picture.log_q = q.log_density(points);
  return picture;
}

std::vector<double> Examinations::exact_losses(std::size_t count) const {
  std::vector<double> losses(count, std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = 0; i < problems.size(); ++i)
    if (problems[i].truth) losses[i] = -problems[i].truth->log_evidence;
  return losses;
}

std::vector<double> Examinations::elbos() const {
  std::vector<double> values;
  for (const Examination& one : problems) values.push_back(one.importance.elbo.value);
  return values;
}

Examinations examine_first(const Device& device, const InverseProblems& problems, long count, long draws,
                           const std::function<std::unique_ptr<Approximation>(long)>& approximation) {
  Examinations result;
  for (long i = 0; i < count; ++i) {
    const auto q = approximation(i);
    result.problems.push_back(examine(device, problems, i, *q, draws));
    if (problems.target->dimension() == 2 && i < kPictures)
      result.pictures.push_back(density_picture(device, problems, i, result.problems.back(), *q));
  }
  return result;
}

}  // namespace vida::jobs
