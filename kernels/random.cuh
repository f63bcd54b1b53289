#pragma once

// Counter-based normal draws: Philox 4x32-10 (Salmon et al. 2011) from Random123 and the Box-Muller transform. A draw
// is a pure function of (seed, stream, problem, step, index).

#include <Random123/philox.h>

#include <cmath>
#include <cstdint>

#include "team.cuh"

namespace vida::kernels {

/// A uniform in (0, 1) from 64 random bits; the same bits for both precisions.
template <class Real>
VIDA_FN Real open_uniform(std::uint32_t high, std::uint32_t low) {
  if constexpr (sizeof(Real) == 8)
    return (static_cast<Real>((static_cast<std::uint64_t>(high) << 20) ^ (low >> 12)) + Real(0.5)) * Real(0x1p-52);
  else
    return (static_cast<Real>(high >> 9) + Real(0.5)) * Real(0x1p-23);
}

/// Standard normal number `index`; two neighbours share one Philox block.
template <class Real>
VIDA_FN Real standard_normal(std::uint64_t seed, std::uint32_t stream, std::uint32_t problem, std::uint32_t step,
                             std::uint32_t index) {
  const r123::Philox4x32::ctr_type counter{{index / 2, step, problem, stream}};
  const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const r123::Philox4x32::ctr_type bits = r123::Philox4x32{}(counter, key);
  const Real radius = std::sqrt(Real(-2) * std::log(open_uniform<Real>(bits[0], bits[1])));
  const Real angle = Real(6.283185307179586476925286766559) * open_uniform<Real>(bits[2], bits[3]);
  return radius * (index % 2 ? std::sin(angle) : std::cos(angle));
}

}  // namespace vida::kernels
