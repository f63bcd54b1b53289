#include "backend/gemm.hpp"

#include <fmt/format.h>

#include <type_traits>

#include "backend/cuda/cublas.hpp"
#include "backend/cuda/executor.hpp"
#include "vida/error.hpp"

namespace vida::cuda {
namespace {

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const auto code = static_cast<int>(status);
  if (status == CUBLAS_STATUS_ALLOC_FAILED)
    throw OutOfMemory(fmt::format("{}: cuBLAS is out of GPU memory (status {}). Use a smaller batch.", what, code));
  throw DeviceError(fmt::format("{}: cuBLAS failed with status {}; --device cpu runs without the GPU.", what, code));
}

/// The executor's handle, bound to its stream.
cublasHandle_t handle_of(CudaExecutor& gpu) {
  std::shared_ptr<void>& kept = gpu.library();
  if (!kept) {
    const Cublas& library = cublas();
    cublasHandle_t handle = nullptr;
    check(library.create(&handle), "starting cuBLAS");
    kept = std::shared_ptr<void>(handle, [&library](void* h) { library.destroy(static_cast<cublasHandle_t>(h)); });
    check(library.set_stream(handle, gpu.stream()), "giving cuBLAS a stream");
    check(library.set_math_mode(handle, CUBLAS_DEFAULT_MATH), "turning TF32 off");  // the default, said aloud
  }
  return static_cast<cublasHandle_t>(kept.get());
}

}  // namespace

/// cuBLAS is column-major: a row-major matrix is its transpose there, so C' = op(B)' op(A)' is what it computes.
template <class Real>
void gemm(Executor& executor, const GemmCall<Real>& call) {
  auto& gpu = static_cast<CudaExecutor&>(executor);
  gpu.make_current();
  const cublasHandle_t handle = handle_of(gpu);
  const auto op = [](const auto& operand) { return operand.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const bool by_group = call.groups > call.batch;  // one call takes the longer of the two axes
  const long calls = by_group ? call.batch : call.groups, count = by_group ? call.groups : call.batch;
  const auto step = [&](const auto& x) { return by_group ? x.stride : x.group_stride; };
  const auto within = [&](const auto& x) { return by_group ? x.group_stride : x.stride; };
  for (long i = 0; i < calls; ++i) {
    const auto multiply = [&](auto function) {
      check(
          function(handle, op(call.b), op(call.a), call.n, call.m, call.k, &call.alpha, call.b.data + i * step(call.b),
                   static_cast<int>(call.b.ld), within(call.b), call.a.data + i * step(call.a),
                   static_cast<int>(call.a.ld), within(call.a), &call.beta, call.c.data + i * step(call.c),
                   static_cast<int>(call.c.ld), within(call.c), static_cast<int>(count)),
          "multiplying matrices");
    };
    if constexpr (std::is_same_v<Real, float>)
      multiply(cublas().gemm_float32);
    else
      multiply(cublas().gemm_float64);
  }
}

template void gemm(Executor&, const GemmCall<float>&);
template void gemm(Executor&, const GemmCall<double>&);

}  // namespace vida::cuda
