#include "twin.cuh"

#include "backend/cuda/launch.cuh"

#include "twin.instances"
