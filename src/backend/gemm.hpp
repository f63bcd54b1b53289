#pragma once

#include "backend/executor.hpp"

namespace vida {

/// Sums over k run in shards of this many terms, which are added in index order: a sum that is cut at multiples of it
/// and continued with beta = 1 gives the same bits on the CPU.
inline constexpr int kGemmShard = 256;

/// C <- alpha op(A) op(B) + beta C for a batch of row-major matrices in device memory; C overlaps neither A nor B.
/// op(A) is [m, k], op(B) [k, n], C [m, n]. A "transposed" operand is stored the other way round. Leading dimensions
/// are the distances of stored rows. With beta = 0, C need not hold numbers.
template <class RealType>
struct GemmCall {
  using Real = RealType;
  struct Operand {
    const Real* data = nullptr;
    long ld = 0;
    bool transposed = false;
    long stride = 0;        // from one matrix of a group to the next; 0: all share it
    long group_stride = 0;  // from one group to the next
  };
  struct Result {
    Real* data = nullptr;
    long ld = 0;
    long stride = 0;
    long group_stride = 0;
  };
  int m = 0, n = 0, k = 0;
  Operand a{}, b{};
  Result c{};
  int batch = 1;    // matrices of a group
  long groups = 1;  // problems
  Real alpha = 1, beta = 0;
};

namespace host {
template <class Real>
void gemm(Executor& executor, const GemmCall<Real>& call);
}
namespace cuda {
template <class Real>
void gemm(Executor& executor, const GemmCall<Real>& call);
}

/// Matrix products, ordered with launches. On the CPU an element of C depends on its own row of A and column of B
/// alone, for any batch and number of threads, and for any m and n (but A B' with m or n up to 4 adds in an order of
/// its own). On a GPU this is cuBLAS, without TF32: the same call gives the same bits, calls of other shapes agree to
/// rounding. Throws DeviceError when cuBLAS cannot be loaded or fails.
template <class Real>
[[gnu::always_inline]] inline void gemm(Executor& executor, const GemmCall<Real>& call) {
  if (call.m == 0 || call.n == 0 || call.batch == 0 || call.groups == 0) return;
  if (executor.is_cuda()) return cuda::gemm(executor, call);
  host::gemm(executor, call);
}

}  // namespace vida
