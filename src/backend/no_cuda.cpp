// Stands for the CUDA backend where it is not built, so that every other source is compiled alike for all builds. No
// GPU is ever found, and so none of the launches is called.

#include "adam.cuh"
#include "backend/executor.hpp"
#include "backend/gemm.hpp"
#include "backend/sort.hpp"
#include "ekf.cuh"
#include "ensemble_statistics.cuh"
#include "ensemble_steps.cuh"
#include "filters/all.cuh"
#include "flow.cuh"
#include "gain_backward.cuh"
#include "gaussian_vi.cuh"
#include "images.cuh"
#include "inverse_problems.cuh"
#include "lorenz96_maps.cuh"
#include "mixture_coupling.cuh"
#include "network.cuh"
#include "normals.cuh"
#include "twin.cuh"
#include "vida/error.hpp"

namespace vida {

CudaStatus cuda_status() {
  CudaStatus status;
  status.reason = "this build holds no CUDA kernels";
  return status;
}

namespace cuda {
namespace {
[[noreturn]] void refuse() { throw DeviceError(cuda_status().reason + ". Run with --device cpu."); }
}  // namespace

std::unique_ptr<Executor> make_executor(const DeviceOptions&, int) { refuse(); }

template <class Kernel>
void launch(Executor&, Shape, const Kernel&) {
  refuse();
}

template <class Kernel>
void launch_lanes(Executor&, long, const Kernel&) {
  refuse();
}

template <class Real>
void gemm(Executor&, const GemmCall<Real>&) {
  refuse();
}

template <class Real>
void sort_pairs(Executor&, Real*, std::int32_t*, long) {
  refuse();
}

template void gemm(Executor&, const GemmCall<float>&);
template void gemm(Executor&, const GemmCall<double>&);
template void sort_pairs(Executor&, float*, std::int32_t*, long);
template void sort_pairs(Executor&, double*, std::int32_t*, long);

}  // namespace cuda
}  // namespace vida

#define VIDA_KERNEL(...) \
  template void vida::cuda::launch<__VA_ARGS__>(vida::Executor&, vida::Shape, const __VA_ARGS__&);
#define VIDA_LANE_KERNEL(...) \
  template void vida::cuda::launch_lanes<__VA_ARGS__>(vida::Executor&, long, const __VA_ARGS__&);
#define VIDA_HOST_KERNEL(...)

#include "lorenz96.instances"
#include "twin.instances"

#define VIDA_REAL float
#include "ensemble.instances"
#include "filters.instances"
#include "flow.instances"
#include "gain.instances"
#include "inference.instances"
#include "network.instances"
#undef VIDA_REAL

#define VIDA_REAL double
#include "ensemble.instances"
#include "filters.instances"
#include "flow.instances"
#include "gain.instances"
#include "inference.instances"
#include "network.instances"
#undef VIDA_REAL
