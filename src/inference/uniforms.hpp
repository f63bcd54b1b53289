#pragma once

#include <Random123/philox.h>

#include "vida/random.hpp"

namespace vida {

/// A uniform in (-1, 1), a pure function of (seed, stream, problem, index): what networks start from.
inline double symmetric_uniform(std::uint64_t seed, Stream stream, std::uint32_t problem, long index) {
  const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const r123::Philox4x32::ctr_type counter{
      {static_cast<std::uint32_t>(index), 0, problem, static_cast<std::uint32_t>(stream)}};
  const auto bits = r123::Philox4x32{}(counter, key);
  return (static_cast<double>((std::uint64_t{bits[0]} << 20) ^ (bits[1] >> 12)) + 0.5) * 0x1p-51 - 1;
}

}  // namespace vida
