#include "twin.cuh"

#include "backend/host/launch.hpp"

#include "twin.instances"
