#pragma once

#include "inference/images/image_objective.hpp"
#include "inference/shard_sums.hpp"

namespace vida {

NetworkLayout classifier_layout(const ClassifierShape& shape);

/// Pixels as the classifier takes them: scale byte + shift.
inline constexpr float kClassifierScale = 2.0f / 255, kClassifierShift = -0.26f;

/// Cross entropy of a classifier, in nats.
class ClassifierObjective final : public ImageObjective {
 public:
  ClassifierObjective(Executor& executor, const ClassifierShape& shape, const float* parameters, float* gradient,
                      const EpochOptions& options);

  void load(const std::uint8_t* pixels, const std::uint8_t* labels, long count) override;
  void differentiate(const DropoutDraws& draws) override;
  double loss_sum(long first) override;
  const float* values() override { return values_.data(); }
  /// Probabilities of the loaded images, [class, stride].
  const float* probabilities();

 private:
  void run(const DropoutDraws& draws);
  void compare(double total);
  NetworkInput<float> input() const { return {inputs_.data(), nullptr, shape_.pixels}; }
  long stride() const { return round_up(count_, kernels::kFlowStride); }

  Executor& executor_;
  ClassifierShape shape_;
  Network<float> network_;
  ShardSummer<float> sums_;
  long count_ = 0;
  Buffer<std::uint8_t> bytes_;
  Buffer<int> pixels_;
  Buffer<std::int32_t> labels_;
  Buffer<float> inputs_, weights_, values_;
};

}  // namespace vida
