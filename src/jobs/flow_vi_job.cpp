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

void write_netcdf(const std::filesystem::path& path, const Device& device, const io::Config& config,
                  const InverseProblems& problems, const std::vector<FlowFit>& fits, const Examinations& examined) {
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
  put_training(file, fits, examined.exact_losses(fits.size()));
  put_examined(file, examined);
  file.close();
}

}  // namespace

Outcome flow_vi_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                    JobCheckpoint& checkpoint) {
  const FlowTrainingOptions options = training_options(config);
  const InverseProblems problems = make_inverse_problems(device, config);
  const FlowShape shape = flow_shape(config, *problems.target, 0);
  Outcome outcome;
  TrainingClock clock(monitor, options.steps, checkpoint.seconds_before(), outcome);
  const auto fits = fit_flow(
      device, *problems.target, problems.observations, shape, options,
      [&](const FlowTrainingStatus& status) { return clock.report(status.share, status.loss); }, &checkpoint);
  const double seconds = clock.seconds();

  const long count = std::ssize(fits);
  const Examinations examined =
      examine_first(device, problems, std::min(count, config.integer("diagnostics.problems")),
                    config.integer("diagnostics.draws"), [&](long i) {
                      return std::make_unique<FlowApproximation>(device, shape, fits[size(i)].parameters,
                                                                 std::span<const double>(), options.seed, i);
                    });
  note_flagged(fits, outcome);
  note_heavy_tails(examined.problems,
                   "the flow does not cover the posterior; more train.steps or a larger flow.hidden may help", outcome);
  outcome.table = examined_table(examined.problems, examined.elbos(), count);

  auto summary = summary_header(config, device);
  summary["problems"] = fits.size();
  summary["seconds"] = seconds;
  summary["parameters"] = flow_parameter_count(shape);
  summary["examined"] = examined_summary(examined.problems);
  write_netcdf(folder.pending("result.nc"), device, config, problems, fits, examined);
  write_weights(folder.pending("flow.safetensors"), config, shape, fits);
  write_summary(folder, config, outcome, std::move(summary));
  return outcome;
}

}  // namespace vida::jobs
