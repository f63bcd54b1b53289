#include "lorenz96_maps.cuh"

#include "backend/host/launch.hpp"

#include "lorenz96.instances"
