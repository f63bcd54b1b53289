#pragma once

// Normal draws for arrays whose columns are packs: Philox and Box-Muller as in random.cuh, logarithm and sine of packs.

#include "pack_math.cuh"
#include "random.cuh"

namespace vida::kernels {

/// Where draws come from. The stream is below 256 and fills the counter's first word from above, where the draws of
/// random.cuh never come.
struct DrawAddress {
  std::uint64_t seed;
  std::uint32_t stream, problem, step;
};

/// A pack of draws in each of the rows 2 pair and 2 pair + 1 (when there are as many) of out [rows, ld].
template <class Pack, class Real>
VIDA_FN void normals_of_pair(const DrawAddress& address, int pair, int pack, int rows, Real* out, int ld) {
  constexpr int W = width<Pack, Real>;
  const r123::Philox4x32::key_type key{
      {static_cast<std::uint32_t>(address.seed), static_cast<std::uint32_t>(address.seed >> 32)}};
  Real radial[W], angular[W];
  for (int c = 0; c < W; ++c) {
    const r123::Philox4x32::ctr_type counter{{static_cast<std::uint32_t>(pair) | address.stream << 24,
                                              static_cast<std::uint32_t>(pack * W + c), address.step, address.problem}};
    const r123::Philox4x32::ctr_type bits = r123::Philox4x32{}(counter, key);
    radial[c] = open_uniform<Real>(bits[0], bits[1]);
    angular[c] = open_uniform<Real>(bits[2], bits[3]);
  }
  const Pack uniform = load<Pack>(radial);
  const Pack squared = Real(-2) * pack_log(uniform);
  Pack radius;
  if constexpr (W == 1) {
    radius = std::sqrt(squared);
  } else {
    for (int c = 0; c < W; ++c) radius[c] = std::sqrt(squared[c]);
  }
  const SinCos<Pack> angle = sincos_turns(load<Pack>(angular));
  store(out + static_cast<long>(2 * pair) * ld + pack * W, radius * angle.cos);
  if (2 * pair + 1 < rows) store(out + static_cast<long>(2 * pair + 1) * ld + pack * W, radius * angle.sin);
}

/// Draw (row, column) of out [rows, ld], standard normal: a function of the address, the row and the column, whatever
/// `rows` and `columns` are.
template <class Team, class Real>
VIDA_FN void column_normals(Team team, int rows, int columns, const DrawAddress& address, Real* out, int ld) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for_pairs(team, (rows + 1) / 2, (columns + W - 1) / W,
            [&](int pair, int pack) { normals_of_pair<Pack>(address, pair, pack, rows, out, ld); });
}

}  // namespace vida::kernels
