#pragma once

#include "inference/network.hpp"
#include "vida/inpainting.hpp"

namespace vida {

/// What a network is trained on: a batch of images at a time. Parameters and gradient are device memory of the caller.
class ImageObjective {
 public:
  virtual ~ImageObjective() = default;
  /// Brings images to the device; every step has the same number.
  virtual void load(const std::uint8_t* pixels, const std::uint8_t* labels, long count) = 0;
  /// values() and the gradient of the loaded images; only launches and clears. `draws`: of every random number.
  virtual void differentiate(const DropoutDraws& draws) = 0;
  /// Sum of the losses of the loaded images without dropout; `first`: number of the first one, which decides its random
  /// numbers.
  virtual double loss_sum(long first) = 0;
  virtual const float* values() = 0;  ///< [stride]
  /// What a value is multiplied by to be the loss in its unit.
  virtual double unit() const { return 1; }
};

}  // namespace vida
