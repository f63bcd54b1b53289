#include "flow.cuh"

#include "adam.cuh"
#include "backend/host/launch.hpp"

#define VIDA_REAL float
#include "flow.instances"
#undef VIDA_REAL

#define VIDA_REAL double
#include "flow.instances"
#undef VIDA_REAL
