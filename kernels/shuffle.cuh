#pragma once

// The order in which an epoch of training takes its examples, without a list of them.

#include <Random123/philox.h>

#include "team.cuh"

namespace vida::kernels {

/// A permutation of 0 .. count - 1 for each (seed, epoch): which example is at `position`. Four rounds of a Feistel
/// network on the smallest square of a power of two that holds `count`, with Philox for its functions; what falls
/// outside goes through again (Black and Rogaway 2002), less than four times on average.
VIDA_FN std::uint32_t shuffled(std::uint64_t seed, std::uint32_t epoch, std::uint32_t position, std::uint32_t count) {
  int half = 1;
  while (half < 16 && (std::uint64_t{1} << (2 * half)) < count) ++half;
  const std::uint32_t mask = (std::uint32_t{1} << half) - 1;
  const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  std::uint32_t value = position;
  do {
    std::uint32_t left = value >> half, right = value & mask;
    for (std::uint32_t round = 0; round < 4; ++round) {
      const auto bits = r123::Philox4x32{}(r123::Philox4x32::ctr_type{{right, round, epoch, 0}}, key);
      const std::uint32_t next = left ^ (bits[0] & mask);
      left = right, right = next;
    }
    value = left << half | right;
  } while (value >= count);
  return value;
}

}  // namespace vida::kernels
