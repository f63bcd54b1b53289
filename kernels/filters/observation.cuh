#pragma once

// The function of an observation operator h(v) = f(H v).

#include "pack_math.cuh"

namespace vida::kernels {

/// f, in the order of vida::ObservationFunction.
enum class ObservationKind : int { identity, square, cube, absolute, exponential };

template <class Pack>
VIDA_FN Pack observe_value(ObservationKind kind, Pack x) {
  switch (kind) {
    case ObservationKind::identity:
      return x;
    case ObservationKind::square:
      return x * x;
    case ObservationKind::cube:
      return x * x * x;
    case ObservationKind::absolute:
      return pack_abs(x);
    case ObservationKind::exponential:
      return pack_exp(x);
  }
  return x;
}

/// f' at x.
template <class Real>
VIDA_FN Real observe_slope(ObservationKind kind, Real x) {
  switch (kind) {
    case ObservationKind::identity:
      return Real(1);
    case ObservationKind::square:
      return Real(2) * x;
    case ObservationKind::cube:
      return Real(3) * x * x;
    case ObservationKind::absolute:
      return x < Real(0) ? Real(-1) : Real(1);
    case ObservationKind::exponential:
      return pack_exp(x);
  }
  return Real(1);
}

}  // namespace vida::kernels
