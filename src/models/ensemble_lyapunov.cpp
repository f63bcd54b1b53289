#include "models/ensemble_lyapunov.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace vida {
namespace {

constexpr long kSpeakEvery = 1000;  // steps: some milliseconds

/// Rows of `perturbations` [count, n] become orthonormal (modified Gram-Schmidt); growth[i] receives the length of row
/// i without the rows above, the diagonal of R.
void orthonormalize(Matrix& perturbations, std::vector<double>& growth) {
  for (long i = 0; i < perturbations.extent(0); ++i) {
    const View<double, 1> row = perturbations[i];
    for (long j = 0; j < i; ++j) {
      const View<double, 1> above = perturbations[j];
      const double along = std::inner_product(row.begin(), row.end(), above.begin(), 0.0);
      for (long c = 0; c < row.size(); ++c) row[c] -= along * above[c];
    }
    const double length = std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
    for (double& value : row) value /= length;
    growth[static_cast<std::size_t>(i)] = length;
  }
}

}  // namespace

std::vector<double> lyapunov_exponents(const Device& device, const Lorenz96& model, std::span<const double> state,
                                       long steps, int count, const std::function<bool(double)>& progress,
                                       Checkpoints& checkpoints) {
  const long n = model.n;
  const long interval = std::max(1L, std::lround(0.25 / model.dt));  // growth stays within a few powers of ten
  const long settle = std::min(steps / 4, std::lround(20 / model.dt));
  Matrix trajectory({1, n}), perturbations({count, n}), states({count, n});
  std::copy(state.begin(), state.end(), trajectory.begin());
  for (long i = 0; i < count; ++i) perturbations(i, i) = 1;
  std::vector<double> growth(static_cast<std::size_t>(count)), sums(growth.size());

  long counted = 0, step = 0;
  const auto name_state = [&](Archive& archive) {
    archive("step", step), archive("counted", counted);
    archive.fixed("trajectory", trajectory), archive.fixed("perturbations", perturbations);
    archive.fixed("sums", sums);
  };
  restored(checkpoints.found(), name_state);
  for (long spoken = 0; step < steps;) {
    const long stop = step < settle ? settle : steps;
    const long stride = std::min(interval, stop - step);
    for (long i = 0; i < count; ++i) std::copy(trajectory.begin(), trajectory.end(), &states(i, 0));
    perturbations = tangent<double>(device, model, states, perturbations, static_cast<int>(stride));
    advance<double>(device, model, trajectory, stride);
    orthonormalize(perturbations, growth);
    if (step >= settle) {
      counted += stride;
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += std::log(growth[i]);
    }
    step += stride;
    if (step - spoken < kSpeakEvery && step < steps) continue;
    spoken = step;
    const bool go_on = progress(static_cast<double>(step) / static_cast<double>(steps));
    if (!go_on || checkpoints.due()) checkpoints.keep(saved(name_state));
    if (!go_on && step < steps) return {};
  }
  for (double& sum : sums) sum /= static_cast<double>(counted) * model.dt;
  std::sort(sums.begin(), sums.end(), std::greater<>());
  return sums;
}

}  // namespace vida
