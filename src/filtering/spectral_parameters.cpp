#include <cmath>
#include <complex>
#include <numbers>

#include "filtering/model_data.hpp"

namespace vida {

std::vector<double> spectral_parameters(const KuramotoSivashinsky& model) {
  using Complex = std::complex<double>;
  const int waves = model.n / 2 + 1;
  std::vector<double> values(static_cast<std::size_t>(kernels::SpectralParameters<double>::elements(model.n)));
  for (int k = 0; k < waves; ++k) {
    const double wave = 2 * std::numbers::pi * k / model.period, square = wave * wave;
    const double z0 = model.dt * (square - square * square);
    // The functions below lose all digits near z = 0, so they are means over a circle about z0, whose upper half is
    // enough for a real result.
    constexpr int kPoints = 32;
    Complex weight, first, middle, last;
    for (int m = 0; m < kPoints; ++m) {
      const Complex z = z0 + std::polar(1.0, std::numbers::pi * (m + 0.5) / kPoints);
      const Complex e = std::exp(z), cube = z * z * z;
      weight += (std::exp(z / 2.0) - 1.0) / z;
      first += (-4.0 - z + e * (4.0 - 3.0 * z + z * z)) / cube;
      middle += (2.0 + z + e * (z - 2.0)) / cube;
      last += (-4.0 - 3.0 * z - z * z + e * (4.0 - z)) / cube;
    }
    const double turn = 2 * std::numbers::pi * k / model.n;
    const double mean = model.dt / kPoints;
    const double row[] = {std::exp(z0),
                          std::exp(z0 / 2),
                          mean * weight.real(),
                          mean * first.real(),
                          mean * middle.real(),
                          mean * last.real(),
                          k == waves - 1 ? 0 : -0.5 * wave,
                          std::cos(turn),
                          std::sin(turn)};
    for (int array = 0; array < kernels::SpectralParameters<double>::kArrays; ++array)
      values[static_cast<std::size_t>(long{array} * waves + k)] = row[array];
  }
  return values;
}

}  // namespace vida
