#pragma once

#include <memory>

#include "inference/flow_optimizer.hpp"
#include "inference/images/image_objective.hpp"
#include "inference/shard_sums.hpp"

namespace vida {

/// Throws InvalidArgument for options that cannot be with so many images.
void validate(const EpochOptions& options, long images);
void require_labels(const ClassifierShape& shape, const ImageView& images);

/// Parameters in training and their gradient, in device memory.
struct TrainedParameters {
  TrainedParameters(Executor& executor, const std::vector<double>& initial);
  Buffer<float> values, gradient;
};

/// Trains an objective over epochs of shuffled images with Adam; the parameters with the lowest loss on the images that
/// are held out are the result. A step is a pure function of its number, the images and the parameters.
class EpochTrainer {
 public:
  EpochTrainer(Executor& executor, TrainedParameters& parameters, ImageObjective& objective, const ImageView& images,
               const EpochOptions& options, Checkpoints* checkpoints);
  EpochFit run(const EpochProgress& progress);

 private:
  void load(long step);
  void take_step();
  void validate_now();
  void name_state(Archive& archive);
  EpochFit finish(bool finished);

  Executor& executor_;
  TrainedParameters& parameters_;
  ImageObjective& objective_;
  ImageView images_;
  EpochOptions options_;
  long held_out_, epoch_steps_, steps_, taken_ = 0;
  FlowTrainingOptions adam_;
  FlowOptimizer<float> optimizer_;
  ShardSummer<float> sums_;
  std::vector<std::uint8_t> pixels_, labels_;  // of a batch
  EpochFit fit_;
  double best_loss_;
  Checkpoints* checkpoints_;
  bool warm_ = false;  // a step was taken by this object
  std::unique_ptr<Recording> recording_;
};

}  // namespace vida
