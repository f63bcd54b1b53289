#pragma once

// Philox 4x32-10 (Salmon et al. 2011) for a pack of counters at a time: the bits of Random123.

#include <Random123/philox.h>

#include <cstdint>

#include "team.cuh"

namespace vida::kernels {

/// The blocks of Count counters that differ in their second word: words[i][c] of the counter {first, second + c, third,
/// fourth}. Count: the width of a Pack<float>.
template <class Team, int Count>
struct PhiloxBlocks {
  std::uint32_t words[4][Count];

  VIDA_FN PhiloxBlocks(std::uint64_t seed, std::uint32_t first, std::uint32_t second, std::uint32_t third,
                       std::uint32_t fourth) {
    std::uint32_t low = static_cast<std::uint32_t>(seed), high = static_cast<std::uint32_t>(seed >> 32);
    if constexpr (Count == 1) {
      const r123::Philox4x32::ctr_type block =
          r123::Philox4x32{}(r123::Philox4x32::ctr_type{{first, second, third, fourth}}, {{low, high}});
      for (int i = 0; i < 4; ++i) words[i][0] = block[static_cast<std::size_t>(i)];
    } else {
      // Words of 64 bits of which only the low halves count: what a product leaves above them need not be cleared.
      using Words = typename Team::Words;
      constexpr int W = width<Words, std::uint64_t>, kParts = Count / W;
      Words x[4][kParts];
      for (int part = 0; part < kParts; ++part) {
        std::uint64_t seconds[W];
        for (int c = 0; c < W; ++c) seconds[c] = second + static_cast<std::uint32_t>(part * W + c);
        x[0][part] = Words{} + first, x[1][part] = load<Words>(seconds);
        x[2][part] = Words{} + third, x[3][part] = Words{} + fourth;
      }
      const Words a = Words{} + std::uint64_t{0xD2511F53}, b = Words{} + std::uint64_t{0xCD9E8D57};
      VIDA_UNROLL
      for (int round = 0; round < 10; ++round) {
        VIDA_UNROLL
        for (int part = 0; part < kParts; ++part) {
          const Words p = Team::multiply_low_halves(a, x[0][part]), q = Team::multiply_low_halves(b, x[2][part]);
          x[0][part] = (q >> 32) ^ x[1][part] ^ std::uint64_t{low};
          x[2][part] = (p >> 32) ^ x[3][part] ^ std::uint64_t{high};
          x[1][part] = q, x[3][part] = p;
        }
        low += 0x9E3779B9, high += 0xBB67AE85;
      }
      for (int i = 0; i < 4; ++i)
        for (int part = 0; part < kParts; ++part) Team::store_low_halves(words[i] + part * W, x[i][part]);
    }
  }
};

}  // namespace vida::kernels
