#include "filtering/factor.hpp"

#include <algorithm>
#include <cmath>

namespace vida {

Matrix lower_factor(const Matrix& matrix) {
  const long n = matrix.extent(0);
  Matrix L({n, n});
  double scale = 0;
  for (long i = 0; i < n; ++i) scale = std::max(scale, matrix(i, i));
  for (long k = 0; k < n; ++k) {
    double pivot = matrix(k, k);
    for (long c = 0; c < k; ++c) pivot -= L(k, c) * L(k, c);
    if (pivot <= 1e-14 * scale) continue;
    L(k, k) = std::sqrt(pivot);
    for (long i = k + 1; i < n; ++i) {
      double sum = matrix(i, k);
      for (long c = 0; c < k; ++c) sum -= L(i, c) * L(k, c);
      L(i, k) = sum / L(k, k);
    }
  }
  return L;
}

}  // namespace vida
