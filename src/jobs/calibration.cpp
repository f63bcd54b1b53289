#include "jobs/calibration.hpp"

#include <algorithm>
#include <cmath>

#include "vida/vida.hpp"

namespace vida::jobs {
namespace {

constexpr long kPictured = 2000;  // latent points of a picture

/// Every row of x as a sample of one problem.
View<const double, 3> samples(const Matrix& x) { return {x.data(), {1, x.extent(0), x.extent(1)}}; }

Estimate mean_of(const std::vector<double>& values) {
  const double count = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / count;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / (count - 1) / count)};
}

/// log Z of every observation; empty where nothing gives it.
Vector evidences(const Device& device, const InverseProblems& problems, const Matrix& y) {
  if (!problems.linear_map.empty()) {
    Vector result({y.extent(0)});
    for (long i = 0; i < y.extent(0); ++i)
      result[i] = linear_gaussian_posterior(problems.linear_map, problems.noise_variance,
                                            {&y(i, 0), static_cast<std::size_t>(y.extent(1))})
                      .log_evidence;
    return result;
  }
  return problems.target->dimension() > 2 ? Vector() : log_evidences(device, *problems.target, y);
}

}  // namespace

JointExamination examine_joint(const Device& device, const InverseProblems& problems, Flow<double>& flow, long draws,
                               std::uint64_t seed) {
  const JointDraws joint = simulate(device, *problems.target, draws, seed);
  const auto log_q = flow.log_density(samples(joint.u), samples(joint.y));
  JointExamination result;
  std::vector<double> loss;
  for (const double value : log_q) loss.push_back(-value);
  result.loss = mean_of(loss);
  try {
    const Vector log_z = evidences(device, problems, joint.y);
    if (!log_z.empty()) {
      const Extents<3> alone = {draws, 1, joint.u.extent(1)};  // each point belongs to a problem of its own
      const Matrix log_p = log_density(device, *problems.target, View<const double, 3>(joint.u.data(), alone), joint.y);
      std::vector<double> terms;
      for (long i = 0; i < draws; ++i) terms.push_back(log_p(i, 0) - log_z[i] - log_q(0, i));
      result.kl = mean_of(terms);
    }
  } catch (const Error& error) {
    result.note = error.what();
  }
  const auto latent = flow.inverse(samples(joint.u), samples(joint.y));
  result.latent = Matrix({std::min(draws, kPictured), joint.u.extent(1)});
  std::copy_n(latent.points.begin(), result.latent.size(), result.latent.begin());
  return result;
}

Calibration calibrate(const Device& device, const Target& target, Flow<double>& flow, long replications, long draws,
                      std::uint64_t seed, long first) {
  const JointDraws joint = simulate(device, target, replications, seed, first);
  const long d = joint.u.extent(1), p = joint.y.extent(1);
  Matrix context({replications * draws, p});
  for (long i = 0; i < replications; ++i)
    for (long k = 0; k < draws; ++k) std::copy_n(&joint.y(i, 0), p, &context(i * draws + k, 0));
  const auto image = flow.sample({.seed = seed, .stream = Stream::filter}, replications * draws, samples(context));
  Calibration result;
  result.draws = draws;
  result.ranks = calibration_ranks(joint.u, View<const double, 3>(image.points.data(), {replications, draws, d}));
  if (const long bins = std::min({20L, draws + 1, replications / 10}); bins >= 2)
    result.uniformity = rank_uniformity(result.ranks, draws, static_cast<int>(bins));
  result.half = central_coverage(result.ranks, draws, 0.5);
  result.most = central_coverage(result.ranks, draws, 0.9);
  return result;
}

}  // namespace vida::jobs
