#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "io/safetensors.hpp"
#include "jobs/examination.hpp"
#include "jobs/gaussian_plan.hpp"
#include "jobs/results.hpp"
#include "jobs/training_clock.hpp"

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
std::size_t size(long value) { return static_cast<std::size_t>(value); }

/// x = mean + factor z.
class GaussianApproximation final : public Approximation {
 public:
  GaussianApproximation(const GaussianFit& fit, std::uint64_t seed) : fit_(fit), seed_(seed) {
    const long d = fit.mean.size();
    constant_ = -0.5 * static_cast<double>(d) * std::log(2 * M_PI);
    for (long k = 0; k < d; ++k) constant_ -= std::log(std::abs(fit.factor(k, k)));
  }

  ApproximateDraws draw(long count) override {
    const long d = fit_.mean.size();
    ApproximateDraws draws{Matrix({count, d}), Matrix({count, d}), {}};
    for (long i = 0; i < count; ++i) {
      for (long k = 0; k < d; ++k) {
        draws.z(i, k) =
            standard_normal({.seed = seed_, .stream = Stream::filter, .problem = static_cast<std::uint32_t>(i)},
                            static_cast<std::uint32_t>(k));
        draws.x(i, k) = fit_.mean[k];
        for (long c = 0; c <= k; ++c) draws.x(i, k) += fit_.factor(k, c) * draws.z(i, c);
      }
      draws.log_density.push_back(log_density_at(&draws.z(i, 0)));
    }
    return draws;
  }

  std::vector<double> log_density(const Matrix& x) override {
    const long d = fit_.mean.size();
    std::vector<double> values, z(size(d));
    for (long i = 0; i < x.extent(0); ++i) {
      for (long k = 0; k < d; ++k) {  // forward substitution
        double rest = x(i, k) - fit_.mean[k];
        for (long c = 0; c < k; ++c) rest -= fit_.factor(k, c) * z[size(c)];
        z[size(k)] = rest / fit_.factor(k, k);
      }
      values.push_back(log_density_at(z.data()));
    }
    return values;
  }

 private:
  double log_density_at(const double* z) const {
    double norm = 0;
    for (long k = 0; k < fit_.mean.size(); ++k) norm += z[k] * z[k];
    return constant_ - 0.5 * norm;
  }
  const GaussianFit& fit_;
  std::uint64_t seed_;
  double constant_;
};

void write_netcdf(const std::filesystem::path& path, const Device& device, const io::Config& config,
                  const InverseProblems& problems, const std::vector<GaussianFit>& fits, const Examinations& examined) {
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
  const auto floor = examined.exact_losses(fits.size());
  file.put("loss_floor", {"problem"}, {count}, std::span<const double>(floor), {"loss of the exact posterior", "nat"});
  put_examined(file, examined);
  file.close();
}

/// Mean and factor of every Gaussian, as networks keep their weights.
void write_weights(const std::filesystem::path& path, const std::vector<GaussianFit>& fits) {
  const long count = std::ssize(fits), d = fits.front().mean.size();
  Matrix mean({count, d});
  Array<double, 3> factor({count, d, d});
  for (long i = 0; i < count; ++i) {
    std::copy(fits[size(i)].mean.begin(), fits[size(i)].mean.end(), &mean(i, 0));
    std::copy(fits[size(i)].factor.begin(), fits[size(i)].factor.end(), &factor(i, 0, 0));
  }
  io::Safetensors file;
  file.metadata = {{"format", "vida-gaussian"}, {"dimension", std::to_string(d)}};
  file.put("mean", mean);
  file.put("factor", factor);
  file.write(path);
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
  summary["elbo_mean"] = number(good ? elbo / static_cast<double>(good) : kNaN);
  summary["seconds"] = seconds;
  summary["examined"] = examined_summary(examined);
  for (std::size_t i = 0; i < examined.size(); ++i) {
    summary["examined"][i]["mean"] = fits[i].mean;
    summary["examined"][i]["elbo"] = number(fits[i].elbo);
    summary["examined"][i]["elbo_error"] = number(fits[i].elbo_error);
    if (examined[i].truth) summary["examined"][i]["kl"] = number(examined[i].truth->log_evidence - fits[i].elbo);
  }
  return summary;
}

}  // namespace

Outcome gaussian_vi_job(const Device& device, const io::Config& config, io::OutputFolder& folder,
                        const Monitor& monitor, JobCheckpoint& checkpoint) {
  GaussianViOptions options = gaussian_options(config);
  const InverseProblems problems = make_inverse_problems(device, config);
  const long count = problems.observations.extent(0);
  const long examined_count = std::min(count, config.integer("diagnostics.problems"));
  options.keep_losses = count <= 64;  // [problem, step] for thousands would dwarf the result
  Outcome outcome;
  TrainingClock clock(monitor, options.steps, checkpoint.seconds_before(), outcome);
  const auto fits = fit_gaussian(
      device, *problems.target, problems.observations, options, [&](double share) { return clock.report(share, kNaN); },
      &checkpoint);
  const double seconds = clock.seconds();
  const auto failed =
      std::find_if(fits.begin(), fits.end(), [](const GaussianFit& fit) { return !std::isfinite(fit.elbo); });
  Examinations examined = examine_first(
      device, problems, std::min(examined_count, static_cast<long>(failed - fits.begin())),
      config.integer("diagnostics.draws"),
      [&](long i) { return std::make_unique<GaussianApproximation>(fits[size(i)], options.seed + size(i)); });
  std::vector<double> elbo;
  for (std::size_t i = 0; i < examined.problems.size(); ++i) {
    examined.problems[i].approximate = {fits[i].mean, vida::covariance(fits[i])};  // exact, not of the draws
    elbo.push_back(fits[i].elbo);
  }
  outcome.flagged = std::count_if(fits.begin(), fits.end(), [](const GaussianFit& fit) { return fit.flagged_at >= 0; });
  for (long i = 0; i < count && outcome.notes.size() < 8; ++i)
    if (fits[size(i)].flagged_at >= 0)
      outcome.notes.push_back(
          fmt::format("problem {}: loss or gradient was not finite at step {}; its result is the last "
                      "good one. A smaller fit.step (now {}) or fit.clip may help.",
                      i, fits[size(i)].flagged_at, options.step));
  note_heavy_tails(examined.problems, "this family does not cover the posterior", outcome);
  outcome.table = examined_table(examined.problems, elbo, count);
  write_netcdf(folder.pending("result.nc"), device, config, problems, fits, examined);
  write_weights(folder.pending("gaussian.safetensors"), fits);
  write_summary(folder, config, outcome, summarize(device, config, fits, examined.problems, seconds));
  return outcome;
}

}  // namespace vida::jobs
