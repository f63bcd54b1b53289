#pragma once

#include "random.cuh"

namespace vida::kernels {

inline constexpr long kNormalBlock = 256;  // draws of an item

/// values[k, i] = standard normal number k of draw first + i, a pure function of (seed, stream, step, draw, k);
/// item = block of draws. With a clock its value is added to the step, so that a recorded launch draws anew each time.
template <class Real>
struct StandardNormals {
  Real* values;  // [rows, stride]
  long rows, stride, count, first;
  std::uint64_t seed;
  std::uint32_t stream, step;
  const std::uint32_t* clock = nullptr;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const std::uint32_t number = step + (clock ? *clock : 0);
    const long begin = item * kNormalBlock;
    const long size = count - begin < kNormalBlock ? count - begin : kNormalBlock;
    for (long e = team.rank(); e < rows * size; e += team.size()) {
      const long k = e / size, draw = begin + e % size;
      values[k * stride + draw] = standard_normal<Real>(seed, stream, static_cast<std::uint32_t>(first + draw), number,
                                                        static_cast<std::uint32_t>(k));
    }
  }
};

}  // namespace vida::kernels
