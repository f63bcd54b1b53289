#include "jobs/flow_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/flow_file.hpp"
#include "jobs/problem.hpp"
#include "jobs/results.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {

View<const double, 3> one_problem(const Matrix& x) { return {x.data(), {1, x.extent(0), x.extent(1)}}; }

LearningSchedule schedule_of(const std::string& name) {
  if (name == "constant") return LearningSchedule::constant;
  return name == "plateau" ? LearningSchedule::plateau : LearningSchedule::cosine;
}

}  // namespace

FlowShape flow_shape(const io::Config& config, const Target& target, int context) {
  if (target.dimension() < 2)
    throw InvalidArgument(
        fmt::format("job \"{}\": target {} has one dimension; a coupling layer needs two. Use gaussian-vi.",
                    config.job(), target.name()));
  return {.dimension = target.dimension(),
          .context = context,
          .layers = static_cast<int>(config.integer("flow.layers")),
          .hidden = static_cast<int>(config.integer("flow.hidden")),
          .depth = static_cast<int>(config.integer("flow.depth")),
          .scale_limit = config.real("flow.scale_limit")};
}

FlowTrainingOptions training_options(const io::Config& config) {
  if (!config.axes().empty())
    throw InvalidArgument(
        fmt::format("[batch] is not part of job \"{}\"; its observations are the batch.", config.job()));
  FlowTrainingOptions options;
  options.precision = precision_of(config);
  options.steps = config.integer("train.steps");
  options.draws = static_cast<int>(config.integer("train.draws"));
  options.step = config.real("train.step");
  options.schedule = schedule_of(config.text("train.schedule"));
  options.plateau_factor = config.real("train.plateau_factor");
  options.plateau_patience = static_cast<int>(config.integer("train.plateau_patience"));
  options.clip = config.real("train.clip");
  options.decay = config.real("train.decay");
  options.stick_the_landing = config.has("train.gradient") && config.text("train.gradient") == "stick-the-landing";
  options.zero_last = config.text("train.initial") == "identity";
  options.validate_every = config.integer("train.validate_every");
  options.validation_draws = static_cast<int>(config.integer("train.validation_draws"));
  options.patience = static_cast<int>(config.integer("train.patience"));
  if (config.has("train.search")) {
    const io::Value& rates = config.at("train.search");
    const auto* list = std::get_if<std::vector<double>>(&rates);
    options.search = list ? *list : std::vector<double>{std::get<double>(rates)};
  }
  options.search_steps = config.integer("train.search_steps");
  options.seed = static_cast<std::uint64_t>(config.integer("seed"));
  return options;
}

FlowApproximation::FlowApproximation(const Device& device, const FlowShape& shape, std::span<const double> parameters,
                                     std::span<const double> context, std::uint64_t seed, long number)
    : flow_(device, shape),
      context_(context.begin(), context.end()),
      draws_{.seed = seed, .stream = Stream::filter, .first_problem = static_cast<std::uint32_t>(number)} {
  flow_.set_parameters(0, parameters);
}

ApproximateDraws FlowApproximation::draw(long count) {
  const auto image = flow_.sample(draws_, count, context());
  const auto latent = flow_.inverse(image.points, context());
  const long d = flow_.shape().dimension;
  ApproximateDraws draws{Matrix({count, d}), Matrix({count, d}), {}};
  std::copy(image.points.begin(), image.points.end(), draws.x.begin());
  std::copy(latent.points.begin(), latent.points.end(), draws.z.begin());
  for (long i = 0; i < count; ++i) {
    double norm = static_cast<double>(d) * std::log(2 * M_PI);
    for (long k = 0; k < d; ++k) norm += draws.z(i, k) * draws.z(i, k);
    draws.log_density.push_back(latent.log_det(0, i) - 0.5 * norm);
  }
  return draws;
}

std::vector<double> FlowApproximation::log_density(const Matrix& x) {
  const auto values = flow_.log_density(one_problem(x), context());
  return {values.begin(), values.end()};
}

void put_training(io::NetcdfWriter& file, const std::vector<FlowFit>& fits, const std::vector<double>& floor) {
  std::vector<std::vector<double>> losses, validations, after;
  std::vector<double> rates, lowest;
  std::vector<long> best, stopped, flagged;
  for (const FlowFit& fit : fits) {
    losses.push_back(fit.losses);
    validations.push_back(fit.validation);
    after.emplace_back(fit.validated_after.begin(), fit.validated_after.end());
    rates.push_back(fit.step);
    best.push_back(fit.best_after);
    stopped.push_back(fit.stopped_after);
    flagged.push_back(fit.flagged_at);
  }
  const long count = std::ssize(fits);
  const auto put = [&](const char* name, const auto& values, const io::Description& what) {
    file.put(name, {"problem"}, {count}, std::span(std::as_const(values)), what);
  };
  file.put("loss", {"problem", "step"}, stack(losses), {"loss before each step", "nat"});
  if (!validations.front().empty()) {
    file.put("validation", {"problem", "validated"}, stack(validations), {"loss on the fixed draws", "nat"});
    file.put("validated_after", {"problem", "validated"}, stack(after), {"steps taken before each validation"});
  }
  put("loss_floor", floor, {"loss of the exact posterior", "nat"});
  put("learning_rate", rates, {"Adam's, at the start"});
  put("best_after", best, {"steps that led to the result"});
  put("stopped_after", stopped, {"steps after which patience ran out; -1: it did not"});
  put("flagged_at", flagged, {"step whose loss or gradient was not finite; -1: none"});
}

void note_flagged(const std::vector<FlowFit>& fits, Outcome& outcome) {
  for (std::size_t i = 0; i < fits.size(); ++i) {
    if (fits[i].flagged_at < 0) continue;
    if (++outcome.flagged > 8) continue;
    outcome.notes.push_back(
        fmt::format("problem {}: loss or gradient was not finite at step {}; its flow is the last good one. A smaller "
                    "train.step (now {}) or train.clip may help.",
                    i, fits[i].flagged_at, fits[i].step));
  }
}

void write_weights(const std::filesystem::path& path, const io::Config& config, const FlowShape& shape,
                   const std::vector<FlowFit>& fits) {
  const long count = flow_parameter_count(shape);
  Matrix parameters({std::ssize(fits), count});
  for (long i = 0; i < std::ssize(fits); ++i)
    std::copy_n(fits[static_cast<std::size_t>(i)].parameters.begin(), count, &parameters(i, 0));
  io::write_flows(path,
                  {shape, std::move(parameters), {{"job", config.job()}, {"target", config.text("problem.target")}}});
}

}  // namespace vida::jobs
