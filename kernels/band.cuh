#pragma once

// Products with a cyclic band matrix B given by its diagonals: the Jacobian of a step, or its transpose.

#include "dense.cuh"
#include "lorenz96.cuh"

namespace vida::kernels {

/// Leading dimension of a matrix with room for a halo of columns; element (0, 0) stands at kHalo.
VIDA_BOTH constexpr int halo_ld(int ld) { return ld + 2 * kHalo; }

/// The Jacobian of a step: diagonal o, -8 .. 4, is the ring array at data + (o + 8) ld.
template <class Real>
struct Band {
  static constexpr int kLow = kBandLow, kHigh = kBandHigh;
  const Real* data;
  int ld;
  /// B[i, i + o], neighbours in i side by side.
  VIDA_FN const Real* entry(int o, int i) const { return data + (o - kLow) * ld + i; }
};

/// Its transpose, read from the same ring arrays, whose halos must be closed (4 before, 8 after).
template <class Real>
struct TransposedBand {
  static constexpr int kLow = -kBandHigh, kHigh = -kBandLow;
  const Real* data;
  int ld;
  VIDA_FN const Real* entry(int o, int i) const { return data + (-o - kBandLow) * ld + i + o; }
};

/// Closes the halos that TransposedBand reads.
template <class Team, class Real>
VIDA_FN void close_diagonals(Team team, int n, Real* data, int ld) {
  for_pairs(team, kBandSize, kBandSize - 1, [&](int o, int h) {
    const int i = h < kBandHigh ? h - kBandHigh : n + h - kBandHigh;
    data[o * ld + i] = data[o * ld + on_ring(i, n)];
  });
}

template <int Packs, class Team, class B, class Real>
VIDA_FN void band_times_tiles(Team team, int n, int column_tiles, int column0, const B& band, const Real* M, int ld,
                              Real* target, int target_ld) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int tiles = (n + kTileRows - 1) / kTileRows * column_tiles;
  for (int tile = team.rank(); tile < tiles; tile += team.size()) {
    const int i = tile / column_tiles * kTileRows;
    const int j = column0 + tile % column_tiles * W;
    const int step = column_tiles * W;
    Pack sum[kTileRows][Packs] = {};
    VIDA_UNROLL
    for (int q = B::kLow; q < B::kHigh + kTileRows; ++q) {
      const Real* row = M + on_ring(i + q, n) * ld + j;
      Pack column[Packs];
      VIDA_UNROLL
      for (int c = 0; c < Packs; ++c) column[c] = load<Pack>(row + c * step);
      VIDA_UNROLL
      for (int r = 0; r < kTileRows; ++r) {
        const int o = q - r;
        if (o < B::kLow || o > B::kHigh) continue;
        const Real factor = *band.entry(o, i + r);
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
template <class Team, class B, class Real>
VIDA_FN void band_times(Team team, int n, const B& band, const Real* M, int ld, Real* target, int target_ld) {
  for_column_panels<Team, Real>(n, [&](auto packs, int column_tiles, int column0) {
    band_times_tiles<decltype(packs)::value>(team, n, column_tiles, column0, band, M, ld, target, target_ld);
  });
}

/// Columns -left .. -1 and n .. n + right - 1 of every row become copies of the other end, for the band that the matrix
/// is multiplied by next.
template <class B, class Team, class Real>
VIDA_FN void close_columns(Team team, int n, Real* M, int ld) {
  constexpr int kLeft = -B::kLow, kRight = B::kHigh;
  if (n >= kLeft && n >= kRight) {
    for_pairs(team, n, kLeft, [&](int i, int h) { M[i * ld + h - kLeft] = M[i * ld + n + h - kLeft]; });
    for_pairs(team, n, kRight, [&](int i, int h) { M[i * ld + n + h] = M[i * ld + h]; });
  } else {
    for_pairs(team, n, kLeft + kRight, [&](int i, int h) {
      const int j = h < kLeft ? h - kLeft : n + h - kLeft;
      M[i * ld + j] = M[i * ld + on_ring(j, n)];
    });
  }
}

template <int Packs, class Team, class B, class Real, class Epilogue>
VIDA_FN void times_band_tiles(Team team, int n, int column_tiles, int column0, const Real* M, int ld, const B& band,
                              Epilogue epilogue) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int tiles = (n + kTileRows - 1) / kTileRows * column_tiles;
  for (int tile = team.rank(); tile < tiles; tile += team.size()) {
    const int i = tile / column_tiles * kTileRows;
    const int j = column0 + tile % column_tiles * W;
    const int step = column_tiles * W;
    Pack sum[kTileRows][Packs] = {};
    for (int o = B::kLow; o <= B::kHigh; ++o) {
      VIDA_UNROLL
      for (int c = 0; c < Packs; ++c) {
        const Pack factor = load<Pack>(band.entry(o, j + c * step));
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

/// epilogue(i, j, pack) receives M B'. M: [n, n] with its column halo closed.
template <class Team, class B, class Real, class Epilogue>
VIDA_FN void times_band_transposed(Team team, int n, const Real* M, int ld, const B& band, Epilogue epilogue) {
  for_column_panels<Team, Real>(n, [&](auto packs, int column_tiles, int column0) {
    times_band_tiles<decltype(packs)::value>(team, n, column_tiles, column0, M, ld, band, epilogue);
  });
}

/// Sensitivity of the diagonals of B in the sandwich B C B' when U is the (symmetric) sensitivity of the sandwich and
/// T = B C with its column halo closed: bar_o[i] = 2 sum_k U[k, i] T[k, i + o].
template <class Team, class Real>
VIDA_FN void band_adjoint(Team team, int n, const Real* U, int ld, const Real* T, int t_ld, Real* bar, int bar_ld) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  constexpr int kGroup = W == 1 ? 1 : kBandSize;  // diagonals per pass: all in registers, or one per GPU lane
  constexpr int kGroups = kBandSize / kGroup;
  const int packs = (n + W - 1) / W;
  for (int e = team.rank(); e < packs * kGroups; e += team.size()) {
    const int i = e % packs * W;
    const int first = kBandLow + e / packs * kGroup;
    Pack sum[kGroup] = {};
    for (int k = 0; k < n; ++k) {
      const Pack u = load<Pack>(U + k * ld + i);
      VIDA_UNROLL
      for (int g = 0; g < kGroup; ++g) sum[g] += u * load<Pack>(T + k * t_ld + i + first + g);
    }
    VIDA_UNROLL
    for (int g = 0; g < kGroup; ++g) store(bar + (first + g - kBandLow) * bar_ld + i, Real(2) * sum[g]);
  }
}

}  // namespace vida::kernels
