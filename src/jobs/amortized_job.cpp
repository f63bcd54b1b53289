#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "jobs/calibration.hpp"
#include "jobs/flow_job.hpp"
#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Everything that is known about one trained map.
struct Findings {
  FlowFit fit;
  JointExamination joint;
  std::optional<Calibration> calibration;
  Examinations examined;
};

/// The loss of the exact posterior on the draws of the validation, whose lowest loss belongs to the result.
double loss_floor(const Findings& found) {
  if (!found.joint.kl) return kNaN;
  const auto& validation = found.fit.validation;
  const auto lowest = std::min_element(validation.begin(), validation.end());
  return (lowest == validation.end() ? found.joint.loss.value : *lowest) - found.joint.kl->value;
}

void put_calibration(io::NetcdfWriter& file, const Calibration& calibration) {
  const auto& ranks = calibration.ranks;
  file.put("rank", {"replication", "state"}, {ranks.extent(0), ranks.extent(1)},
           std::span<const long>(ranks.data(), static_cast<std::size_t>(ranks.size())),
           {"draws of q below the truth; uniform where q is exact"});
  const double draws = static_cast<double>(calibration.draws);
  file.put("rank_draws", {}, {}, std::span<const double>(&draws, 1), {"draws of q in each replication"});
  if (calibration.uniformity)
    file.put("rank_p_value", {"state"}, calibration.uniformity->p_value, {"of uniform ranks"});
  for (const auto& [name, coverage] : {std::pair{"coverage_50", &calibration.half}, {"coverage_90", &calibration.most}})
    file.put(name, {"state"}, coverage->observed,
             {fmt::format("share of truths in the central interval of probability {:.3f}", coverage->nominal)});
}

void write_netcdf(const std::filesystem::path& path, const Device& device, const io::Config& config,
                  const InverseProblems& problems, const Findings& found) {
  io::NetcdfWriter file(path);
  describe(file, config, device, "Amortised inference with a conditional RealNVP flow");
  const long d = problems.target->dimension();
  put_index(file, "state", d, "component of the unknown");
  put_index(file, "state2", d, "component of the unknown");
  if (const long seen = std::ssize(found.examined.problems)) {
    const long p = problems.observations.extent(1);
    file.put("y", {"examined", "obs"}, {seen, p},
             std::span<const double>(problems.observations.data(), static_cast<std::size_t>(seen * p)),
             {"observations"});
  }
  const JointExamination& joint = found.joint;
  put_training(file, {found.fit}, {loss_floor(found)});
  const auto put = [&](const char* name, double value, const char* what) {
    file.put(name, {}, {}, std::span<const double>(&value, 1), {what, "nat"});
  };
  put("joint_loss", joint.loss.value, "mean of -log q(u | y) over the joint law");
  if (joint.kl) {
    put("mean_kl", joint.kl->value, "E_y KL(posterior || q)");
    put("mean_kl_error", joint.kl->standard_error, "standard error of mean_kl");
  }
  file.put("joint_latent", {"joint_draw", "state"}, joint.latent,
           {"T^-1(u; y) of draws of the joint law; standard normal where q is exact"});
  if (found.calibration) put_calibration(file, *found.calibration);
  put_examined(file, found.examined);
  file.close();
}

nlohmann::ordered_json summarize(const Device& device, const io::Config& config, const FlowShape& shape,
                                 const Findings& found, double seconds) {
  auto summary = summary_header(config, device);
  summary["seconds"] = seconds;
  summary["parameters"] = flow_parameter_count(shape);
  summary["loss"] = number(found.joint.loss.value);
  summary["loss_error"] = number(found.joint.loss.standard_error);
  if (found.joint.kl) {
    summary["mean_kl"] = number(found.joint.kl->value);
    summary["mean_kl_error"] = number(found.joint.kl->standard_error);
  }
  if (found.calibration) {
    if (found.calibration->uniformity) summary["rank_p_value"] = found.calibration->uniformity->p_value;
    summary["coverage_50"] = found.calibration->half.observed;
    summary["coverage_50_nominal"] = found.calibration->half.nominal;
    summary["coverage_90"] = found.calibration->most.observed;
    summary["coverage_90_nominal"] = found.calibration->most.nominal;
    summary["replications"] = found.calibration->ranks.extent(0);
  }
  summary["examined"] = examined_summary(found.examined.problems);
  return summary;
}

std::string numbers_text(const Vector& values) {
  std::string text;
  for (long k = 0; k < std::min(values.size(), 4L); ++k) text += fmt::format(" {:.3f}", values[k]);
  return values.size() > 4 ? text + " ..." : text;
}

std::string table(const Findings& found) {
  const auto& examined = found.examined.problems;
  std::string text = examined.empty() ? "" : examined_table(examined, found.examined.elbos(), std::ssize(examined));
  const JointExamination& joint = found.joint;
  text += fmt::format("over all y: loss {:.5f} +- {:.5f}", joint.loss.value, joint.loss.standard_error);
  if (joint.kl) text += fmt::format(", KL(posterior || q) {:.5f} +- {:.5f}", joint.kl->value, joint.kl->standard_error);
  text += "\n";
  if (!found.calibration) return text;
  const Calibration& calibration = *found.calibration;
  text += fmt::format("calibration: truths in the central {:.1f} %:{}, in the central {:.1f} %:{}",
                      100 * calibration.half.nominal, numbers_text(calibration.half.observed),
                      100 * calibration.most.nominal, numbers_text(calibration.most.observed));
  if (calibration.uniformity)
    text += fmt::format("; p-value of uniform ranks:{}", numbers_text(calibration.uniformity->p_value));
  return text + "\n";
}

/// A rank law that is far from uniform in any component.
void note_miscalibration(const Calibration& calibration, Outcome& outcome) {
  if (!calibration.uniformity) return;
  const Vector& p = calibration.uniformity->p_value;
  for (long k = 0; k < p.size(); ++k)
    if (p[k] < 1e-3 / static_cast<double>(p.size()))
      outcome.notes.push_back(
          fmt::format("component {}: the ranks of the truth are not uniform (p = {:.1e}): q is not calibrated. More "
                      "train.steps or a larger flow.hidden may help.",
                      k, p[k]));
}

}  // namespace

Outcome amortized_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                      JobCheckpoint& checkpoint) {
  const FlowTrainingOptions options = training_options(config);
  const InverseProblems problems = make_inverse_problems(device, config);
  const Target& target = *problems.target;
  const FlowShape shape = flow_shape(config, target, target.observations());
  Outcome outcome;
  TrainingClock clock(monitor, options.steps, checkpoint.seconds_before(), outcome);
  Findings found;
  found.fit = fit_amortized_flow(
      device, target, shape, options,
      [&](const FlowTrainingStatus& status) { return clock.report(status.share, status.loss); }, &checkpoint);
  const double seconds = clock.seconds();

  Flow<double> flow(device, shape);
  flow.set_parameters(0, found.fit.parameters);
  const long joint = config.integer("diagnostics.joint_draws"),
             replications = config.integer("diagnostics.replications");
  found.joint = examine_joint(device, problems, flow, joint, options.seed);
  if (replications > 0)
    found.calibration = calibrate(device, target, flow, replications, config.integer("diagnostics.calibration_draws"),
                                  options.seed, joint);
  found.examined = examine_first(
      device, problems, std::min(problems.observations.extent(0), config.integer("diagnostics.problems")),
      config.integer("diagnostics.draws"), [&](long i) {
        const std::span<const double> y(&problems.observations(i, 0), static_cast<std::size_t>(shape.context));
        return std::make_unique<FlowApproximation>(device, shape, found.fit.parameters, y, options.seed, i);
      });
  note_flagged({found.fit}, outcome);
  if (!found.joint.note.empty()) outcome.notes.push_back("the mean KL is not known: " + found.joint.note);
  note_heavy_tails(found.examined.problems, "the map does not cover this posterior", outcome);
  if (found.calibration) note_miscalibration(*found.calibration, outcome);
  outcome.table = table(found);
  write_netcdf(folder.pending("result.nc"), device, config, problems, found);
  write_weights(folder.pending("flow.safetensors"), config, shape, {found.fit});
  write_summary(folder, config, outcome, summarize(device, config, shape, found, seconds));
  return outcome;
}

}  // namespace vida::jobs
