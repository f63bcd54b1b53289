#include "network.cuh"

#include "backend/host/launch.hpp"
#include "images.cuh"
#include "mixture_coupling.cuh"

#define VIDA_REAL float
#include "network.instances"
#undef VIDA_REAL

#define VIDA_REAL double
#include "network.instances"
#undef VIDA_REAL
