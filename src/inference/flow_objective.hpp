#pragma once

#include "inference/flow_engine.hpp"
#include "inference/prepared_target.hpp"

namespace vida {

/// Which draws a batch of flows is evaluated on.
struct ObjectiveDraws {
  std::uint64_t seed = 0;
  Stream stream = Stream::training;
  long first = 0;                        // number of the first draw
  const std::uint32_t* clock = nullptr;  // device memory: the training step; null for a fixed batch
};

/// What flows are trained on: fills the engine with draws and evaluates loss and gradient.
template <class Real>
class FlowObjective {
 public:
  virtual ~FlowObjective() = default;
  /// values() of the engine's count() draws, and with `gradient` that of the parameters.
  virtual void evaluate(FlowEngine<Real>& engine, const ObjectiveDraws& draws, bool gradient) = 0;
  virtual bool recordable() const = 0;
};

/// Reverse KL to pi~(.; y) of each problem. observations: [flow, p].
template <class Real>
class ReverseKlObjective final : public FlowObjective<Real> {
 public:
  ReverseKlObjective(Executor& executor, const Target& target, const std::vector<double>& observations,
                     bool stick_the_landing)
      : target_(prepare<Real>(target, executor)),
        observations_(uploaded(executor, std::vector<Real>(observations.begin(), observations.end()))),
        stick_the_landing_(stick_the_landing) {}

  void evaluate(FlowEngine<Real>& engine, const ObjectiveDraws& draws, bool gradient) override {
    engine.draw({.seed = draws.seed, .stream = draws.stream, .first = draws.first}, draws.clock);
    engine.forward();
    const auto target = [this](const FlowTargetBatch<Real>& batch) {
      target_->evaluate(
          {batch.problems, batch.stride, batch.points, observations_.data(), batch.log_density, batch.gradient});
    };
    engine.reverse_terms(target, {.parameters = gradient}, false, stick_the_landing_);
  }
  bool recordable() const override { return target_->recordable(); }

 private:
  std::unique_ptr<PreparedTarget<Real>> target_;
  Buffer<Real> observations_;
  bool stick_the_landing_;
};

/// Shift and scale that give each number of a context mean 0 and deviation 1.
struct ContextScale {
  std::vector<double> shift, scale;  // [p]
};

/// Forward KL on joint draws (u, y), the same for every flow, with contexts (y - shift) scale.
template <class Real>
class ForwardKlObjective final : public FlowObjective<Real> {
 public:
  ForwardKlObjective(Executor& executor, const Target& target, long capacity, const ContextScale& scale);
  void evaluate(FlowEngine<Real>& engine, const ObjectiveDraws& draws, bool gradient) override;
  bool recordable() const override { return true; }

 private:
  Executor& executor_;
  int d_, p_;
  std::unique_ptr<PreparedTarget<Real>> target_;
  Buffer<Real> u_, noise_, y_, shift_, scale_;
};

}  // namespace vida
