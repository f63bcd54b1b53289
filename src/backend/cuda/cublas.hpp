#pragma once

#include <cublas_v2.h>

namespace vida::cuda {

/// The calls of cuBLAS that vida makes.
struct Cublas {
  cublasStatus_t (*create)(cublasHandle_t* handle);
  cublasStatus_t (*destroy)(cublasHandle_t handle);
  cublasStatus_t (*set_stream)(cublasHandle_t handle, cudaStream_t stream);
  cublasStatus_t (*set_math_mode)(cublasHandle_t handle, cublasMath_t mode);
  decltype(&cublasSgemmStridedBatched) gemm_float32;
  decltype(&cublasDgemmStridedBatched) gemm_float64;
};

/// Loads the library on first use: linked, it would stop the program where it is absent, and cost time at every start.
/// Throws DeviceError when there is none.
const Cublas& cublas();

}  // namespace vida::cuda
