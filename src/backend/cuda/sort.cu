#include "backend/sort.hpp"

#include <thrust/sort.h>
#include <thrust/system/cuda/execution_policy.h>
#include <thrust/system_error.h>

#include "backend/cuda/check.hpp"
#include "backend/cuda/executor.hpp"

namespace vida::cuda {
namespace {

/// Temporary memory of Thrust. What the executor throws passes through Thrust, and release waits for the queued sort.
struct TemporaryMemory {
  using value_type = char;
  CudaExecutor& gpu;
  char* allocate(std::size_t bytes) { return static_cast<char*>(gpu.allocate(bytes)); }
  void deallocate(char* memory, std::size_t) noexcept { gpu.release(memory); }
};

}  // namespace

template <class Real>
void sort_pairs(Executor& executor, Real* keys, std::int32_t* values, long count) {
  auto& gpu = static_cast<CudaExecutor&>(executor);
  gpu.make_current();
  TemporaryMemory temporary{gpu};
  try {
    thrust::stable_sort_by_key(thrust::cuda::par_nosync(temporary).on(gpu.stream()), keys, keys + count, values);
  } catch (const thrust::system_error& error) {
    check(static_cast<cudaError_t>(error.code().value()), "launching a kernel that sorts");
  }
}

template void sort_pairs(Executor&, float*, std::int32_t*, long);
template void sort_pairs(Executor&, double*, std::int32_t*, long);

}  // namespace vida::cuda
