#pragma once

// The device side: keywords, indices, the barrier and the launch.

#include <cstdint>
#include <memory>
#include <tuple>
#include <typeinfo>

#include "cuda_runtime_api.h"

#define __global__
#define __device__
#define __host__
#define __shared__
#define __launch_bounds__(...)
#define __grid_constant__

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
};

namespace cuda_shim {

/// A kernel with its arguments.
struct Call {
  const void* function;
  const std::type_info* type;              // of the first parameter: vida's kernels are told apart by it
  std::shared_ptr<const void> parameters;  // lanes may read them
  std::size_t parameter_bytes;
  void (*lane)(const void* function, const void* parameters);
};
cudaError_t launch(const cudaLaunchConfig_t& config, Call call);

}  // namespace cuda_shim

extern dim3 threadIdx, blockIdx, blockDim, gridDim;  // of the lane that runs
void __syncthreads();

template <class First, class... Rest, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*function)(First, Rest...),
                               Arguments&&... arguments) {
  using Parameters = std::tuple<First, Rest...>;
  const auto lane = [](const void* kernel, const void* parameters) {
    std::apply(reinterpret_cast<void (*)(First, Rest...)>(const_cast<void*>(kernel)),
               *static_cast<const Parameters*>(parameters));
  };
  return cuda_shim::launch(
      *config, {reinterpret_cast<const void*>(function), &typeid(First),
                std::make_shared<const Parameters>(std::forward<Arguments>(arguments)...), sizeof(Parameters), lane});
}
