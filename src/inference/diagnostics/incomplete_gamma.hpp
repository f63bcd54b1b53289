#pragma once

namespace vida {

/// Regularised upper incomplete gamma function Q(a, x), a > 0, x >= 0, to about 1e-14. The upper tail of chi-square
/// with n degrees of freedom is Q(n / 2, x / 2).
double upper_incomplete_gamma(double a, double x);

}  // namespace vida
