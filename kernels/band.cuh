#pragma once

// Products with a cyclic band matrix B given by its diagonals Low .. High: band[(o - Low) * band_ld + i] = B[i, (i + o)
// mod n]. The Jacobian of a step has the diagonals -8 .. 4, its transpose -4 .. 8.

#include "dense.cuh"
#include "lorenz96.cuh"

namespace vida::kernels {

/// Leading dimension of a matrix with room for a halo of columns; element (0, 0) stands at kHalo.
VIDA_BOTH constexpr int halo_ld(int ld) { return ld + 2 * kHalo; }

/// transposed <- the diagonals -High .. -Low of B'.
template <int Low, int High, class Team, class Real>
VIDA_FN void transpose_band(Team team, int n, const Real* band, int band_ld, Real* transposed, int transposed_ld) {
  for_pairs(team, High - Low + 1, n, [&](int k, int j) {
    const int q = k - High;
    transposed[k * transposed_ld + j] = band[(-q - Low) * band_ld + on_ring(j + q, n)];
  });
}

template <int Low, int High, int Packs, class Team, class Real>
VIDA_FN void band_times_tiles(Team team, int n, int column_tiles, int column0, const Real* band, int band_ld,
                              const Real* M, int ld, Real* target, int target_ld) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int tiles = (n + kTileRows - 1) / kTileRows * column_tiles;
  for (int tile = team.rank(); tile < tiles; tile += team.size()) {
    const int i = tile / column_tiles * kTileRows;
    const int j = column0 + tile % column_tiles * W;
    const int step = column_tiles * W;
    Pack sum[kTileRows][Packs] = {};
    VIDA_UNROLL
    for (int q = Low; q < High + kTileRows; ++q) {
      const Real* row = M + on_ring(i + q, n) * ld + j;
      Pack column[Packs];
      VIDA_UNROLL
      for (int c = 0; c < Packs; ++c) column[c] = load<Pack>(row + c * step);
      VIDA_UNROLL
      for (int r = 0; r < kTileRows; ++r) {
        const int o = q - r;
        if (o < Low || o > High) continue;
        const Real factor = band[(o - Low) * band_ld + i + r];
        VIDA_UNROLL
        for (int c = 0; c < Packs; ++c) sum[r][c] += factor * column[c];
      }
    }
    VIDA_UNROLL
    for (int r = 0; r < kTileRows; ++r) {
      VIDA_UNROLL
      for (int c = 0; c < Packs; ++c) store(target + (i + r) * target_ld + j + c * step, sum[r][c]);
    }
  }
}

/// target = B M. M: [n, n] with leading dimension ld; the target must not overlap.
template <int Low, int High, class Team, class Real>
VIDA_FN void band_times(Team team, int n, const Real* band, int band_ld, const Real* M, int ld, Real* target,
                        int target_ld) {
  for_column_panels<Team, Real>(n, [&](auto packs, int column_tiles, int column0) {
    band_times_tiles<Low, High, decltype(packs)::value>(team, n, column_tiles, column0, band, band_ld, M, ld, target,
                                                        target_ld);
  });
}

/// Columns -left .. -1 and n .. n + right - 1 of every row become copies of the other end.
template <class Team, class Real>
VIDA_FN void close_columns(Team team, int n, Real* M, int ld, int left, int right) {
  for_pairs(team, n, left + right, [&](int i, int h) {
    const int j = h < left ? h - left : n + h - left;
    M[i * ld + j] = M[i * ld + on_ring(j, n)];
  });
}

template <int Low, int High, int Packs, class Team, class Real, class Epilogue>
VIDA_FN void times_band_tiles(Team team, int n, int column_tiles, int column0, const Real* M, int ld, const Real* band,
                              int band_ld, Epilogue epilogue) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int tiles = (n + kTileRows - 1) / kTileRows * column_tiles;
  for (int tile = team.rank(); tile < tiles; tile += team.size()) {
    const int i = tile / column_tiles * kTileRows;
    const int j = column0 + tile % column_tiles * W;
    const int step = column_tiles * W;
    Pack sum[kTileRows][Packs] = {};
    for (int o = Low; o <= High; ++o) {
      VIDA_UNROLL
      for (int c = 0; c < Packs; ++c) {
        const Pack factor = load<Pack>(band + (o - Low) * band_ld + j + c * step);
        VIDA_UNROLL
        for (int r = 0; r < kTileRows; ++r) sum[r][c] += load<Pack>(M + (i + r) * ld + j + c * step + o) * factor;
      }
    }
    VIDA_UNROLL
    for (int r = 0; r < kTileRows; ++r) {
      VIDA_UNROLL
      for (int c = 0; c < Packs; ++c) epilogue(i + r, j + c * step, sum[r][c]);
    }
  }
}

/// epilogue(i, j, pack) receives M B'. M: [n, n] with its column halo closed (-Low left, High right).
template <int Low, int High, class Team, class Real, class Epilogue>
VIDA_FN void times_band_transposed(Team team, int n, const Real* M, int ld, const Real* band, int band_ld,
                                   Epilogue epilogue) {
  for_column_panels<Team, Real>(n, [&](auto packs, int column_tiles, int column0) {
    times_band_tiles<Low, High, decltype(packs)::value>(team, n, column_tiles, column0, M, ld, band, band_ld, epilogue);
  });
}

/// Sensitivity of the diagonals of B in the sandwich B C B' when U is the (symmetric) sensitivity of the sandwich and
/// T = B C with its column halo closed: bar_o[i] = 2 sum_k U[k, i] T[k, i + o].
template <int Low, int High, class Team, class Real>
VIDA_FN void band_adjoint(Team team, int n, const Real* U, int ld, const Real* T, int t_ld, Real* bar, int bar_ld) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  constexpr int kGroup = W == 1 ? 1 : High - Low + 1;  // diagonals per pass: all in registers, or one per GPU lane
  constexpr int kGroups = (High - Low + 1) / kGroup;
  const int packs = (n + W - 1) / W;
  for (int e = team.rank(); e < packs * kGroups; e += team.size()) {
    const int i = e % packs * W;
    const int first = Low + e / packs * kGroup;
    Pack sum[kGroup] = {};
    for (int k = 0; k < n; ++k) {
      const Pack u = load<Pack>(U + k * ld + i);
      VIDA_UNROLL
      for (int g = 0; g < kGroup; ++g) sum[g] += u * load<Pack>(T + k * t_ld + i + first + g);
    }
    VIDA_UNROLL
    for (int g = 0; g < kGroup; ++g) store(bar + (first + g - Low) * bar_ld + i, Real(2) * sum[g]);
  }
}

}  // namespace vida::kernels
