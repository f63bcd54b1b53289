#include "inference/flow_optimizer.hpp"

#include <cmath>
#include <numbers>

namespace vida {
namespace {

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

/// Share of the learning rate at a step.
double scheduled(LearningSchedule schedule, long step, long steps) {
  if (schedule != LearningSchedule::cosine) return 1;  // a plateau is found by the driver, which lowers the rates
  return 0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps)));
}

}  // namespace

template <class Real>
FlowOptimizer<Real>::FlowOptimizer(Executor& executor, FlowEngine<Real>& engine, const FlowTrainingOptions& options,
                                   long steps, const std::vector<double>& rates)
    : executor_(executor),
      engine_(engine),
      options_(options),
      steps_(steps),
      count_(engine.layout().size()),
      blocks_((count_ + kernels::kAdamBlock - 1) / kernels::kAdamBlock) {
  const long problems = engine.problems();
  const auto take = [&](long each) { return Buffer<Real>(executor, count_of(problems * each)); };
  first_ = take(count_), second_ = take(count_), last_good_ = take(count_), best_ = take(count_);
  squares_ = take(blocks_), rates_ = take(1), scales_ = take(1), losses_ = take(steps);
  first_.clear(), second_.clear();
  const std::vector<int> marks(count_of(problems), 1);
  copy(last_good_.data(), engine.parameters(), marks);
  copy(best_.data(), engine.parameters(), marks);
  set_rates(rates);
  flagged_at_ = uploaded(executor, std::vector<int>(count_of(problems), -1));
  held_ = uploaded(executor, std::vector<int>(count_of(problems), 0));
  actions_ = uploaded(executor, std::vector<int>(count_of(problems), 0));
  clock_ = uploaded(executor, std::vector<std::uint32_t>{0});
  std::vector<kernels::AdamRates<Real>> schedule;
  for (long step = 0; step < steps; ++step) {
    const double t = static_cast<double>(step + 1), root = std::sqrt(1 - std::pow(options.beta2, t));
    const double share = scheduled(options.schedule, step, steps);
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
  launch(executor_, {.items = engine_.problems() * blocks_},
         kernels::CopyMarked<Real>{to, from, marks_.data(), count_, blocks_});
}

template <class Real>
void FlowOptimizer<Real>::step() {
  const long problems = engine_.problems();
  using Squares = kernels::GradientSquares<Real>;
  const Real* sums = engine_.sum_shards();
  launch(executor_, {.items = problems * blocks_, .scratch_bytes = Squares::scratch_bytes()},
         Squares{engine_.gradient(), squares_.data(), count_, blocks_});
  launch(executor_, {.items = problems},
         kernels::AdamControl<Real>{sums, squares_.data(), clock_.data(), losses_.data(), flagged_at_.data(),
                                    held_.data(), actions_.data(), scales_.data(), engine_.shards(), blocks_, steps_,
                                    static_cast<Real>(1.0 / static_cast<double>(engine_.count())),
                                    static_cast<Real>(options_.clip)});
  launch(executor_, {.items = problems * blocks_},
         kernels::AdamUpdate<Real>{engine_.parameters(), last_good_.data(), first_.data(), second_.data(),
                                   engine_.gradient(), rates_.data(), scales_.data(), actions_.data(), schedule_.data(),
                                   clock_.data(), count_, blocks_, static_cast<Real>(options_.beta1),
                                   static_cast<Real>(options_.beta2), static_cast<Real>(options_.decay)});
  launch(executor_, {.items = 1, .lanes = 32}, kernels::AdvanceClock<Real>{clock_.data()});
}

template class FlowOptimizer<float>;
template class FlowOptimizer<double>;

}  // namespace vida
