#include "flow.cuh"

#include "adam.cuh"
#include "backend/cuda/launch.cuh"

#define VIDA_REAL float
#include "flow.instances"
#undef VIDA_REAL

#define VIDA_REAL double
#include "flow.instances"
#undef VIDA_REAL
