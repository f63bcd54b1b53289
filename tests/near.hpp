#pragma once

#include <cmath>

#include "vida/array.hpp"

namespace vida::testing {

/// |a - b| / |b| in the Frobenius norm; NaN when either holds one, so that EXPECT_LE on it fails.
template <class A, class B>
double relative_error(const A& a, const B& b) {
  double difference = 0, norm = 0;
  auto other = b.begin();
  if (std::ssize(a) != std::ssize(b)) return NAN;
  for (const auto& value : a) {
    const double expected = static_cast<double>(*other++);
    difference += (static_cast<double>(value) - expected) * (static_cast<double>(value) - expected);
    norm += expected * expected;
  }
  return std::sqrt(difference / norm);
}

inline double relative_error(double a, double b) { return std::abs(a - b) / std::abs(b); }

}  // namespace vida::testing
