#include "inference/flow_optimizer.hpp"

#include <cmath>
#include <numbers>

namespace vida {
namespace {

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

/// Share of the learning rate at a step.
double scheduled(const FlowTrainingOptions& options, long step, long steps) {
  const double share = static_cast<double>(step) / static_cast<double>(steps);
  const double warm = step < options.warm_up ? static_cast<double>(step + 1) / static_cast<double>(options.warm_up) : 1;
  if (options.schedule != LearningSchedule::cosine) return warm;  // a plateau is found by the driver
  return warm * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

}  // namespace

template <class Real>
FlowOptimizer<Real>::FlowOptimizer(Executor& executor, const OptimizedParameters<Real>& parameters,
                                   const FlowTrainingOptions& options, long steps, const std::vector<double>& rates)
    : executor_(executor),
      parameters_(parameters),
      options_(options),
      steps_(steps),
      count_(parameters.count),
      blocks_((count_ + kernels::kAdamBlock - 1) / kernels::kAdamBlock) {
  const long problems = parameters.problems;
  const auto take = [&](long each) { return Buffer<Real>(executor, count_of(problems * each)); };
  first_ = take(count_), second_ = take(count_), last_good_ = take(count_), best_ = take(count_);
  squares_ = take(blocks_), rates_ = take(1), scales_ = take(1), losses_ = take(steps);
  first_.clear(), second_.clear();
  const std::vector<int> marks(count_of(problems), 1);
  copy(last_good_.data(), parameters.values, marks);
  copy(best_.data(), parameters.values, marks);
  set_rates(rates);
  flagged_at_ = uploaded(executor, std::vector<int>(count_of(problems), -1));
  held_ = uploaded(executor, std::vector<int>(count_of(problems), 0));
  actions_ = uploaded(executor, std::vector<int>(count_of(problems), 0));
  clock_ = uploaded(executor, std::vector<std::uint32_t>{0});
  std::vector<kernels::AdamRates<Real>> schedule;
  for (long step = 0; step < steps; ++step) {
    const double t = static_cast<double>(step + 1), root = std::sqrt(1 - std::pow(options.beta2, t));
    const double share = scheduled(options, step, steps);
    schedule.push_back({static_cast<Real>(share * root / (1 - std::pow(options.beta1, t))),
                        static_cast<Real>(options.epsilon * root), static_cast<Real>(share)});
  }
  schedule_ = uploaded(executor, schedule);
}

template <class Real>
void FlowOptimizer<Real>::set_rates(const std::vector<double>& rates) {
  rates_.upload(std::vector<Real>(rates.begin(), rates.end()));
}

template <class Real>
void FlowOptimizer<Real>::copy(Real* to, const Real* from, const std::vector<int>& marks) {
  if (!marks_.size()) marks_ = Buffer<int>(executor_, marks.size());
  marks_.upload(marks);
  launch(executor_, {.items = parameters_.problems * blocks_},
         kernels::CopyMarked<Real>{to, from, marks_.data(), count_, blocks_});
}

template <class Real>
void FlowOptimizer<Real>::step(const Real* sums, long shards, double weight) {
  const long problems = parameters_.problems;
  using Squares = kernels::GradientSquares<Real>;
  launch(executor_, {.items = problems * blocks_, .scratch_bytes = Squares::scratch_bytes()},
         Squares{parameters_.gradient, squares_.data(), count_, blocks_});
  launch(executor_, {.items = problems},
         kernels::AdamControl<Real>{sums, squares_.data(), clock_.data(), losses_.data(), flagged_at_.data(),
                                    held_.data(), actions_.data(), scales_.data(), shards, blocks_, steps_,
                                    static_cast<Real>(weight), static_cast<Real>(options_.clip)});
  launch(executor_, {.items = problems * blocks_},
         kernels::AdamUpdate<Real>{parameters_.values, last_good_.data(), first_.data(), second_.data(),
                                   parameters_.gradient, rates_.data(), scales_.data(), actions_.data(),
                                   schedule_.data(), clock_.data(), count_, blocks_, static_cast<Real>(options_.beta1),
                                   static_cast<Real>(options_.beta2), static_cast<Real>(options_.decay)});
  launch(executor_, {.items = 1, .lanes = 32}, kernels::AdvanceClock<Real>{clock_.data()});
}

template <class Real>
void FlowOptimizer<Real>::name_state(Archive& archive) {
  archive.device("values", executor_, parameters_.values, first_.size());
  archive("best", best_), archive("last_good", last_good_);
  archive("first", first_), archive("second", second_);
  archive("rates", rates_), archive("losses", losses_);
  archive("flagged_at", flagged_at_), archive("held", held_), archive("clock", clock_);
}

template class FlowOptimizer<float>;
template class FlowOptimizer<double>;

}  // namespace vida
