#include "scratch_kernel.hpp"

#include "backend/cuda/launch.cuh"

VIDA_KERNEL(vida::kernels::Neighbours)
