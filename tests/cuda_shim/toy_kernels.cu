#include "toy_kernels.hpp"

#include <cuda_runtime.h>

namespace vida::cuda {
extern __shared__ double vida_shared_memory[];
}

namespace toy {
namespace {

__device__ int ran = 0;

__device__ void sum(const Arguments& a, bool with_barrier) {
  double* shared = vida::cuda::vida_shared_memory;
  const int lane = static_cast<int>(threadIdx.x), lanes = static_cast<int>(blockDim.x);
  shared[lane] = a.in[lane];
  if (with_barrier) __syncthreads();
  if (lane == 0) {
    double total = 0;
    for (int i = 0; i < lanes; ++i) total += shared[i];
    a.out[0] = total;
  }
}

__global__ void run(const Arguments a) {
  double* shared = vida::cuda::vida_shared_memory;
  const int lane = static_cast<int>(threadIdx.x), lanes = static_cast<int>(blockDim.x);
  switch (a.kind) {
    case Kind::sum:
      sum(a, true);
      break;
    case Kind::sum_without_barrier:
      sum(a, false);
      break;
    case Kind::every_lane_writes:
      a.out[0] = 1;
      break;
    case Kind::every_block_writes:
      if (lane == 0) a.out[0] = 1;
      break;
    case Kind::two_barriers:
      if (lane < 3)
        __syncthreads();
      else
        __syncthreads();
      break;
    case Kind::early_return:
      if (lane > 0) __syncthreads();
      break;
    case Kind::first_of_shared:
      a.out[lane] = shared[lane];
      break;
    case Kind::beyond_shared:
      if (lane == 0) shared[a.n] = 1;
      break;
    case Kind::beyond_device:
      if (lane == 0) a.out[a.n] = 1;
      break;
    case Kind::reads_in:
      a.out[lane] = a.in[lane];
      break;
    case Kind::order:
      a.out[lane] = ran++ % lanes;
      break;
    case Kind::twice:
      a.out[lane] = a.in[lane];
      __syncthreads();
      a.out[lane] += a.in[(lane + 1) % lanes];
      break;
  }
}

}  // namespace

cudaError_t launch(const Arguments& arguments, int blocks, int lanes, std::size_t shared, cudaStream_t stream) {
  cudaLaunchConfig_t config{};
  config.gridDim = {static_cast<unsigned>(blocks)};
  config.blockDim = {static_cast<unsigned>(lanes)};
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, &run, arguments);
}

cudaError_t opt_in(std::size_t shared) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(&run), cudaFuncAttributeMaxDynamicSharedMemorySize,
                              static_cast<int>(shared));
}

}  // namespace toy
