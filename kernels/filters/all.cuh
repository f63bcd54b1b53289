#pragma once

// Every filter.

#include "filters/etkf.cuh"
