#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "inference/flow_trainer.hpp"
#include "vida/flow_training.hpp"

namespace vida {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr long kPilot = 4096;  // draws whose mean and deviation standardise the context

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

void check(const FlowTrainingOptions& options) {
  const auto refuse = [](const char* what, auto value, const char* expected) {
    throw InvalidArgument(fmt::format("train.{} is {}; expected {}.", what, value, expected));
  };
  if (options.steps < 1) refuse("steps", options.steps, "at least 1");
  if (options.draws < 1) refuse("draws", options.draws, "at least 1");
  if (!(options.step > 0) || !std::isfinite(options.step)) refuse("step", options.step, "a positive number");
  if (!(options.clip >= 0)) refuse("clip", options.clip, "a norm, or 0 for none");
  if (!(options.decay >= 0)) refuse("decay", options.decay, "at least 0");
  if (!(options.beta1 >= 0 && options.beta1 < 1)) refuse("beta1", options.beta1, "from 0 to below 1");
  if (!(options.beta2 >= 0 && options.beta2 < 1)) refuse("beta2", options.beta2, "from 0 to below 1");
  if (!(options.epsilon > 0)) refuse("epsilon", options.epsilon, "a positive number");
  if (options.validate_every < 0) refuse("validate_every", options.validate_every, "at least 0");
  if (options.patience < 0) refuse("patience", options.patience, "at least 0");
  if (options.validation_draws < 1) refuse("validation_draws", options.validation_draws, "at least 1");
  if (options.validate_every == 0 && options.patience > 0)
    refuse("patience", options.patience, "0 where train.validate_every is 0: nothing is validated");
  if (options.validate_every == 0 && options.schedule == LearningSchedule::plateau)
    refuse("schedule", "\"plateau\"", "another one where train.validate_every is 0: nothing is validated");
  if (!(options.plateau_factor > 0 && options.plateau_factor < 1))
    refuse("plateau_factor", options.plateau_factor, "between 0 and 1");
  if (options.plateau_patience < 1) refuse("plateau_patience", options.plateau_patience, "at least 1");
  if (!options.search.empty() && options.search_steps < 1) refuse("search_steps", options.search_steps, "at least 1");
  for (const double rate : options.search)
    if (!(rate > 0) || !std::isfinite(rate)) refuse("search", rate, "positive numbers");
  if (static_cast<double>(options.steps) * options.draws + options.validation_draws >= 4294967296.0)
    throw InvalidArgument(fmt::format("train.steps x train.draws is {:.3g}; draw numbers stay below 2^32 = 4.29e9.",
                                      static_cast<double>(options.steps) * options.draws));
}

/// Trains one flow for each number: with a search first, all candidates of all problems in one batch.
/// `objective(copies)` makes the objective for so many flows of each problem. Shares of progress go from 0 to 1.
template <class Real, class MakeObjective>
std::vector<FlowFit> train(const Device& device, const FlowShape& shape, const FlowTrainingOptions& options,
                           const std::vector<std::uint32_t>& numbers, MakeObjective make_objective,
                           const FlowTrainingProgress& progress) {
  std::vector<FlowLearner> learners;
  for (const std::uint32_t number : numbers) learners.push_back({number, options.step});
  const double work = static_cast<double>(options.steps),
               search = static_cast<double>(std::ssize(options.search) * options.search_steps);
  bool stopped = false;
  const auto part = [&](double first, double size) -> FlowTrainingProgress {
    if (!progress) return {};
    return [&progress, &stopped, first, size](const FlowTrainingStatus& status) {
      stopped |= !progress({first + size * status.share, status.loss});
      return !stopped;
    };
  };
  if (!options.search.empty()) {
    std::vector<FlowLearner> candidates;
    for (const std::uint32_t number : numbers)
      for (const double rate : options.search) candidates.push_back({number, rate});
    FlowTrainingOptions trial = options;
    trial.validate_every = options.search_steps;
    trial.patience = 0;
    const auto objective = make_objective(std::ssize(options.search));
    const auto tried = FlowTrainer<Real>(device, shape, trial, options.search_steps, candidates, *objective)
                           .run(part(0, search / (search + work)));
    for (std::size_t i = 0; i < learners.size(); ++i) {
      double best = kInfinity;
      for (std::size_t k = 0; k < options.search.size(); ++k) {
        const FlowFit& fit = tried[i * options.search.size() + k];
        if (fit.flagged_at < 0 && fit.validation.back() < best) {
          best = fit.validation.back();
          learners[i].rate = fit.step;
        }
      }
    }
  }
  const auto objective = make_objective(1);
  const double first = options.search.empty() ? 0 : search / (search + work);
  if (stopped) {
    FlowTrainingOptions none = options;
    return FlowTrainer<Real>(device, shape, none, 1, learners, *objective).run({});
  }
  return FlowTrainer<Real>(device, shape, options, options.steps, learners, *objective).run(part(first, 1 - first));
}

/// Problems trained at once: what fits the memory; on a CPU no more than keeps its caches warm.
template <class Real>
long problems_at_once(const Device& device, const FlowShape& shape, const FlowTrainingOptions& options, long problems) {
  const long copies = std::max(1L, std::ssize(options.search));
  const long samples = std::max({options.draws, std::min(options.validation_draws, 1024)});
  const long numbers = 6 * flow_parameter_count(shape) + std::max(options.steps, options.search_steps) +
                       samples * (shape.layers * (2L * shape.dimension + 2L * shape.depth * shape.hidden) +
                                  4L * (shape.hidden + shape.dimension) + 6);
  const long bytes = copies * numbers * static_cast<long>(sizeof(Real));
  const long room = static_cast<long>(device.memory_limit()) / bytes;
  return std::clamp(device.is_cuda() ? room : std::min(room, 4L * device.threads()), 1L, problems);
}

template <class Real>
std::vector<FlowFit> fit_all(const Device& device, const Target& target, const Matrix& observations,
                             const FlowShape& shape, const FlowTrainingOptions& options,
                             const FlowTrainingProgress& progress) {
  const long problems = observations.extent(0), p = observations.extent(1);
  const long capacity = problems_at_once<Real>(device, shape, options, problems);
  const double entropy = 0.5 * shape.dimension * (1 + std::log(2 * M_PI));  // of the latent law: makes losses -ELBO
  std::vector<FlowFit> fits;
  bool going = true;
  for (long first = 0; first < problems; first += capacity) {
    const long count = std::min(capacity, problems - first);
    std::vector<std::uint32_t> numbers(count_of(count));
    std::iota(numbers.begin(), numbers.end(), static_cast<std::uint32_t>(first));
    const auto objective = [&](long copies) {
      std::vector<double> y;
      for (long i = first; i < first + count; ++i)
        for (long k = 0; k < copies; ++k) {
          const double* row = observations.data() + i * p;
          y.insert(y.end(), row, row + p);
        }
      return std::make_unique<ReverseKlObjective<Real>>(device.executor(), target, y, options.stick_the_landing);
    };
    const double done = static_cast<double>(first) / static_cast<double>(problems),
                 size = static_cast<double>(count) / static_cast<double>(problems);
    FlowTrainingProgress part;
    if (progress || !going)
      part = [&](const FlowTrainingStatus& status) {
        if (going) going = progress({done + size * status.share, status.loss - entropy});
        return going;
      };
    auto some = train<Real>(device, shape, options, numbers, objective, part);
    for (FlowFit& fit : some)
      for (auto* values : {&fit.losses, &fit.validation})
        for (double& value : *values) value -= entropy;
    fits.insert(fits.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  return fits;
}

ContextScale pilot_scale(const Device& device, const Target& target, std::uint64_t seed) {
  const Matrix y = simulate(device, target, kPilot, seed, (1L << 32) - kPilot).y;  // draws that nobody else takes
  ContextScale result;
  for (long k = 0; k < y.extent(1); ++k) {
    double mean = 0, squares = 0;
    for (long i = 0; i < kPilot; ++i) mean += y(i, k) / kPilot;
    for (long i = 0; i < kPilot; ++i) squares += (y(i, k) - mean) * (y(i, k) - mean) / (kPilot - 1);
    result.shift.push_back(mean);
    result.scale.push_back(squares > 0 ? 1 / std::sqrt(squares) : 1.0);
  }
  return result;
}

/// W s (y - m) + b = (W s) y + (b - W s m): the first maps take the context as it is.
void fold(const FlowShape& shape, const ContextScale& scale, std::vector<double>& parameters) {
  const FlowLayout layout(shape);
  for (int i = 0; i < shape.layers; ++i)
    for (int net = 0; net < 2; ++net) {
      const int in = layout.inputs(i, 0), kept = layout.kept(i);
      double* weight = parameters.data() + layout.weight(i, 0) + net * layout.net_size(i);
      double* bias = parameters.data() + layout.bias(i, 0) + net * layout.net_size(i);
      for (int row = 0; row < shape.hidden; ++row)
        for (int k = 0; k < shape.context; ++k) {
          double& w = weight[row * in + kept + k];
          w *= scale.scale[count_of(k)];
          bias[row] -= w * scale.shift[count_of(k)];
        }
    }
}

template <class Real>
FlowFit fit_amortized(const Device& device, const Target& target, const FlowShape& shape,
                      const FlowTrainingOptions& options, const FlowTrainingProgress& progress) {
  const ContextScale scale = pilot_scale(device, target, options.seed);
  const long capacity = std::max({options.draws, std::min(options.validation_draws, 1024)});
  const auto objective = [&](long) {
    return std::make_unique<ForwardKlObjective<Real>>(device.executor(), target, capacity, scale);
  };
  FlowFit fit = train<Real>(device, shape, options, {0}, objective, progress).front();
  fold(shape, scale, fit.parameters);
  return fit;
}

void check_shape(const Target& target, const FlowShape& shape, int context) {
  validate(shape);
  if (shape.dimension != target.dimension() || shape.context != context)
    throw InvalidArgument(
        fmt::format("the flow has dimension {} and context {}; target {} needs dimension {} and context {}.",
                    shape.dimension, shape.context, target.name(), target.dimension(), context));
}

}  // namespace

std::vector<FlowFit> fit_flow(const Device& device, const Target& target, const Matrix& observations,
                              const FlowShape& shape, const FlowTrainingOptions& options,
                              const FlowTrainingProgress& progress) {
  check(options);
  check_shape(target, shape, 0);
  check_observations("flow-vi", target, observations);
  if (observations.extent(0) == 0) return {};
  return options.precision == Precision::float32
             ? fit_all<float>(device, target, observations, shape, options, progress)
             : fit_all<double>(device, target, observations, shape, options, progress);
}

FlowFit fit_amortized_flow(const Device& device, const Target& target, const FlowShape& shape,
                           const FlowTrainingOptions& options, const FlowTrainingProgress& progress) {
  check(options);
  check_shape(target, shape, target.observations());
  if (target.observations() == 0)
    throw InvalidArgument(
        fmt::format("amortized: target {} is a density without data, so there is nothing to condition "
                    "on. Use flow-vi.",
                    target.name()));
  if (options.stick_the_landing)
    throw InvalidArgument("train.gradient \"stick-the-landing\" is for the reverse KL, not for amortized inference.");
  return options.precision == Precision::float32 ? fit_amortized<float>(device, target, shape, options, progress)
                                                 : fit_amortized<double>(device, target, shape, options, progress);
}

}  // namespace vida
