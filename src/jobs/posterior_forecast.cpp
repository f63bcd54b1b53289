#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "jobs/flow_job.hpp"
#include "jobs/forecast.hpp"
#include "jobs/gaussian_plan.hpp"

namespace vida::jobs {
namespace {

constexpr double kTrialSeconds = 1;
constexpr long kParts = 10;  // of which a trial does one

double number(long value) { return static_cast<double>(value); }

/// x, z and the weights of importance draws, with the copies that sorting and moments take.
double examination_bytes(const io::Config& config, int dimension) {
  return config.integer("diagnostics.problems") == 0
             ? 0
             : static_cast<double>(config.integer("diagnostics.draws")) * (3.0 * dimension + 8) * sizeof(double);
}

/// Seconds of the examination of one problem, with a flow whose parameters do not matter.
double examination_seconds(const Device& device, const InverseProblems& problems, const FlowShape& shape, long draws,
                           std::uint64_t seed) {
  const auto start = std::chrono::steady_clock::now();
  const auto parameters = initial_flow_parameters(shape, seed, 0, true);
  examine_first(device, problems, 1, draws, [&](long i) {
    const std::span<const double> y(&problems.observations(0, 0), static_cast<std::size_t>(shape.context));
    return std::make_unique<FlowApproximation>(device, shape, parameters, y, seed, i);
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The job with one examination at most, and a part of what an amortised flow is held against; how often that part goes
/// into the whole.
std::pair<io::Config, double> small_job(const io::Config& config, long examined) {
  io::Config small = config;
  small.give("diagnostics.problems", config.job() == "gaussian-vi" ? std::min(examined, 1L) : 0L);
  if (config.job() == "gaussian-vi") return {small, number(std::max(examined, 1L))};
  if (config.job() == "flow-vi" || config.integer("diagnostics.joint_draws") < 1000) return {small, 1};
  for (const char* key : {"diagnostics.joint_draws", "diagnostics.replications"})
    if (const long count = config.integer(key); count >= 1000) small.give(key, count / kParts);
  return {small, kParts};
}

void add_time(const Device& device, const io::Config& config, const InverseProblems& problems,
              const std::optional<FlowShape>& shape, long examined, Forecast& forecast) {
  if (!forecast.fits(device)) return;
  const auto [small, parts] = small_job(config, examined);
  const Trial trial = try_job(device, small, kTrialSeconds);
  const Trial::Phase& steps = trial.phases.front();
  forecast.seconds = trial.before + steps.whole() + parts * trial.after;
  if (shape && examined > 0)
    *forecast.seconds +=
        number(examined) * examination_seconds(device, problems, *shape, config.integer("diagnostics.draws"),
                                               static_cast<std::uint64_t>(config.integer("seed")));
  forecast.how =
      fmt::format("from {} of {} steps{}", steps.done, steps.total, examined > 0 ? ", and one examination" : "");
}

}  // namespace

Forecast forecast_posteriors(const Device& device, const io::Config& config) {
  const bool gaussian = config.job() == "gaussian-vi", amortized = config.job() == "amortized";
  std::optional<FlowTrainingOptions> training;
  std::optional<GaussianViOptions> fit;
  if (gaussian)
    fit = gaussian_options(config);
  else
    training = training_options(config);
  const InverseProblems problems = make_inverse_problems(device, config);
  const Target& target = *problems.target;
  const long count = problems.observations.extent(0);
  const long examined = std::min(count, config.integer("diagnostics.problems"));
  Forecast forecast;
  forecast.add("target", fmt::format("{}, {} unknowns, {} observations", target.name(), target.dimension(),
                                     target.observations()));
  if (!amortized) forecast.add("problems", count);
  std::optional<FlowShape> shape;
  if (gaussian) {
    forecast.add("Gaussian", config.text("fit.family"));
    forecast.add("steps", fit->steps);
    forecast.memory.push_back({"problems at work",
                               static_cast<double>(gaussian_vi_bytes(device, target, problems.observations, *fit)),
                               true});
    const double d = target.dimension(), losses = count <= 64 ? static_cast<double>(fit->steps) : 0;
    forecast.memory.push_back(
        {"results", static_cast<double>(count) * sizeof(double) * (2 * losses + 4 * d * d + 2 * d)});
  } else {
    shape = flow_shape(config, target, amortized ? target.observations() : 0);
    const double bytes = static_cast<double>(flow_training_bytes(device, *shape, *training, amortized ? 1 : count));
    const double parameters = static_cast<double>(flow_parameter_count(*shape));
    forecast.add("flow", fmt::format("{} layers, nets of {} x {}, {} parameters", shape->layers, shape->depth,
                                     shape->hidden, flow_parameter_count(*shape)));
    forecast.add("steps",
                 fmt::format("{} of {} draws{}", training->steps, training->draws,
                             training->search.empty() ? std::string()
                                                      : fmt::format(", after {} of each of {} learning rates",
                                                                    training->search_steps, training->search.size())));
    forecast.memory.push_back({"flows in training", bytes, true});
    forecast.memory.push_back({"results", (amortized ? 1.0 : static_cast<double>(count)) * sizeof(double) *
                                              (3 * parameters + 2 * static_cast<double>(training->steps))});
  }
  forecast.add("examined problems", fmt::format("{}, by {} draws each", examined, config.integer("diagnostics.draws")));
  forecast.memory.push_back({"importance draws of an examination", examination_bytes(config, target.dimension())});
  forecast.files = {"result.nc", gaussian ? "gaussian.safetensors" : "flow.safetensors", "summary.json", "config.toml",
                    "figures/"};
  add_time(device, config, problems, shape, examined, forecast);
  return forecast;
}

}  // namespace vida::jobs
