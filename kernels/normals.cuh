#pragma once

#include "random.cuh"

namespace vida::kernels {

inline constexpr long kNormalBlock = 256;  // draws of an item

/// values[k, i] = standard normal number k of draw first + i, a pure function of (seed, stream, step, draw, k);
/// item = block of draws.
template <class Real>
struct StandardNormals {
  Real* values;  // [rows, stride]
  long rows, stride, count, first;
  std::uint64_t seed;
  std::uint32_t stream, step;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const long begin = item * kNormalBlock;
    const long size = count - begin < kNormalBlock ? count - begin : kNormalBlock;
    for (long e = team.rank(); e < rows * size; e += team.size()) {
      const long k = e / size, draw = begin + e % size;
      values[k * stride + draw] = standard_normal<Real>(seed, stream, static_cast<std::uint32_t>(first + draw), step,
                                                        static_cast<std::uint32_t>(k));
    }
  }
};

}  // namespace vida::kernels
