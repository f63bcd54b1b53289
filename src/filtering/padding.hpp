#pragma once

#include <vector>

#include "vida/array.hpp"

namespace vida {

/// Copies a dense matrix into rows of leading dimension ld, converting the element type.
template <class Real>
void pad(View<const double, 2> from, long ld, Real* to) {
  for (long i = 0; i < from.extent(0); ++i)
    for (long j = 0; j < from.extent(1); ++j) to[i * ld + j] = static_cast<Real>(from(i, j));
}

/// The dense [rows, columns] matrix in padded storage.
template <class Real>
Matrix unpadded(const Real* from, long rows, long columns, long ld) {
  Matrix to({rows, columns});
  for (long i = 0; i < rows; ++i)
    for (long j = 0; j < columns; ++j) to(i, j) = static_cast<double>(from[i * ld + j]);
  return to;
}

}  // namespace vida
