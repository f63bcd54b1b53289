#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "backend/smaller_chunks.hpp"
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

/// A field of every fit, as far as a checkpoint needs them.
void name_fits(Archive& archive, std::vector<FlowFit>& fits) {
  archive.each("parameters", fits, &FlowFit::parameters);
  archive.each("losses", fits, &FlowFit::losses);
  archive.each("validation", fits, &FlowFit::validation);
  archive.each("validated_after", fits, &FlowFit::validated_after);
  archive.each("step", fits, &FlowFit::step);
  archive.each("best_after", fits, &FlowFit::best_after);
  archive.each("stopped_after", fits, &FlowFit::stopped_after);
  archive.each("flagged_at", fits, &FlowFit::flagged_at);
}

/// The rate of each learner whose candidate did best; the learner's own where none did.
void take_best_rates(const std::vector<FlowFit>& tried, std::vector<FlowLearner>& learners) {
  const std::size_t candidates = tried.size() / learners.size();
  for (std::size_t i = 0; i < learners.size(); ++i) {
    double best = kInfinity;
    for (std::size_t k = 0; k < candidates; ++k) {
      const FlowFit& fit = tried[i * candidates + k];
      if (fit.flagged_at < 0 && fit.validation.back() < best) {
        best = fit.validation.back();
        learners[i].rate = fit.step;
      }
    }
  }
}

/// Trains one flow for each number: with a search first, all candidates of all problems in one batch.
/// `objective(copies)` makes the objective for so many flows of each problem. Shares of progress go from 0 to 1.
template <class Real, class MakeObjective>
std::vector<FlowFit> train(const Device& device, const FlowShape& shape, const FlowTrainingOptions& options,
                           const std::vector<std::uint32_t>& numbers, MakeObjective make_objective,
                           const FlowTrainingProgress& progress, Checkpoints& checkpoints) {
  std::vector<FlowLearner> learners;
  for (const std::uint32_t number : numbers) learners.push_back({number, options.step});
  const double work = static_cast<double>(options.steps),
               search = static_cast<double>(std::ssize(options.search) * options.search_steps);
  bool stopped = false, searched = options.search.empty();
  const auto name_state = [&](Archive& archive) {
    archive("searched", searched);
    archive.each("rates", learners, &FlowLearner::rate);
  };
  const Snapshot found = checkpoints.found();
  restored(found, name_state);
  const auto part = [&](double first, double size) -> FlowTrainingProgress {
    if (!progress) return {};
    return [&progress, &stopped, first, size](const FlowTrainingStatus& status) {
      stopped |= !progress({first + size * status.share, status.loss});
      return !stopped;
    };
  };
  if (!searched) {
    std::vector<FlowLearner> candidates;
    for (const std::uint32_t number : numbers)
      for (const double rate : options.search) candidates.push_back({number, rate});
    FlowTrainingOptions trial = options;
    trial.validate_every = options.search_steps;
    trial.patience = 0;
    const auto objective = make_objective(std::ssize(options.search));
    PartOfCheckpoints stage(&checkpoints, found, "search", name_state);
    const auto tried = FlowTrainer<Real>(device, shape, trial, options.search_steps, candidates, *objective)
                           .run(part(0, search / (search + work)), &stage);
    take_best_rates(tried, learners);
    searched = !stopped;
  }
  const auto objective = make_objective(1);
  if (stopped) return FlowTrainer<Real>(device, shape, options, 1, learners, *objective).run({}, nullptr);
  const double first = search / (search + work);
  PartOfCheckpoints stage(&checkpoints, found, "training", name_state);
  return FlowTrainer<Real>(device, shape, options, options.steps, learners, *objective)
      .run(part(first, 1 - first), &stage);
}

/// Device memory of one problem with all its candidates.
template <class Real>
long problem_bytes(const FlowShape& shape, const FlowTrainingOptions& options) {
  const long copies = std::max(1L, std::ssize(options.search));
  const long samples = std::max({options.draws, std::min(options.validation_draws, 1024)});
  const long numbers = 6 * flow_parameter_count(shape) + std::max(options.steps, options.search_steps) +
                       samples * (shape.layers * (2L * shape.dimension + 2L * shape.depth * shape.hidden) +
                                  4L * (shape.hidden + shape.dimension) + 6);
  return copies * numbers * static_cast<long>(sizeof(Real));
}

/// Problems trained at once: what fits the memory; on a CPU no more than keeps its caches warm.
template <class Real>
long problems_at_once(const Device& device, const FlowShape& shape, const FlowTrainingOptions& options, long problems) {
  const long room = static_cast<long>(device.memory_limit()) / problem_bytes<Real>(shape, options);
  return std::clamp(device.is_cuda() ? room : std::min(room, 4L * device.threads()), 1L, problems);
}

template <class Real>
std::vector<FlowFit> fit_all(const Device& device, const Target& target, const Matrix& observations,
                             const FlowShape& shape, const FlowTrainingOptions& options,
                             const FlowTrainingProgress& progress, Checkpoints* checkpoints) {
  const long problems = observations.extent(0), p = observations.extent(1);
  long room = problems_at_once<Real>(device, shape, options, problems);
  const double entropy = 0.5 * shape.dimension * (1 + std::log(2 * M_PI));  // of the latent law: makes losses -ELBO
  std::vector<FlowFit> fits;
  long done = 0, together = room;  // problems: trained, and in the chunk at work
  const auto name_state = [&](Archive& archive) {
    archive("done", done), archive("together", together);
    fits.resize(count_of(done));
    name_fits(archive, fits);
  };
  const Snapshot found = found_in(checkpoints);
  restored(found, name_state);
  PartOfCheckpoints chunk(checkpoints, found, "chunk", name_state);
  bool begun = !found.part("chunk").empty();  // the chunk at work, by the call whose state was found
  bool going = true;
  for (; done < problems; together = room) {
    const long first = done;
    const auto objective = [&](long copies) {
      std::vector<double> y;
      for (long i = first; i < std::min(first + together, problems); ++i)
        for (long k = 0; k < copies; ++k) {
          const double* row = observations.data() + i * p;
          y.insert(y.end(), row, row + p);
        }
      return std::make_unique<ReverseKlObjective<Real>>(device.executor(), target, y, options.stick_the_landing);
    };
    NoCheckpoints none;
    Checkpoints& wanted = going ? static_cast<Checkpoints&>(chunk) : none;
    const auto train_some = [&](long count) {
      together = count;
      std::vector<std::uint32_t> numbers(count_of(count));
      std::iota(numbers.begin(), numbers.end(), static_cast<std::uint32_t>(first));
      FlowTrainingProgress part;
      if (progress || !going)
        part = [&](const FlowTrainingStatus& status) {
          const double share =
              (static_cast<double>(first) + static_cast<double>(count) * status.share) / static_cast<double>(problems);
          if (going) going = progress({share, status.loss - entropy});
          return going;
        };
      return train<Real>(device, shape, options, numbers, objective, part, wanted);
    };
    const long planned = std::min(together, problems - first);
    long count = planned;
    auto some = begun ? train_some(count) : with_smaller_chunks(count, train_some);
    if (count < planned) room = count;
    begun = false;
    for (FlowFit& fit : some)
      for (auto* values : {&fit.losses, &fit.validation})
        for (double& value : *values) value -= entropy;
    fits.insert(fits.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    done += count;
  }
  if (checkpoints && going) checkpoints->keep(saved(name_state));
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
                      const FlowTrainingOptions& options, const FlowTrainingProgress& progress,
                      Checkpoints* checkpoints) {
  const ContextScale scale = pilot_scale(device, target, options.seed);
  const long capacity = std::max({options.draws, std::min(options.validation_draws, 1024)});
  const auto objective = [&](long) {
    return std::make_unique<ForwardKlObjective<Real>>(device.executor(), target, capacity, scale);
  };
  std::vector<FlowFit> fits;
  bool done = false, stopped = false;
  const auto name_state = [&](Archive& archive) {
    archive("done", done);
    if (!done) return;
    fits.resize(1);
    name_fits(archive, fits);
  };
  const Snapshot found = found_in(checkpoints);
  restored(found, name_state);
  if (!done) {
    FlowTrainingProgress heard;
    if (progress)
      heard = [&](const FlowTrainingStatus& status) {
        stopped |= !progress(status);
        return !stopped;
      };
    PartOfCheckpoints training(checkpoints, found, "training", name_state);
    fits = train<Real>(device, shape, options, {0}, objective, heard, training);
    done = true;
    if (checkpoints && !stopped) checkpoints->keep(saved(name_state));
  }
  fold(shape, scale, fits.front().parameters);
  return std::move(fits.front());
}

void check_shape(const Target& target, const FlowShape& shape, int context) {
  validate(shape);
  if (shape.dimension != target.dimension() || shape.context != context)
    throw InvalidArgument(
        fmt::format("the flow has dimension {} and context {}; target {} needs dimension {} and context {}.",
                    shape.dimension, shape.context, target.name(), target.dimension(), context));
}

}  // namespace

std::size_t flow_training_bytes(const Device& device, const FlowShape& shape, const FlowTrainingOptions& options,
                                long problems) {
  check(options);
  validate(shape);
  if (problems == 0) return 0;
  const auto bytes_as = [&]<class Real>(Real) {
    return static_cast<std::size_t>(problems_at_once<Real>(device, shape, options, problems) *
                                    problem_bytes<Real>(shape, options));
  };
  return options.precision == Precision::float32 ? bytes_as(0.0F) : bytes_as(0.0);
}

std::vector<FlowFit> fit_flow(const Device& device, const Target& target, const Matrix& observations,
                              const FlowShape& shape, const FlowTrainingOptions& options,
                              const FlowTrainingProgress& progress, Checkpoints* checkpoints) {
  check(options);
  check_shape(target, shape, 0);
  check_observations("flow-vi", target, observations);
  if (observations.extent(0) == 0) return {};
  return options.precision == Precision::float32
             ? fit_all<float>(device, target, observations, shape, options, progress, checkpoints)
             : fit_all<double>(device, target, observations, shape, options, progress, checkpoints);
}

FlowFit fit_amortized_flow(const Device& device, const Target& target, const FlowShape& shape,
                           const FlowTrainingOptions& options, const FlowTrainingProgress& progress,
                           Checkpoints* checkpoints) {
  check(options);
  check_shape(target, shape, target.observations());
  if (target.observations() == 0)
    throw InvalidArgument(
        fmt::format("amortized: target {} is a density without data, so there is nothing to condition "
                    "on. Use flow-vi.",
                    target.name()));
  if (options.stick_the_landing)
    throw InvalidArgument("train.gradient \"stick-the-landing\" is for the reverse KL, not for amortized inference.");
  return options.precision == Precision::float32
             ? fit_amortized<float>(device, target, shape, options, progress, checkpoints)
             : fit_amortized<double>(device, target, shape, options, progress, checkpoints);
}

}  // namespace vida
