#include "inference/flow_trainer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vida {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Validation runs in pieces, so that its size does not decide the memory.
int validation_chunk(const FlowTrainingOptions& options) {
  return std::min(options.validation_draws, std::max(options.draws, 1024));
}

template <class Real>
std::vector<Real> initial_parameters(const FlowShape& shape, const FlowTrainingOptions& options,
                                     const std::vector<FlowLearner>& learners) {
  std::vector<Real> values;
  for (const FlowLearner& learner : learners) {
    const auto one = initial_flow_parameters(shape, options.seed, learner.number, options.zero_last);
    values.insert(values.end(), one.begin(), one.end());
  }
  return values;
}

std::vector<double> rates_of(const std::vector<FlowLearner>& learners) {
  std::vector<double> rates;
  for (const FlowLearner& learner : learners) rates.push_back(learner.rate);
  return rates;
}

}  // namespace

template <class Real>
FlowTrainer<Real>::FlowTrainer(const Device& device, const FlowShape& shape, const FlowTrainingOptions& options,
                               long steps, const std::vector<FlowLearner>& learners, FlowObjective<Real>& objective)
    : executor_(device.executor()),
      options_(options),
      steps_(steps),
      objective_(objective),
      parameters_(uploaded(executor_, initial_parameters<Real>(shape, options, learners))),
      engine_(executor_, shape, std::ssize(learners), std::max(options.draws, validation_chunk(options)),
              parameters_.data(), true),
      rates_(rates_of(learners)),
      optimizer_(executor_, engine_.optimized(), options, steps, rates_),
      fits_(learners.size()),
      best_(learners.size(), kInfinity),
      since_best_(learners.size(), 0),
      since_lowered_(learners.size(), 0) {
  std::vector<std::uint32_t> numbers;
  for (const FlowLearner& learner : learners) numbers.push_back(learner.number);
  engine_.set_numbers(numbers);
  for (std::size_t i = 0; i < learners.size(); ++i) fits_[i].step = learners[i].rate;
}

template <class Real>
std::vector<FlowFit> FlowTrainer<Real>::run(const FlowTrainingProgress& progress, Checkpoints* checkpoints) {
  restored(found_in(checkpoints), [this](Archive& archive) { name_state(archive); });
  engine_.set_count(options_.draws, options_.draws);
  bool going = !ended_;
  while (going && taken_ < steps_) {
    take_step();
    const bool last = taken_ == steps_;
    if (options_.validate_every && (taken_ % options_.validate_every == 0 || last)) ended_ = !validate();
    going = !ended_;
    if (taken_ % 32 != 0 && !last) continue;
    if (progress) going &= progress({static_cast<double>(taken_) / static_cast<double>(steps_), mean_validation()});
    if (checkpoints && (!going || checkpoints->due()))
      checkpoints->keep(saved([this](Archive& archive) { name_state(archive); }));
  }
  if (options_.validate_every &&
      (fits_.front().validated_after.empty() || fits_.front().validated_after.back() != taken_))
    validate();
  return finish();
}

/// The first step sets up what a recording must not; the others are its replay.
template <class Real>
void FlowTrainer<Real>::take_step() {
  const auto work = [this] {
    objective_.evaluate(engine_, {.seed = options_.seed, .clock = optimizer_.clock()}, true);
    optimizer_.step(engine_.sum_shards(), engine_.shards(), 1.0 / static_cast<double>(engine_.count()));
  };
  if (!recording_ && warm_ && objective_.recordable()) recording_ = executor_.record(work);
  recording_ ? recording_->play() : work();
  warm_ = true;
  ++taken_;
}

/// Losses on the fixed draws; false when no flow goes on.
template <class Real>
bool FlowTrainer<Real>::validate() {
  std::vector<double> losses(fits_.size(), 0.0);
  const long all = options_.validation_draws, chunk = validation_chunk(options_);
  for (long first = 0; first < all; first += chunk) {
    engine_.set_count(std::min(chunk, all - first), all);
    objective_.evaluate(engine_, {.seed = options_.seed, .stream = Stream::validation, .first = first}, false);
    engine_.add_values(losses);
  }
  engine_.set_count(options_.draws, options_.draws);
  std::vector<int> improved(fits_.size(), 0), held(fits_.size(), 0);
  bool lowered = false, any = false;
  const auto flagged = optimizer_.flagged_at();
  for (std::size_t i = 0; i < fits_.size(); ++i) {
    FlowFit& fit = fits_[i];
    const double loss = losses[i] / static_cast<double>(all);
    fit.validation.push_back(loss);
    fit.validated_after.push_back(taken_);
    if (loss < best_[i]) {
      best_[i] = loss;
      fit.best_after = flagged[i] >= 0 ? flagged[i] - 1 : taken_;
      improved[i] = 1;
      since_best_[i] = since_lowered_[i] = 0;
    } else {
      ++since_best_[i], ++since_lowered_[i];
    }
    if (options_.schedule == LearningSchedule::plateau && since_lowered_[i] >= options_.plateau_patience) {
      rates_[i] *= options_.plateau_factor;
      since_lowered_[i] = 0;
      lowered = true;
    }
    if (options_.patience && since_best_[i] >= options_.patience && fit.stopped_after < 0) fit.stopped_after = taken_;
    held[i] = fit.stopped_after >= 0;
    any |= !held[i] && flagged[i] < 0;
  }
  optimizer_.keep_best(improved);
  if (lowered) optimizer_.set_rates(rates_);
  if (options_.patience) optimizer_.hold(held);
  return any;
}

template <class Real>
double FlowTrainer<Real>::mean_validation() const {
  double sum = 0;
  for (const FlowFit& fit : fits_) sum += fit.validation.empty() ? std::nan("") : fit.validation.back();
  return sum / static_cast<double>(fits_.size());
}

template <class Real>
void FlowTrainer<Real>::name_state(Archive& archive) {
  archive("taken", taken_), archive("ended", ended_);
  optimizer_.name_state(archive);
  archive.fixed("learning_rates", rates_), archive.fixed("best_loss", best_);
  archive.fixed("since_best", since_best_), archive.fixed("since_lowered", since_lowered_);
  archive.each("validation", fits_, &FlowFit::validation);
  archive.each("validated_after", fits_, &FlowFit::validated_after);
  archive.each("best_after", fits_, &FlowFit::best_after);
  archive.each("stopped_after", fits_, &FlowFit::stopped_after);
}

template <class Real>
std::vector<FlowFit> FlowTrainer<Real>::finish() {
  if (options_.validate_every) {
    std::vector<int> found(fits_.size());
    for (std::size_t i = 0; i < found.size(); ++i) found[i] = best_[i] < kInfinity;
    optimizer_.restore_best(found);
  }
  const auto losses = optimizer_.losses();
  const auto flagged = optimizer_.flagged_at();
  const auto parameters = parameters_.download();
  const long count = engine_.layout().size();
  for (std::size_t i = 0; i < fits_.size(); ++i) {
    FlowFit& fit = fits_[i];
    const auto from = parameters.begin() + static_cast<long>(i) * count;
    fit.parameters.assign(from, from + count);
    fit.flagged_at = flagged[i];
    const long until = fit.flagged_at >= 0 ? fit.flagged_at + 1 : fit.stopped_after >= 0 ? fit.stopped_after : taken_;
    const auto loss = losses.begin() + static_cast<long>(i) * steps_;
    fit.losses.assign(loss, loss + until);
    if (!options_.validate_every) fit.best_after = fit.flagged_at >= 0 ? std::max(0L, fit.flagged_at - 1) : taken_;
  }
  return std::move(fits_);
}

template class FlowTrainer<float>;
template class FlowTrainer<double>;

}  // namespace vida
