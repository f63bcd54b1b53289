#include "inference/diagnostics/incomplete_gamma.hpp"

#include <cmath>
#include <limits>

namespace vida {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

/// P(a, x) = x^a e^-x sum_k x^k / Gamma(a + k + 1) (DLMF 8.7.1); its terms fall from the start when x < a + 1.
double lower_series(double a, double x, double log_front) {
  double term = 1 / a, sum = term;
  for (double k = 1; term > kEpsilon * sum; ++k) sum += term *= x / (a + k);
  return sum * std::exp(log_front);
}

/// Q(a, x) by the continued fraction DLMF 8.9.2, evaluated forward (Lentz 1976).
double upper_fraction(double a, double x, double log_front) {
  constexpr double kTiny = std::numeric_limits<double>::min() / kEpsilon;
  double b = x + 1 - a, c = 1 / kTiny, d = 1 / b, value = d;
  for (double k = 1; k < 100000; ++k) {
    const double numerator = -k * (k - a);
    b += 2;
    d = numerator * d + b;
    if (std::abs(d) < kTiny) d = kTiny;
    c = b + numerator / c;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    value *= c * d;
    if (std::abs(c * d - 1) < kEpsilon) break;
  }
  return value * std::exp(log_front);
}

}  // namespace

double upper_incomplete_gamma(double a, double x) {
  if (x <= 0) return 1;
  const double log_front = a * std::log(x) - x - std::lgamma(a);
  return x < a + 1 ? 1 - lower_series(a, x, log_front) : upper_fraction(a, x, log_front);
}

}  // namespace vida
