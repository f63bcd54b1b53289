#pragma once

// Every filter.

#include "filters/enkf_n.cuh"
#include "filters/enkf_n_dual.cuh"
#include "filters/etkf.cuh"
#include "filters/ienks.cuh"
