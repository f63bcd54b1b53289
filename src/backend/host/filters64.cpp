#include "backend/host/launch.hpp"
#include "filters/all.cuh"

#define VIDA_REAL double
#include "filters.instances"
