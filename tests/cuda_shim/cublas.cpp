// Stands in for src/backend/cuda/cublas.cpp: products as plain loops, queued on the stream of the handle. Each call
// checks its handle, extents, leading dimensions and, when it runs, that every matrix lies in one live allocation.

#include "backend/cuda/cublas.hpp"

#include <execinfo.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "backend/gemm.hpp"
#include "memory.hpp"
#include "state.hpp"
#include "streams.hpp"

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace cuda_shim {
namespace {

std::set<cublasHandle_t>& handles() {
  static std::set<cublasHandle_t> all;
  return all;
}

cublasStatus_t refuse(cublasStatus_t status, const std::string& finding) {
  report("cuBLAS: " + finding);
  return status;
}

/// Where the call of vida::gemm stands, which is inlined into its driver: the first frame outside the backend's own
/// files.
const void* call_site() {
  void* frames[12] = {};
  const int count = backtrace(frames, 12);
  for (int i = 1; i < count; ++i) {
    const std::string place = place_of(frames[i], 1);
    if (!place.starts_with("cublas.cpp") && !place.starts_with("gemm.cpp")) return frames[i];
  }
  return frames[count - 1];
}

template <class Real>
[[gnu::noinline]] cublasStatus_t multiply(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                                          int m, int n, int k, const Real* alpha, const Real* A, int lda,
                                          long long stride_a, const Real* B, int ldb, long long stride_b,
                                          const Real* beta, Real* C, int ldc, long long stride_c, int batch) {
  if (!handles().contains(handle)) return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
  if (!handle->stream || !streams::exists(handle->stream))
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "the handle has no stream of its own");
  const bool swapped = is_mutated("transpose", call_site());
  if (swapped) transa = transa == CUBLAS_OP_N ? CUBLAS_OP_T : CUBLAS_OP_N;
  const bool a_as_is = transa == CUBLAS_OP_N, b_as_is = transb == CUBLAS_OP_N;
  const int rows_a = a_as_is ? m : k, rows_b = b_as_is ? k : n;
  if (m < 0 || n < 0 || k < 0 || batch < 0)
    return refuse(CUBLAS_STATUS_INVALID_VALUE, fmt::format("{} matrices of {} x {} x {}", batch, m, n, k));
  if (lda < std::max(1, rows_a) || ldb < std::max(1, rows_b) || ldc < std::max(1, m)) {
    if (swapped) return CUBLAS_STATUS_INVALID_VALUE;
    return refuse(CUBLAS_STATUS_INVALID_VALUE,
                  fmt::format("leading dimensions {}, {}, {} of columns with {}, {}, {} numbers", lda, ldb, ldc, rows_a,
                              rows_b, m));
  }
  const Real scale = *alpha, keep = *beta;
  const auto run = [=] {
    const auto is_valid = [&](const Real* data, int rows, int columns, int ld, long long stride, const char* what) {
      const long long count = stride * (batch - 1) + static_cast<long long>(ld) * (columns - 1) + rows;
      return count <= 0 || memory::is_valid(data, static_cast<std::size_t>(count) * sizeof(Real), what);
    };
    if (!is_valid(A, rows_a, a_as_is ? k : m, lda, stride_a, "a matrix product reads") ||
        !is_valid(B, rows_b, b_as_is ? n : k, ldb, stride_b, "a matrix product reads") ||
        !is_valid(C, m, n, ldc, stride_c, "a matrix product writes"))
      return cudaErrorIllegalAddress;
    for (int matrix = 0; matrix < batch; ++matrix) {
      const Real *a = A + matrix * stride_a, *b = B + matrix * stride_b;
      for (long j = 0; j < n; ++j)
        for (long i = 0; i < m; ++i) {
          Real& to = C[matrix * stride_c + j * ldc + i];
          for (long first = 0; first == 0 || first < k; first += vida::kGemmShard) {  // in the order of the CPU backend
            Real sum = 0;
            for (long l = first; l < std::min<long>(k, first + vida::kGemmShard); ++l)
              sum += (a_as_is ? a[l * lda + i] : a[i * lda + l]) * (b_as_is ? b[j * ldb + l] : b[l * ldb + j]);
            const Real old = first ? to : keep != 0 ? keep * to : Real(0);
            to = scale * sum + old;
          }
        }
    }
    return cudaSuccess;
  };
  return streams::add(handle->stream, {run, nullptr}) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                                     : CUBLAS_STATUS_EXECUTION_FAILED;
}

cublasStatus_t create(cublasHandle_t* handle) {
  if (current.devices < 1) return CUBLAS_STATUS_NOT_INITIALIZED;
  handles().insert(*handle = new cublasContext);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t destroy(cublasHandle_t handle) {
  if (!handles().erase(handle)) return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_stream(cublasHandle_t handle, cudaStream_t stream) {
  if (!handles().contains(handle)) return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
  if (!stream) return refuse(CUBLAS_STATUS_INVALID_VALUE, "the default stream synchronises with every other one");
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_math_mode(cublasHandle_t handle, cublasMath_t mode) {
  if (!handles().contains(handle)) return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
  return mode == CUBLAS_DEFAULT_MATH ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

}  // namespace
}  // namespace cuda_shim

extern "C" {

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                                         int m, int n, int k, const float* alpha, const float* A, int lda,
                                         long long stride_a, const float* B, int ldb, long long stride_b,
                                         const float* beta, float* C, int ldc, long long stride_c, int batch) {
  return cuda_shim::multiply(handle, transa, transb, m, n, k, alpha, A, lda, stride_a, B, ldb, stride_b, beta, C, ldc,
                             stride_c, batch);
}

cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                                         int m, int n, int k, const double* alpha, const double* A, int lda,
                                         long long stride_a, const double* B, int ldb, long long stride_b,
                                         const double* beta, double* C, int ldc, long long stride_c, int batch) {
  return cuda_shim::multiply(handle, transa, transb, m, n, k, alpha, A, lda, stride_a, B, ldb, stride_b, beta, C, ldc,
                             stride_c, batch);
}

}  // extern "C"

namespace vida::cuda {

const Cublas& cublas() {
  static const Cublas table{cuda_shim::create,        cuda_shim::destroy,        cuda_shim::set_stream,
                            cuda_shim::set_math_mode, cublasSgemmStridedBatched, cublasDgemmStridedBatched};
  return table;
}

}  // namespace vida::cuda
