#pragma once

#include <memory>
#include <vector>

#include "inference/flow_objective.hpp"
#include "inference/flow_optimizer.hpp"
#include "vida/flow_training.hpp"

namespace vida {

/// A flow of a batch: whose draws it gets, and how fast it learns.
struct FlowLearner {
  std::uint32_t number;
  double rate;
};

/// Several flows of one shape trained on one objective.
template <class Real>
class FlowTrainer {
 public:
  FlowTrainer(const Device& device, const FlowShape& shape, const FlowTrainingOptions& options, long steps,
              const std::vector<FlowLearner>& learners, FlowObjective<Real>& objective);

  /// All steps, or as many as `progress` allows. Its share is of this training.
  std::vector<FlowFit> run(const FlowTrainingProgress& progress, Checkpoints* checkpoints);

 private:
  void take_step();
  bool validate();
  double mean_validation() const;
  void name_state(Archive& archive);
  std::vector<FlowFit> finish();

  Executor& executor_;
  const FlowTrainingOptions& options_;
  long steps_, taken_ = 0;
  FlowObjective<Real>& objective_;
  Buffer<Real> parameters_;
  FlowEngine<Real> engine_;
  std::vector<double> rates_;
  FlowOptimizer<Real> optimizer_;
  std::vector<FlowFit> fits_;
  std::vector<double> best_;
  std::vector<int> since_best_, since_lowered_;
  std::unique_ptr<Recording> recording_;
  bool warm_ = false;   // a step was taken by this object
  bool ended_ = false;  // no flow goes on: patience ran out, or all are flagged
};

}  // namespace vida
