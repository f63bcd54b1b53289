#pragma once

// Every filter.

#include "filters/etkf.cuh"
#include "filters/particle.cuh"
