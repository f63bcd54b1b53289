#include "backend/cuda/launch.cuh"
#include "ekf.cuh"
#include "gain_backward.cuh"

#define VIDA_REAL double
#include "gain.instances"
