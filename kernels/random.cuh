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

/// The sine or cosine of a full turn times `turns`, 0 .. 1. In single precision by Cephes' polynomials on an eighth of
/// a turn either way, to which it comes without rounding: error below 1e-7, while the library's general reduction of
/// large angles costs a GPU instructions on doubles.
template <class Real>
VIDA_FN Real of_turns(Real turns, bool sine) {
  if constexpr (sizeof(Real) == 8) {
    const Real angle = Real(6.283185307179586476925286766559) * turns;
    return sine ? std::sin(angle) : std::cos(angle);
  } else {
    const Real nearest = std::floor(Real(4) * turns + Real(0.5));
    const int quarter = static_cast<int>(nearest) + (sine ? 0 : 1);  // the cosine is the sine a quarter further
    const Real x = (Real(4) * turns - nearest) * Real(1.57079632679489661923);
    const Real xx = x * x;
    const Real odd = x + x * xx * (Real(-1.6666654611e-1) + xx * (Real(8.3321608736e-3) - xx * Real(1.9515295891e-4)));
    const Real even =
        Real(1) - Real(0.5) * xx +
        xx * xx * (Real(4.166664568298827e-2) - xx * (Real(1.388731625493765e-3) - xx * Real(2.443315711809948e-5)));
    const Real value = quarter % 2 ? even : odd;
    return quarter % 4 >= 2 ? -value : value;
  }
}

/// Standard normal number `index`; two neighbours share one Philox block.
template <class Real>
VIDA_FN Real standard_normal(std::uint64_t seed, std::uint32_t stream, std::uint32_t problem, std::uint32_t step,
                             std::uint32_t index) {
  const r123::Philox4x32::ctr_type counter{{index / 2, step, problem, stream}};
  const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const r123::Philox4x32::ctr_type bits = r123::Philox4x32{}(counter, key);
  const Real radius = std::sqrt(Real(-2) * std::log(open_uniform<Real>(bits[0], bits[1])));
  return radius * of_turns(open_uniform<Real>(bits[2], bits[3]), index % 2 == 1);
}

/// Laplace draw number `index` with mean 0 and variance 1, one Philox block each.
template <class Real>
VIDA_FN Real standard_laplace(std::uint64_t seed, std::uint32_t stream, std::uint32_t problem, std::uint32_t step,
                              std::uint32_t index) {
  const r123::Philox4x32::ctr_type counter{{index, step, problem, stream}};
  const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const r123::Philox4x32::ctr_type bits = r123::Philox4x32{}(counter, key);
  const Real magnitude = Real(-0.70710678118654752440) * std::log(open_uniform<Real>(bits[0], bits[1]));
  return bits[2] >> 31 ? magnitude : -magnitude;
}

}  // namespace vida::kernels
