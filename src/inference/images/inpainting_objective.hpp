#pragma once

#include "inference/images/image_objective.hpp"
#include "inference/images/inpainting_model.hpp"
#include "inference/shard_sums.hpp"

namespace vida {

/// Forward KL of an InpaintingModel, in nats; its gradient has that of the squared error of the head's mean beside it.
class InpaintingObjective final : public ImageObjective {
 public:
  InpaintingObjective(Executor& executor, const InpaintingShape& shape, const PixelMap& map, const float* parameters,
                      float* gradient, const EpochOptions& options);

  void load(const std::uint8_t* pixels, const std::uint8_t*, long count) override { model_.load(pixels, count); }
  void differentiate(const DropoutDraws& draws) override;
  double loss_sum(long first) override;
  const float* values() override { return values_.data(); }
  double unit() const override { return 1 / nats_; }

 private:
  InpaintingModel model_;
  EpochOptions options_;
  double nats_;  // of one bit for each unknown pixel
  ShardSummer<float> sums_;
  Buffer<float> weights_, error_weights_, targets_, errors_, values_;
};

}  // namespace vida
