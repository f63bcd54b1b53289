#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <type_traits>

#include "backend/cuda/check.hpp"
#include "backend/cuda/executor.hpp"
#include "backend/cuda/team.cuh"

namespace vida::cuda {

inline constexpr int kLanes = 128;         // of a block, at most
inline constexpr int kBlocksTogether = 4;  // of a multiprocessor, which leaves 128 registers for each lane

/// Scratch in shared memory, one item a block. A kernel of its own, so that the compiler knows the addresses as shared;
/// without a loop over items, whose invariants it would keep in registers; and the parameter is read where it lies, not
/// from a copy on the stack.
template <class Kernel>
__global__ void __launch_bounds__(kLanes, kBlocksTogether) team_kernel(const __grid_constant__ Kernel kernel) {
  kernel(Team(), static_cast<long>(blockIdx.x));
}

/// Scratch in device memory, for what does not fit.
template <class Kernel>
__global__ void __launch_bounds__(kLanes)
    spilled_kernel(const __grid_constant__ Kernel kernel, long items, std::byte* scratch, std::size_t bytes) {
  const SpilledTeam team(scratch + blockIdx.x * bytes);
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
  const std::size_t bytes = shape.scratch_bytes;
  if (bytes > gpu.shared_limit()) {
    const long blocks = std::min(shape.items, gpu.concurrent_teams());
    const auto each = static_cast<std::size_t>(round_up(static_cast<long>(bytes), 256));
    std::byte* spill = gpu.spill(each * static_cast<std::size_t>(blocks));
    return enqueue(gpu, &spilled_kernel<Kernel>, blocks, shape.lanes, 0, kernel, shape.items, spill, each);
  }
  if (bytes > 48 * 1024)
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(&team_kernel<Kernel>),
                               cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          "reserving shared memory");
  enqueue(gpu, &team_kernel<Kernel>, shape.items, shape.lanes, bytes, kernel);
}

template <class Kernel>
void launch_lanes(Executor& executor, long members, const Kernel& kernel) {
  static_assert(std::is_trivially_copyable_v<Kernel>);
  auto& gpu = static_cast<CudaExecutor&>(executor);
  gpu.make_current();
  enqueue(gpu, &lane_kernel<Kernel>, std::min((members + kLanes - 1) / kLanes, 1L << 30), kLanes, 0, kernel, members);
}

}  // namespace vida::cuda

#define VIDA_KERNEL(...) \
  template void vida::cuda::launch<__VA_ARGS__>(vida::Executor&, vida::Shape, const __VA_ARGS__&);
#define VIDA_LANE_KERNEL(...) \
  template void vida::cuda::launch_lanes<__VA_ARGS__>(vida::Executor&, long, const __VA_ARGS__&);
#define VIDA_HOST_KERNEL(...)
