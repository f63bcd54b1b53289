#include "ensemble_statistics.cuh"
#include "ensemble_steps.cuh"

#include "backend/cuda/launch.cuh"

#define VIDA_REAL float
#include "ensemble.instances"
#undef VIDA_REAL

#define VIDA_REAL double
#include "ensemble.instances"
#undef VIDA_REAL
