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

/// Eight blocks of Philox 4x32-10 side by side, word by word: what a compiler turns into vectors when the function
/// stands by itself.
[[gnu::noinline]] VIDA_FN void philox_of_eight(std::uint32_t key0, std::uint32_t key1, std::uint32_t (&words)[4][8]) {
  for (int round = 0; round < 10; ++round) {
    for (int k = 0; k < 8; ++k) {
      const std::uint64_t left = std::uint64_t{PHILOX_M4x32_0} * words[0][k];
      const std::uint64_t right = std::uint64_t{PHILOX_M4x32_1} * words[2][k];
      words[0][k] = static_cast<std::uint32_t>(right >> 32) ^ words[1][k] ^ key0;
      words[2][k] = static_cast<std::uint32_t>(left >> 32) ^ words[3][k] ^ key1;
      words[1][k] = static_cast<std::uint32_t>(right), words[3][k] = static_cast<std::uint32_t>(left);
    }
    key0 += PHILOX_W32_0, key1 += PHILOX_W32_1;
  }
}

/// open_uniform() of eight pairs of words. The integers are placed in the fraction of 2^52 or 2^23, which is exact.
template <class Real>
[[gnu::noinline]] VIDA_FN void uniforms_of_eight(const std::uint32_t (&high)[8], const std::uint32_t (&low)[8],
                                                 Real (&uniforms)[8]) {
  for (int k = 0; k < 8; ++k) {
    if constexpr (sizeof(Real) == 8) {
      const std::uint64_t bits = (std::uint64_t{high[k]} << 20 ^ low[k] >> 12) | std::uint64_t{0x4330000000000000};
      uniforms[k] = ((same_bits<double>(bits) - 0x1p52) + 0.5) * 0x1p-52;
    } else {
      const std::uint32_t bits = high[k] >> 9 | std::uint32_t{0x4b000000};
      uniforms[k] = ((same_bits<float>(bits) - 0x1p23f) + 0.5f) * 0x1p-23f;
    }
  }
}

/// Two uniforms in (0, 1) for each of the counters (index, column .. column + 7, step, problem); for the first alone
/// where a lane works one column.
template <int kColumns, class Real>
VIDA_FN void column_uniforms(const DrawAddress& address, int index, int column, Real (&first)[kColumns],
                             Real (&second)[kColumns]) {
  const std::uint32_t key0 = static_cast<std::uint32_t>(address.seed),
                      key1 = static_cast<std::uint32_t>(address.seed >> 32);
  const std::uint32_t word = static_cast<std::uint32_t>(index) | address.stream << 24;
  if constexpr (kColumns == 1) {
    const r123::Philox4x32::ctr_type counter{{word, static_cast<std::uint32_t>(column), address.step, address.problem}};
    const r123::Philox4x32::ctr_type bits = r123::Philox4x32{}(counter, r123::Philox4x32::key_type{{key0, key1}});
    first[0] = open_uniform<Real>(bits[0], bits[1]);
    second[0] = open_uniform<Real>(bits[2], bits[3]);
  } else {
    static_assert(kColumns == 8);
    std::uint32_t words[4][8];
    for (int k = 0; k < 8; ++k) {
      words[0][k] = word, words[1][k] = static_cast<std::uint32_t>(column + k);
      words[2][k] = address.step, words[3][k] = address.problem;
    }
    philox_of_eight(key0, key1, words);
    uniforms_of_eight(words[0], words[1], first);
    uniforms_of_eight(words[2], words[3], second);
  }
}

/// Draw (row, column) of out [rows, ld], standard normal: a function of the address, the row and the column, whatever
/// `rows` and `columns` are.
template <class Team, class Real>
VIDA_FN void column_normals(Team team, int rows, int columns, const DrawAddress& address, Real* out, int ld) {
  using Pack = std::conditional_t<(width<typename Team::template Pack<Real>, Real> > 8),
                                  typename Team::template Octet<Real>, typename Team::template Pack<Real>>;
  constexpr int W = width<Pack, Real>, kColumns = W == 1 ? 1 : 8;
  for_pairs(team, (rows + 1) / 2, (columns + kColumns - 1) / kColumns, [&](int pair, int block) {
    Real radial[kColumns], angular[kColumns];
    column_uniforms(address, pair, block * kColumns, radial, angular);
    for (int c = 0; c < kColumns && block * kColumns + c < columns; c += W) {
      const Pack squared = Real(-2) * pack_log(load<Pack>(radial + c));
      Pack radius;
      if constexpr (W == 1) {
        radius = std::sqrt(squared);
      } else {
        for (int k = 0; k < W; ++k) radius[k] = std::sqrt(squared[k]);
      }
      const SinCos<Pack> angle = sincos_turns(load<Pack>(angular + c));
      Real* to = out + static_cast<long>(2 * pair) * ld + block * kColumns + c;
      store(to, radius * angle.cos);
      if (2 * pair + 1 < rows) store(to + ld, radius * angle.sin);
    }
  });
}

}  // namespace vida::kernels
