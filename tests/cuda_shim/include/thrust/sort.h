#pragma once

// The part of Thrust that vida's backend uses, for tests on machines without a GPU.

#include <thrust/system/cuda/execution_policy.h>
#include <thrust/system_error.h>

#include <cstdint>

namespace cuda_shim {

/// Queues the sort of `count` pairs, which goes through temporary memory of count x (sizeof key + sizeof value) bytes.
template <class Key>
cudaError_t stable_sort_by_key(cudaStream_t stream, Key* keys, std::int32_t* values, long count, char* temporary);

}  // namespace cuda_shim

namespace thrust {

template <class Allocator, class Key>
void stable_sort_by_key(const cuda::QueuedPolicy<Allocator>& policy, Key* first, Key* last, std::int32_t* values) {
  const long count = last - first;
  const std::size_t bytes = static_cast<std::size_t>(count) * (sizeof(Key) + sizeof(std::int32_t));
  char* temporary = policy.allocator.allocate(bytes);
  const cudaError_t error = cuda_shim::stable_sort_by_key(policy.stream, first, values, count, temporary);
  policy.allocator.deallocate(temporary, bytes);
  if (error != cudaSuccess) throw system_error(error, std::system_category(), "radix_sort");
}

}  // namespace thrust
