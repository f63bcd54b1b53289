#include "gaussian_vi.cuh"
#include "inverse_problems.cuh"
#include "normals.cuh"

#include "backend/cuda/launch.cuh"

#define VIDA_REAL float
#include "inference.instances"
#undef VIDA_REAL

#define VIDA_REAL double
#include "inference.instances"
#undef VIDA_REAL
