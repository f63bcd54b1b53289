#pragma once

// Every filter.

#include "filters/deterministic_enkf.cuh"
#include "filters/etkf.cuh"
#include "filters/letkf.cuh"
#include "filters/serial.cuh"
#include "filters/stochastic_enkf.cuh"
