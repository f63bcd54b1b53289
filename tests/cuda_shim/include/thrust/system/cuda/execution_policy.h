#pragma once

// The one policy of Thrust that vida uses: queued on a stream, with temporary memory from an allocator.

#include <cuda_runtime_api.h>

namespace thrust::cuda {

template <class Allocator>
struct QueuedPolicy {
  Allocator& allocator;
  cudaStream_t stream = nullptr;
  QueuedPolicy on(cudaStream_t its_stream) const { return {allocator, its_stream}; }
};

struct Queued {
  template <class Allocator>
  QueuedPolicy<Allocator> operator()(Allocator& allocator) const {
    return {allocator};
  }
};
inline constexpr Queued par_nosync;

}  // namespace thrust::cuda
