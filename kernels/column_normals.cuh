#pragma once

// Normal draws for arrays whose columns are packs: Philox and Box-Muller as in random.cuh, logarithm and sine of packs.

#include "pack_math.cuh"
#include "philox.cuh"
#include "random.cuh"

namespace vida::kernels {

/// Where draws come from. The stream is below 256 and fills the counter's first word from above, where the draws of
/// random.cuh never come.
struct DrawAddress {
  std::uint64_t seed;
  std::uint32_t stream, problem, step;
};

/// A pack of draws in each of the rows 2 pair and 2 pair + 1 (when there are as many) of out [rows, ld]; see
/// column_normals.
template <class Team, class Real>
VIDA_FN void normals_of_pair(Team, const DrawAddress& address, int pair, int pack, int rows, Real* out, int ld,
                             int first = 0) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const PhiloxBlocks<Team, W> bits(address.seed, static_cast<std::uint32_t>(pair) | address.stream << 24,
                                   static_cast<std::uint32_t>(first + pack * W), address.step, address.problem);
  Real radial[W], angular[W];
  for (int c = 0; c < W; ++c) {
    radial[c] = open_uniform<Real>(bits.words[0][c], bits.words[1][c]);
    angular[c] = open_uniform<Real>(bits.words[2][c], bits.words[3][c]);
  }
  const Pack radius = pack_sqrt(Real(-2) * pack_log(load<Pack>(radial)));
  const SinCos<Pack> angle = sincos_turns(load<Pack>(angular));
  store(out + static_cast<long>(2 * pair) * ld + pack * W, radius * angle.cos);
  if (2 * pair + 1 < rows) store(out + static_cast<long>(2 * pair + 1) * ld + pack * W, radius * angle.sin);
}

/// Draw (row, column) of out [rows, ld], standard normal: a function of the address, the row and the column `first` +
/// column, whatever `rows` and `columns` are.
template <class Team, class Real>
VIDA_CALL void column_normals(Team team, int rows, int columns, const DrawAddress& address, Real* out, int ld,
                              int first = 0) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for_pairs(team, (rows + 1) / 2, (columns + W - 1) / W,
            [&](int pair, int pack) { normals_of_pair(team, address, pair, pack, rows, out, ld, first); });
}

/// (m + 1/2) / 2^23 for the 23 leading bits m of each word, in (0, 1): open_uniform<float>.
template <class P>
VIDA_FN P open_uniforms(const std::uint32_t* words) {
  using Integers = typename PackTraits<P>::Integers;
  Integers bits;
  __builtin_memcpy(&bits, words, sizeof(bits));
  return same_bits<P>(((bits >> 9) & 0x7fffff) | 0x3f800000) - 0x1.fffffep-1f;
}

/// Standard normal draws in single precision, four from the bits of two of column_normals: where noise need not be
/// finer than 1e-7 of its size. Otherwise as above.
template <class Team>
VIDA_FN void column_noise(Team team, int rows, int columns, const DrawAddress& address, float* out, int ld, int first) {
  using Pack = typename Team::template Pack<float>;
  constexpr int W = width<Pack, float>;
  for_pairs(team, (rows + 3) / 4, (columns + W - 1) / W, [&](int four, int pack) {
    const PhiloxBlocks<Team, W> bits(address.seed, static_cast<std::uint32_t>(four) | address.stream << 24,
                                     static_cast<std::uint32_t>(first + pack * W), address.step, address.problem);
    VIDA_UNROLL
    for (int half = 0; half < 2; ++half) {
      const Pack radius = pack_sqrt(-2.0f * pack_log(open_uniforms<Pack>(bits.words[2 * half])));
      const SinCos<Pack> angle = sincos_turns(open_uniforms<Pack>(bits.words[2 * half + 1]));
      float* to = out + static_cast<long>(4 * four + 2 * half) * ld + pack * W;
      if (4 * four + 2 * half < rows) store(to, radius * angle.cos);
      if (4 * four + 2 * half + 1 < rows) store(to + ld, radius * angle.sin);
    }
  });
}

/// One uniform draw in (0, 1), of row 0 and column 0.
template <class Real>
VIDA_FN Real uniform_draw(const DrawAddress& address) {
  const r123::Philox4x32::ctr_type bits =
      r123::Philox4x32{}({{address.stream << 24, 0, address.step, address.problem}},
                         {{static_cast<std::uint32_t>(address.seed), static_cast<std::uint32_t>(address.seed >> 32)}});
  return open_uniform<Real>(bits[0], bits[1]);
}

}  // namespace vida::kernels
