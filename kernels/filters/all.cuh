#pragma once

// Every filter.

#include "filters/deterministic_enkf.cuh"
#include "filters/enkf_n.cuh"
#include "filters/enkf_n_dual.cuh"
#include "filters/etkf.cuh"
#include "filters/fixed_gain.cuh"
#include "filters/ienks.cuh"
#include "filters/kalman.cuh"
#include "filters/letkf.cuh"
#include "filters/serial.cuh"
#include "filters/stochastic_enkf.cuh"
