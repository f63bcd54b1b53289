#pragma once

#include "team.cuh"

namespace vida::kernels {

/// dv_i/dt of Lorenz-96 from v_{i-2}, v_{i-1}, v_i and v_{i+1}: one subtraction, one fused multiply-subtract, one
/// addition.
template <class Pack, class Real>
VIDA_FN Pack lorenz96_slope(Pack far, Pack behind, Pack here, Pack ahead, Real forcing) {
  return (ahead - far) * behind - here + forcing;
}

}  // namespace vida::kernels
