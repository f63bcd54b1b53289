#include "backend/cuda/launch.cuh"
#include "filters/all.cuh"

#define VIDA_REAL float
#include "filters.instances"
