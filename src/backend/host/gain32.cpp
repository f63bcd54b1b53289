#include "backend/host/launch.hpp"
#include "ekf.cuh"
#include "gain_backward.cuh"

#define VIDA_REAL float
#include "gain.instances"
