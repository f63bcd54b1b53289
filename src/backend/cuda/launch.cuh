#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <type_traits>

#include "backend/cuda/check.hpp"
#include "backend/cuda/executor.hpp"
#include "backend/cuda/team.cuh"

namespace vida::cuda {

/// All shared memory of the backend is declared in this one place.
__device__ inline std::byte* shared_memory() {
  extern __shared__ double vida_shared_memory[];
  return reinterpret_cast<std::byte*>(vida_shared_memory);
}

template <class Kernel>
__global__ void team_kernel(const Kernel kernel, long items, std::byte* spill, std::size_t spill_bytes) {
  std::byte* scratch = spill ? spill + blockIdx.x * spill_bytes : shared_memory();
  const Team team(scratch);
  for (long item = blockIdx.x; item < items; item += gridDim.x) {
    kernel(team, item);
    team.sync();  // the next item reuses the scratch
  }
}

template <class Kernel>
__global__ void lane_kernel(const Kernel kernel, long members) {
  for (long member = blockIdx.x * static_cast<long>(blockDim.x) + threadIdx.x; member < members;
       member += static_cast<long>(gridDim.x) * blockDim.x)
    kernel(Lanes(member));
}

template <class... Parameters, class... Arguments>
void enqueue(CudaExecutor& gpu, void (*function)(Parameters...), long blocks, int lanes, std::size_t shared,
             Arguments... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(lanes));
  config.dynamicSmemBytes = shared;
  config.stream = gpu.stream();
  check(cudaLaunchKernelEx(&config, function, arguments...), "launching a kernel");
  check(cudaGetLastError(), "launching a kernel");
}

template <class Kernel>
void launch(Executor& executor, Shape shape, const Kernel& kernel) {
  static_assert(std::is_trivially_copyable_v<Kernel>);
  auto& gpu = static_cast<CudaExecutor&>(executor);
  gpu.make_current();
  const bool fits = shape.scratch_bytes <= gpu.shared_limit();
  const long blocks = std::min(shape.items, fits ? 1L << 30 : gpu.concurrent_teams());
  const std::size_t spill_bytes =
      fits ? 0 : static_cast<std::size_t>(round_up(static_cast<long>(shape.scratch_bytes), 256));
  std::byte* spill = fits ? nullptr : gpu.spill(spill_bytes * static_cast<std::size_t>(blocks));
  const std::size_t shared = fits ? shape.scratch_bytes : 0;
  if (shared > 48 * 1024)
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(&team_kernel<Kernel>),
                               cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)),
          "reserving shared memory");
  enqueue(gpu, &team_kernel<Kernel>, blocks, shape.lanes, shared, kernel, shape.items, spill, spill_bytes);
}

template <class Kernel>
void launch_lanes(Executor& executor, long members, const Kernel& kernel) {
  static_assert(std::is_trivially_copyable_v<Kernel>);
  auto& gpu = static_cast<CudaExecutor&>(executor);
  gpu.make_current();
  constexpr int kLanes = 128;
  enqueue(gpu, &lane_kernel<Kernel>, std::min((members + kLanes - 1) / kLanes, 1L << 30), kLanes, 0, kernel, members);
}

}  // namespace vida::cuda

#define VIDA_KERNEL(...) \
  template void vida::cuda::launch<__VA_ARGS__>(vida::Executor&, vida::Shape, const __VA_ARGS__&);
#define VIDA_LANE_KERNEL(...) \
  template void vida::cuda::launch_lanes<__VA_ARGS__>(vida::Executor&, long, const __VA_ARGS__&);
