#pragma once

// Every filter.

#include "filters/etkf.cuh"
#include "filters/fixed_gain.cuh"
#include "filters/kalman.cuh"
