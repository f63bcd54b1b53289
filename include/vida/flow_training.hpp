#pragma once

#include <functional>
#include <vector>

#include "vida/checkpoint.hpp"
#include "vida/filter.hpp"
#include "vida/flow.hpp"
#include "vida/gaussian_vi.hpp"
#include "vida/target.hpp"

namespace vida {

enum class LearningSchedule {
  constant,
  cosine,  ///< to 0 along half a cosine
  plateau  ///< times plateau_factor after plateau_patience validations without a better one
};

struct FlowTrainingOptions {
  Precision precision = Precision::float32;
  long steps = 4000;   ///< of Adam
  int draws = 256;     ///< per step and flow, new in every step
  double step = 1e-3;  ///< learning rate
  LearningSchedule schedule = LearningSchedule::cosine;
  long warm_up = 0;  ///< steps over which the learning rate rises from 0
  double plateau_factor = 0.5;
  int plateau_patience = 3;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double clip = 5;                 ///< gradients are scaled down to this norm; 0: never
  double decay = 0;                ///< decoupled weight decay: theta shrinks by learning rate x decay in every step
  bool stick_the_landing = false;  ///< reverse KL only
  bool zero_last = true;           ///< start at the identity map
  /// Every so many steps, and at the end, the loss on a fixed batch of draws; the parameters with the lowest one are
  /// the result. 0: never, the result is where the last step ends.
  long validate_every = 200;
  int validation_draws = 4096;
  int patience = 0;  ///< validations without a better one after which a flow stops; 0: never
  /// Learning rates to try, all in one batch, for search_steps each; the one with the lowest validation loss of each
  /// problem replaces `step`. Empty: no search.
  std::vector<double> search = {};
  long search_steps = 400;
  std::uint64_t seed = 0;  ///< of the parameters to start from and of every draw
};

/// One trained flow.
struct FlowFit {
  std::vector<double> parameters;
  std::vector<double> losses;         ///< before each step that was taken
  std::vector<long> validated_after;  ///< steps taken before each validation
  std::vector<double> validation;     ///< loss on the fixed batch
  double step = 0;                    ///< learning rate that was used
  long best_after = 0;                ///< steps that led to `parameters`
  long stopped_after = -1;            ///< steps after which patience ran out; -1: it did not
  long flagged_at =
      -1;  ///< step whose loss or gradient was not finite: the flow went back to the one before and stayed
};

/// Where a training stands. Return false to stop: flows keep what they have.
struct FlowTrainingStatus {
  double share = 0;  ///< done of all
  double loss = 0;   ///< latest validation loss, mean over the flows; NaN before the first
};
using FlowTrainingProgress = std::function<bool(const FlowTrainingStatus&)>;

/// Transport variational inference: one flow for each posterior pi~(u; observations[i]), trained by reverse KL, all at
/// once; no problem influences another. observations: [problem, p] ([1, 0] for a target without data). shape.dimension
/// must be the target's, shape.context 0. Losses are -ELBO. Throws InvalidArgument for shapes, NaN, and options that
/// cannot be. `checkpoints` may be null.
///
/// Device memory of a problem: 6 parameter vectors, `steps` losses and the activations of `draws` samples (Flow).
std::vector<FlowFit> fit_flow(const Device& device, const Target& target, const Matrix& observations,
                              const FlowShape& shape, const FlowTrainingOptions& options = {},
                              const FlowTrainingProgress& progress = {}, Checkpoints* checkpoints = nullptr);

/// Amortised inference: one flow q(u | y), trained by forward KL on new draws (u, y) of the joint law in every step.
/// shape.context must be the target's number of observations. Losses are -log q, in nats. The mean and the deviation of
/// y in a pilot batch standardise the context; they are folded into the first weights, so that the result takes y as it
/// is.
FlowFit fit_amortized_flow(const Device& device, const Target& target, const FlowShape& shape,
                           const FlowTrainingOptions& options = {}, const FlowTrainingProgress& progress = {},
                           Checkpoints* checkpoints = nullptr);

/// Device memory that a training of so many problems takes: those that are trained at once, 1 for an amortised flow.
std::size_t flow_training_bytes(const Device& device, const FlowShape& shape, const FlowTrainingOptions& options,
                                long problems);

}  // namespace vida
