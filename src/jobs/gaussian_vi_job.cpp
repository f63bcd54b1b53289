#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "io/netcdf.hpp"
#include "jobs/inverse_problem.hpp"
#include "jobs/job.hpp"
#include "jobs/problem.hpp"
#include "jobs/results.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr long kGrid = 160;      // points of the picture of a density, per axis
constexpr long kPictured = 500;  // draws that the picture shows

std::size_t size(long value) { return static_cast<std::size_t>(value); }

GaussianViOptions fit_options(const io::Config& config) {
  if (!config.axes().empty())
    throw InvalidArgument("[batch] is not part of job \"gaussian-vi\"; its observations are the batch.");
  GaussianViOptions options;
  options.family = config.text("fit.family") == "full" ? GaussianFamily::full : GaussianFamily::mean_field;
  options.expectation = config.text("fit.expectation") == "quadrature" ? GaussianExpectation::quadrature
                                                                       : GaussianExpectation::monte_carlo;
  options.precision = precision_of(config);
  options.nodes = static_cast<int>(config.integer("fit.nodes"));
  options.draws = static_cast<int>(config.integer("fit.draws"));
  options.steps = config.integer("fit.steps");
  options.step = config.real("fit.step");
  options.clip = config.real("fit.clip");
  options.average = config.real("fit.average");
  options.seed = static_cast<std::uint64_t>(config.integer("seed"));
  return options;
}

/// What one problem is examined by.
struct Examination {
  ImportanceReport importance;
  std::optional<PosteriorTruth> truth;
  Matrix draws;  // of q [draw, d], the first ones
};

/// x = mean + factor z with log pi~(x) - log q(x) for each of `count` draws.
Examination examine(const Device& device, const InverseProblems& problems, long index, const GaussianFit& fit,
                    long count, std::uint64_t seed) {
  const long d = fit.mean.size(), p = problems.observations.extent(1);
  Matrix draws({count, d});
  std::vector<double> log_weights(size(count));
  double log_determinant = 0;
  for (long k = 0; k < d; ++k) log_determinant += std::log(std::abs(fit.factor(k, k)));
  std::vector<double> z(size(d));
  for (long i = 0; i < count; ++i) {
    double norm = 0;
    for (long k = 0; k < d; ++k) {
      z[size(k)] = standard_normal({.seed = seed, .stream = Stream::filter, .problem = static_cast<std::uint32_t>(i)},
                                   static_cast<std::uint32_t>(k));
      norm += z[size(k)] * z[size(k)];
      draws(i, k) = fit.mean[k];
      for (long c = 0; c <= k; ++c) draws(i, k) += fit.factor(k, c) * z[size(c)];
    }
    log_weights[size(i)] = 0.5 * (norm + static_cast<double>(d) * std::log(2 * M_PI)) + log_determinant;
  }
  const std::span<const double> y(problems.observations.data() + index * p, size(p));
  const auto values = log_density(device, *problems.target, draws, y);
  for (long i = 0; i < count; ++i) log_weights[size(i)] += values[size(i)];
  Examination result{importance_report(device, log_weights, draws), posterior_truth(problems, index), Matrix()};
  const long kept = std::min(count, kPictured);
  result.draws = Matrix({kept, d});
  std::copy_n(draws.begin(), result.draws.size(), result.draws.begin());
  return result;
}

/// log pi~ on a grid around the first problem's fit and draws, for its picture.
struct DensityGrid {
  std::vector<double> first, second;  // coordinates
  Matrix log_density;                 // [second, first]
};

DensityGrid density_grid(const Device& device, const InverseProblems& problems, const Examination& seen,
                         const GaussianFit& fit) {
  DensityGrid grid;
  std::vector<double>* axes[] = {&grid.first, &grid.second};
  const Matrix covariance = seen.truth ? seen.truth->covariance : vida::covariance(fit);
  const Vector& centre = seen.truth ? seen.truth->mean : fit.mean;
  for (long k = 0; k < 2; ++k) {
    const double reach = 4 * std::sqrt(std::max(covariance(k, k), fit.factor(k, k) * fit.factor(k, k)));
    for (long i = 0; i < kGrid; ++i)
      axes[k]->push_back(centre[k] - reach + 2 * reach * static_cast<double>(i) / static_cast<double>(kGrid - 1));
  }
  Matrix points({kGrid * kGrid, 2});
  for (long i = 0; i < kGrid; ++i)
    for (long k = 0; k < kGrid; ++k) {
      points(i * kGrid + k, 0) = grid.first[size(k)];
      points(i * kGrid + k, 1) = grid.second[size(i)];
    }
  const auto values = log_density(device, *problems.target, points,
                                  {problems.observations.data(), size(problems.observations.extent(1))});
  grid.log_density = Matrix({kGrid, kGrid});
  std::copy(values.begin(), values.end(), grid.log_density.begin());
  return grid;
}

void write_netcdf(const std::filesystem::path& path, const Device& device, const io::Config& config,
                  const InverseProblems& problems, const std::vector<GaussianFit>& fits,
                  const std::vector<Examination>& examined) {
  io::NetcdfWriter file(path);
  describe(file, config, device, "Gaussian variational inference");
  const long count = static_cast<long>(fits.size()), d = problems.target->dimension();
  put_index(file, "problem", count, "posterior");
  put_index(file, "state", d, "component of the unknown");
  put_index(file, "state2", d, "component of the unknown");
  Matrix mean({count, d});
  Array<double, 3> factor({count, d, d}), covariance({count, d, d});
  std::vector<double> elbo, error, losses;
  std::vector<long> flagged;
  for (long i = 0; i < count; ++i) {
    const GaussianFit& fit = fits[size(i)];
    std::copy(fit.mean.begin(), fit.mean.end(), mean.begin() + i * d);
    std::copy(fit.factor.begin(), fit.factor.end(), factor.begin() + i * d * d);
    const Matrix its_covariance = vida::covariance(fit);
    std::copy(its_covariance.begin(), its_covariance.end(), covariance.begin() + i * d * d);
    elbo.push_back(fit.elbo);
    error.push_back(fit.elbo_error);
    flagged.push_back(fit.flagged_at);
  }
  if (problems.observations.extent(1) > 0) file.put("y", {"problem", "obs"}, problems.observations, {"observations"});
  file.put("mean", {"problem", "state"}, mean, {"mean of q"});
  file.put("factor", {"problem", "state", "state2"}, factor, {"lower triangular factor of the covariance of q"});
  file.put("covariance", {"problem", "state", "state2"}, covariance, {"covariance of q"});
  file.put("elbo", {"problem"}, {count}, std::span<const double>(elbo), {"evidence lower bound of q", "nat"});
  file.put("elbo_error", {"problem"}, {count}, std::span<const double>(error), {"standard error of elbo", "nat"});
  file.put("flagged_at", {"problem"}, {count}, std::span<const long>(flagged),
           {"step whose loss or gradient was not finite; -1: none"});
  if (const long steps = static_cast<long>(fits.front().losses.size())) {
    for (const GaussianFit& fit : fits) losses.insert(losses.end(), fit.losses.begin(), fit.losses.end());
    file.put("loss", {"problem", "step"}, {count, steps}, std::span<const double>(losses),
             {"-ELBO before each step", "nat"});
  }
  if (examined.empty()) return file.close();

  const long seen = static_cast<long>(examined.size());
  std::vector<double> k_hat, draws, evidence, evidence_error, corrected_mean, corrected_covariance, pictured;
  std::vector<double> true_evidence, true_mean, true_covariance;
  for (const Examination& one : examined) {
    k_hat.push_back(one.importance.k_hat);
    draws.push_back(one.importance.effective_draws);
    evidence.push_back(one.importance.log_evidence.value);
    evidence_error.push_back(one.importance.log_evidence.standard_error);
    const auto& moments = one.importance.moments;
    corrected_mean.insert(corrected_mean.end(), moments.mean.begin(), moments.mean.end());
    corrected_covariance.insert(corrected_covariance.end(), moments.covariance.begin(), moments.covariance.end());
    pictured.insert(pictured.end(), one.draws.begin(), one.draws.end());
    if (!one.truth) continue;
    true_evidence.push_back(one.truth->log_evidence);
    true_mean.insert(true_mean.end(), one.truth->mean.begin(), one.truth->mean.end());
    true_covariance.insert(true_covariance.end(), one.truth->covariance.begin(), one.truth->covariance.end());
  }
  const auto put = [&](const char* name, const std::vector<std::string>& dims, const std::vector<long>& extents,
                       const std::vector<double>& values, const io::Description& what) {
    if (!values.empty()) file.put(name, dims, extents, std::span<const double>(values), what);
  };
  put("k_hat", {"examined"}, {seen}, k_hat, {"Pareto shape of the importance weights"});
  put("effective_draws", {"examined"}, {seen}, draws, {"effective number of importance draws"});
  put("log_evidence", {"examined"}, {seen}, evidence, {"log Z by importance sampling", "nat"});
  put("log_evidence_error", {"examined"}, {seen}, evidence_error, {"standard error of log_evidence", "nat"});
  put("corrected_mean", {"examined", "state"}, {seen, d}, corrected_mean, {"posterior mean by importance sampling"});
  put("corrected_covariance", {"examined", "state", "state2"}, {seen, d, d}, corrected_covariance,
      {"posterior covariance by importance sampling"});
  put("draws", {"examined", "draw", "state"}, {seen, examined.front().draws.extent(0), d}, pictured, {"draws of q"});
  put("true_log_evidence", {"examined"}, {seen}, true_evidence, {"log Z, exact", "nat"});
  put("true_mean", {"examined", "state"}, {seen, d}, true_mean, {"posterior mean, exact"});
  put("true_covariance", {"examined", "state", "state2"}, {seen, d, d}, true_covariance,
      {"posterior covariance, exact"});
  if (d == 2) {
    const auto grid = density_grid(device, problems, examined.front(), fits.front());
    put("grid_first", {"grid_first"}, {kGrid}, grid.first, {"first component of the unknown"});
    put("grid_second", {"grid_second"}, {kGrid}, grid.second, {"second component of the unknown"});
    file.put("log_density", {"grid_second", "grid_first"}, grid.log_density, {"log pi~ of problem 0", "nat"});
  }
  file.close();
}

nlohmann::ordered_json summarize(const Device& device, const io::Config& config, const std::vector<GaussianFit>& fits,
                                 const std::vector<Examination>& examined, double seconds) {
  auto summary = summary_header(config, device);
  double elbo = 0;
  long good = 0;
  for (const GaussianFit& fit : fits) {
    if (!std::isfinite(fit.elbo)) continue;
    elbo += fit.elbo;
    ++good;
  }
  summary["problems"] = fits.size();
  summary["flagged"] =
      std::count_if(fits.begin(), fits.end(), [](const GaussianFit& fit) { return fit.flagged_at >= 0; });
  summary["elbo_mean"] = number(good ? elbo / static_cast<double>(good) : kNaN);
  summary["seconds"] = seconds;
  summary["examined"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < examined.size(); ++i) {
    const auto& [importance, truth, draws] = examined[i];
    nlohmann::ordered_json one;
    one["mean"] = fits[i].mean;
    one["elbo"] = number(fits[i].elbo);
    one["elbo_error"] = number(fits[i].elbo_error);
    one["k_hat"] = number(importance.k_hat);
    one["effective_draws"] = number(importance.effective_draws);
    one["log_evidence"] = number(importance.log_evidence.value);
    one["corrected_mean"] = importance.moments.mean;
    if (truth) {
      one["true_log_evidence"] = number(truth->log_evidence);
      one["true_mean"] = truth->mean;
      one["kl"] = number(truth->log_evidence - fits[i].elbo);
    }
    summary["examined"].push_back(one);
  }
  return summary;
}

std::string vector_text(const Vector& values) {
  std::string text;
  for (long k = 0; k < std::min(values.size(), 3L); ++k) text += fmt::format("{:>9.4f}", values[k]);
  return values.size() > 3 ? text + " ..." : text;
}

std::string table(const std::vector<GaussianFit>& fits, const std::vector<Examination>& examined) {
  std::string text = fmt::format("{:>7} {:>11} {:>11} {:>9} {:>7} {:>10}  {}\n", "problem", "ELBO", "log Z", "KL",
                                 "k-hat", "ESS", "mean of q, of the posterior");
  for (std::size_t i = 0; i < examined.size(); ++i) {
    const auto& [importance, truth, draws] = examined[i];
    const double evidence = truth ? truth->log_evidence : importance.log_evidence.value;
    text += fmt::format("{:>7} {:>11.6f} {:>11.6f} {:>9.5f} {:>7.2f} {:>10.0f} {} |{}\n", i, fits[i].elbo, evidence,
                        evidence - fits[i].elbo, importance.k_hat, importance.effective_draws,
                        vector_text(fits[i].mean), vector_text(truth ? truth->mean : importance.moments.mean));
  }
  if (fits.size() > examined.size())
    text += fmt::format("and {} more problems in result.nc\n", fits.size() - examined.size());
  return text;
}

}  // namespace

Outcome gaussian_vi_job(const Device& device, const io::Config& config, io::OutputFolder& folder,
                        const Monitor& monitor) {
  GaussianViOptions options = fit_options(config);
  const InverseProblems problems = make_inverse_problems(device, config);
  const long count = problems.observations.extent(0);
  const long examined_count = std::min(count, config.integer("diagnostics.problems"));
  options.keep_losses = count <= 64;  // [problem, step] for thousands would dwarf the result
  Outcome outcome;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  const auto fits = fit_gaussian(device, *problems.target, problems.observations, options, [&](double share) {
    const long done = std::lround(share * static_cast<double>(options.steps));
    const bool go_on = monitor({done, options.steps, "steps", kNaN, elapsed(), elapsed() * (1 - share) / share});
    outcome.interrupted |= !go_on && share < 1;
    return go_on;
  });
  const double seconds = elapsed();
  std::vector<Examination> examined;
  for (long i = 0; i < examined_count && std::isfinite(fits[size(i)].elbo); ++i)
    examined.push_back(
        examine(device, problems, i, fits[size(i)], config.integer("diagnostics.draws"), options.seed + size(i)));
  outcome.flagged = std::count_if(fits.begin(), fits.end(), [](const GaussianFit& fit) { return fit.flagged_at >= 0; });
  for (long i = 0; i < count && outcome.notes.size() < 8; ++i)
    if (fits[size(i)].flagged_at >= 0)
      outcome.notes.push_back(
          fmt::format("problem {}: loss or gradient was not finite at step {}; its result is the last "
                      "good one. A smaller fit.step (now {}) or fit.clip may help.",
                      i, fits[size(i)].flagged_at, options.step));
  for (std::size_t i = 0; i < examined.size(); ++i)
    if (examined[i].importance.k_hat > 0.7)
      outcome.notes.push_back(
          fmt::format("problem {}: k-hat is {:.2f}, above 0.7: this family does not cover the "
                      "posterior, and the importance-corrected numbers are not to be trusted.",
                      i, examined[i].importance.k_hat));
  auto summary = summarize(device, config, fits, examined, seconds);
  summary["interrupted"] = outcome.interrupted;
  outcome.table = table(fits, examined);
  write_netcdf(folder.pending("result.nc"), device, config, problems, fits, examined);
  write_summary(folder.pending("config.toml"), folder.pending("summary.json"), config, summary);
  return outcome;
}

}  // namespace vida::jobs
