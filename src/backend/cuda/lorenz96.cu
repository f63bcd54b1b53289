#include "lorenz96_maps.cuh"

#include "backend/cuda/launch.cuh"

#include "lorenz96.instances"
