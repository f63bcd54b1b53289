#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "jobs/flow_job.hpp"
#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::size_t size(long value) { return static_cast<std::size_t>(value); }

/// -loss of the result on the fixed draws; NaN when nothing was validated.
double elbo_of(const FlowFit& fit) {
  double lowest = kNaN;
  for (const double loss : fit.validation)
    if (!(loss >= lowest)) lowest = loss;
  return -lowest;
}

/// -log Z of the problems for which it is known.
std::vector<double> loss_floor(const std::vector<Examination>& examined, std::size_t problems) {
  std::vector<double> floor(problems, kNaN);
  for (std::size_t i = 0; i < examined.size(); ++i)
    if (examined[i].truth) floor[i] = -examined[i].truth->log_evidence;
  return floor;
}

void write_netcdf(const std::filesystem::path& path, const Device& device, const io::Config& config,
                  const InverseProblems& problems, const std::vector<FlowFit>& fits,
                  const std::vector<Examination>& examined, const std::vector<DensityPicture>& pictures) {
  io::NetcdfWriter file(path);
  describe(file, config, device, "Variational inference with a RealNVP flow");
  const long count = std::ssize(fits), d = problems.target->dimension();
  put_index(file, "problem", count, "posterior");
  put_index(file, "state", d, "component of the unknown");
  put_index(file, "state2", d, "component of the unknown");
  if (!problems.observations.empty()) file.put("y", {"problem", "obs"}, problems.observations, {"observations"});
  std::vector<double> elbo;
  for (const FlowFit& fit : fits) elbo.push_back(elbo_of(fit));
  file.put("elbo", {"problem"}, {count}, std::span<const double>(elbo), {"-loss on the fixed draws", "nat"});
  put_training(file, fits, loss_floor(examined, fits.size()));
  put_examined(file, examined, pictures);
  file.close();
}

}  // namespace

Outcome flow_vi_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor) {
  const FlowTrainingOptions options = training_options(config);
  const InverseProblems problems = make_inverse_problems(device, config);
  const FlowShape shape = flow_shape(config, *problems.target, 0);
  Outcome outcome;
  TrainingClock clock(monitor, options.steps, outcome);
  const auto fits = fit_flow(device, *problems.target, problems.observations, shape, options, clock.progress());
  const double seconds = clock.seconds();

  std::vector<Examination> examined;
  std::vector<DensityPicture> pictures;
  std::vector<double> elbo;
  const long wanted = std::min(std::ssize(fits), config.integer("diagnostics.problems"));
  for (long i = 0; i < wanted; ++i) {
    FlowApproximation q(device, shape, fits[size(i)].parameters, {}, options.seed, i);
    examined.push_back(examine(device, problems, i, q, config.integer("diagnostics.draws")));
    elbo.push_back(examined.back().importance.elbo.value);
    if (shape.dimension == 2 && i < kPictures)
      pictures.push_back(density_picture(device, problems, i, examined.back(), q));
  }
  note_flagged(fits, outcome);
  note_heavy_tails(examined, "the flow does not cover the posterior; more train.steps or a larger flow.hidden may help",
                   outcome);
  outcome.table = examined_table(examined, elbo);
  if (std::ssize(fits) > wanted)
    outcome.table += fmt::format("and {} more problems in result.nc\n", std::ssize(fits) - wanted);

  auto summary = summary_header(config, device);
  summary["problems"] = fits.size();
  summary["flagged"] = outcome.flagged;
  summary["seconds"] = seconds;
  summary["parameters"] = flow_parameter_count(shape);
  summary["examined"] = examined_summary(examined);
  summary["interrupted"] = outcome.interrupted;
  write_netcdf(folder.pending("result.nc"), device, config, problems, fits, examined, pictures);
  write_weights(folder.pending("flow.safetensors"), config, shape, fits);
  write_summary(folder.pending("config.toml"), folder.pending("summary.json"), config, summary);
  return outcome;
}

}  // namespace vida::jobs
