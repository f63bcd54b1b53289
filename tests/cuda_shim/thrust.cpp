// Stands in for Thrust's sort: queued on its stream, through the temporary memory that the caller's allocator gave.
// When it runs, keys, values and temporary memory must each lie in one live allocation, and no key may be NaN, which is
// what memory holds before it is written.

#include <thrust/sort.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "memory.hpp"
#include "state.hpp"
#include "streams.hpp"

namespace cuda_shim {

template <class Key>
cudaError_t stable_sort_by_key(cudaStream_t stream, Key* keys, std::int32_t* values, long count, char* temporary) {
  const auto size = static_cast<std::size_t>(count);
  const std::size_t key_bytes = size * sizeof(Key), value_bytes = size * sizeof(std::int32_t);
  return launch_of_library(stream, "stable_sort_by_key", [=] {
    if (!memory::is_valid(keys, key_bytes, "a sort reads keys of") ||
        !memory::is_valid(values, value_bytes, "a sort reads values of") ||
        !memory::is_valid(temporary, key_bytes + value_bytes, "a sort has temporary memory of"))
      return cudaErrorIllegalAddress;
    if (std::any_of(keys, keys + count, [](Key key) { return std::isnan(key); })) {
      report("a sort reads a key that is NaN: never written, or against the precondition");
      return cudaErrorLaunchFailure;
    }
    auto* old_keys = reinterpret_cast<Key*>(temporary);
    auto* old_values = reinterpret_cast<std::int32_t*>(temporary + key_bytes);
    std::memcpy(old_keys, keys, key_bytes);
    std::memcpy(old_values, values, value_bytes);
    std::vector<long> order(size);
    std::iota(order.begin(), order.end(), 0L);
    std::stable_sort(order.begin(), order.end(), [&](long a, long b) { return old_keys[a] < old_keys[b]; });
    for (std::size_t i = 0; i < size; ++i) {
      keys[i] = old_keys[order[i]];
      values[i] = old_values[order[i]];
    }
    return cudaSuccess;
  });
}

template cudaError_t stable_sort_by_key(cudaStream_t, float*, std::int32_t*, long, char*);
template cudaError_t stable_sort_by_key(cudaStream_t, double*, std::int32_t*, long, char*);

}  // namespace cuda_shim
