#pragma once

#include <cstdint>

#include "backend/executor.hpp"

namespace vida {

namespace host {
template <class Real>
void sort_pairs(Executor& executor, Real* keys, std::int32_t* values, long count);
}
namespace cuda {
template <class Real>
void sort_pairs(Executor& executor, Real* keys, std::int32_t* values, long count);
}

/// Sorts keys [count] in ascending order, in place, and moves values [count] along; both lie in device memory. Equal
/// keys (zeros of either sign are equal) keep their order, so that every backend gives the same bits. Keys may be
/// infinite but not NaN. Ordered with launches; not to be recorded, since it takes temporary memory: as much as it
/// sorts on a GPU, some three times that on the CPU, where one thread does it. On a GPU this is Thrust's radix sort.
/// Throws OutOfMemory or DeviceError.
template <class Real>
void sort_pairs(Executor& executor, Real* keys, std::int32_t* values, long count) {
  if (count < 2) return;
  if (executor.is_cuda()) return cuda::sort_pairs(executor, keys, values, count);
  host::sort_pairs(executor, keys, values, count);
}

}  // namespace vida
