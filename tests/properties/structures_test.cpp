// Gain structures and the map of pixels: linear maps with their adjoints, and maps with their inverses.
#include "properties/draws.hpp"
#include "vida/gain.hpp"
#include "vida/pixel_map.hpp"

namespace vida {
namespace {

using namespace vida::testing;

/// Whole numbers, whose products and sums are exact.
Matrix draw_whole(const Extents<2>& extents) {
  Matrix matrix(extents);
  for (double& value : matrix) value = static_cast<double>(draw_long(-1000, 1000));
  return matrix;
}

std::vector<double> draw_whole(long count) {
  const Matrix drawn = draw_whole(Extents<2>{count, 1});
  return {drawn.begin(), drawn.end()};
}

/// A structure, and observations of components that it accepts.
struct Case {
  std::string name;
  Matrix H;

  static Case draw() {
    const long n = draw_long(4, 12);
    std::vector<long> seen;
    const std::string name = *rc::gen::element<std::string>("full", "diagonal", "banded", "circulant");
    const long spacing = draw_long(1, n);
    RC_PRE(name != "circulant" || n % spacing == 0);
    for (long i = 0; i < n; ++i)
      if (name == "circulant" ? i % spacing == 0 : *rc::gen::inRange(0, 2) == 1) seen.push_back(i);
    RC_PRE(!seen.empty());
    Matrix H({std::ssize(seen), n});
    for (long j = 0; j < H.extent(0); ++j) H(j, seen[static_cast<std::size_t>(j)]) = 1;
    return {name == "banded" ? "banded:" + std::to_string(draw_long(0, n / 2)) : name, H};
  }
};

RC_GTEST_PROP(GainStructureProperties, ReduceIsTheAdjointOfExpand, ()) {
  const Case drawn = Case::draw();
  const GainStructure structure(drawn.name, drawn.H);
  const auto parameters = draw_whole(structure.parameters());
  const Matrix expanded = structure.expand(parameters), gradient = draw_whole(expanded.extents());
  const auto reduced = structure.reduce(gradient);
  RC_ASSERT(std::ssize(reduced) == structure.parameters());
  double of_gains = 0, of_parameters = 0;
  for (long e = 0; e < expanded.size(); ++e) of_gains += expanded.data()[e] * gradient.data()[e];
  for (std::size_t i = 0; i < reduced.size(); ++i) of_parameters += parameters[i] * reduced[i];
  RC_ASSERT(of_gains == of_parameters);
}

RC_GTEST_PROP(GainStructureProperties, ProjectIsTheIdentityOnExpandedGains, ()) {
  const Case drawn = Case::draw();
  const GainStructure structure(drawn.name, drawn.H);
  const auto parameters = draw_whole(structure.parameters());
  RC_ASSERT(structure.project(structure.expand(parameters)) == parameters);
}

RC_GTEST_PROP(PixelMapProperties, DecodesWhatItEncodes, ()) {
  const int size = static_cast<int>(draw_long(1, 3));
  const long images = draw_long(1, 30);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size * images));
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(draw_long(0, 255));
  const PixelMap map(
      pixels, size,
      {.smoothing = static_cast<int>(2 * draw_long(0, 20) + 1), .temper = *rc::gen::element(1.0, 0.5, 0.1)});
  const PixelMap again(size, map.lower(), map.upper(), map.mean(), map.deviation());  // as from a file
  const int pixel = static_cast<int>(draw_long(0, size - 1)), byte = static_cast<int>(draw_long(0, 255));
  const double u = static_cast<double>(draw_long(1, 999)) / 1000;
  const double x = map.encode(pixel, byte, u);
  RC_ASSERT(std::isfinite(x));
  RC_ASSERT(again.encode(pixel, byte, u) == x);
  // a byte has a mass of 4e-6 at least and F a rounding of some 1e-16
  RC_ASSERT(std::abs(map.decode(pixel, x) - (byte + u)) < 1e-9);
  RC_ASSERT(again.decode(pixel, x) == map.decode(pixel, x));
  double total = 0;
  for (int b = 0; b < 256; ++b) total += map.probability(pixel, b);
  RC_ASSERT(std::abs(total - 1) < 1e-12);
}

}  // namespace
}  // namespace vida
