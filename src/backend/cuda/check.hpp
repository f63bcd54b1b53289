#pragma once

#include <cuda_runtime_api.h>

#include "vida/error.hpp"

namespace vida::cuda {

/// Turns a CUDA status into a typed error that names the call: OutOfMemory or DeviceError.
void check(cudaError_t status, const char* what);

}  // namespace vida::cuda
