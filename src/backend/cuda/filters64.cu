#include "backend/cuda/launch.cuh"
#include "filters/all.cuh"

#define VIDA_REAL double
#include "filters.instances"
