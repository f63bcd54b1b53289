#pragma once

#include <cstdint>

namespace vida {

/// Uses of random numbers. Each has a stream of its own, so that two filters see the same data.
enum class Stream : std::uint32_t {
  truth = 1,
  observation_noise = 2,
  initial_state = 3,
  filter = 4,
  training = 5,
  validation = 6,
  dropout = 7,
  dequantisation = 8,
  augmentation = 9
};

/// Address of a draw. Philox 4x32-10 (Salmon et al. 2011) maps it to bits; there is no state to carry, so a draw is the
/// same alone, in any batch, in any split over threads.
struct DrawKey {
  std::uint64_t seed = 0;
  Stream stream = Stream::truth;
  std::uint32_t problem = 0;
  std::uint32_t step = 0;
};

/// Standard normal draw number `index` of `key`.
double standard_normal(const DrawKey& key, std::uint32_t index);

}  // namespace vida
