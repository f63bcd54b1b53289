#pragma once

// Random permutations, drawn by all lanes at once.

#include "column_normals.cuh"

namespace vida::kernels {

/// order[0 .. count - 1] <- the numbers 0 .. count - 1 as the draws of `address` sort them: number i is that of item
/// items[i], whose draw does not depend on which others are there. keys: as many as items exist, a multiple of four.
template <class Team>
VIDA_FN void random_order(Team team, int total, int count, const int* items, const DrawAddress& address, int* keys,
                          int* order) {
  const r123::Philox4x32::key_type key{
      {static_cast<std::uint32_t>(address.seed), static_cast<std::uint32_t>(address.seed >> 32)}};
  for (int block = team.rank(); block < (total + 3) / 4; block += team.size()) {
    const r123::Philox4x32::ctr_type counter{
        {static_cast<std::uint32_t>(block) | address.stream << 24, 0, address.step, address.problem}};
    const r123::Philox4x32::ctr_type bits = r123::Philox4x32{}(counter, key);
    for (int k = 0; k < 4; ++k) keys[4 * block + k] = static_cast<int>(bits[k] >> 1);
  }
  team.sync();
  for (int i = team.rank(); i < count; i += team.size()) {
    const int own = keys[items[i]];
    int before = 0;
    for (int k = 0; k < count; ++k) {
      const int other = keys[items[k]];
      before += (other < own || (other == own && k < i)) ? 1 : 0;
    }
    order[before] = i;
  }
}

}  // namespace vida::kernels
