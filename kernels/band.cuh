#pragma once

// Products with a cyclic band matrix B given by its diagonals: the Jacobian of a step, or its transpose.

#include "dense.cuh"
#include "lorenz96.cuh"

namespace vida::kernels {

/// Leading dimension of a matrix with room for a halo of columns; element (0, 0) stands at `halo`.
VIDA_BOTH constexpr int halo_ld(int ld, int halo = kHalo) { return ld + 2 * halo; }

/// The Jacobian of a step: diagonal o, -8 .. 4, is the ring array at data + (o + 8) ld.
template <class Real>
struct Band {
  static constexpr int kLow = kBandLow, kHigh = kBandHigh;
  const Real* data;
  int ld;
  /// B[i, i + o], neighbours in i side by side.
  VIDA_FN const Real* entry(int o, int i) const { return data + (o - kLow) * ld + i; }
  VIDA_FN int next_diagonal() const { return ld; }  // from entry(o, i) to entry(o + 1, i)
};

/// Its transpose, read from the same ring arrays, whose halos must be closed (4 before, 8 after).
template <class Real>
struct TransposedBand {
  static constexpr int kLow = -kBandHigh, kHigh = -kBandLow;
  const Real* data;
  int ld;
  VIDA_FN const Real* entry(int o, int i) const { return data + (-o - kBandLow) * ld + i + o; }
  VIDA_FN int next_diagonal() const { return 1 - ld; }
};

/// Closes the halos that TransposedBand reads.
template <class Team, class Real>
VIDA_FN void close_diagonals(Team team, int n, Real* data, int ld) {
  for_pairs(team, kBandSize, kBandSize - 1, [&](int o, int h) {
    const int i = h < kBandHigh ? h - kBandHigh : n + h - kBandHigh;
    data[o * ld + i] = data[o * ld + on_ring(i, n)];
  });
}

inline constexpr int kSpread = 5;  // rows or columns of a GPU lane's tile that lie apart

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

/// A tile of B M in the registers of each GPU lane: 4 neighbouring rows x 5 columns, `across` apart. At n = 40 a warp
/// holds 8 tiles side by side and 4 below each other, which meet in no bank. The last tile of a column starts where
/// four rows are left, the last columns repeat column n - 1: nothing outside of the matrices is read.
template <class Team, class B, class Real>
VIDA_FN void band_times_lanes(Team team, int n, const B& band, const Real* M, int ld, Real* target, int target_ld) {
  const int across = (n + kSpread - 1) / kSpread, down = (n + kTileRows - 1) / kTileRows;
  for (int tile = team.rank(); tile < across * down; tile += team.size()) {
    const int first = tile / across * kTileRows, j = tile % across;
    const int i = first < n - kTileRows ? first : n - kTileRows;
    const Real* column[kSpread];
    VIDA_UNROLL
    for (int c = 0; c < kSpread; ++c) column[c] = M + (j + c * across < n ? j + c * across : n - 1);
    Real sum[kTileRows][kSpread] = {};
    const Real* entry[kTileRows] = {band.entry(B::kLow, i)};  // of the last four diagonals, in turn
    int row = on_ring(i + B::kLow, n) * ld;
    VIDA_UNROLL
    for (int q = B::kLow; q < B::kHigh + kTileRows; ++q) {
      Real value[kSpread];
      VIDA_UNROLL
      for (int c = 0; c < kSpread; ++c) value[c] = column[c][row];
      row = row + ld < n * ld ? row + ld : 0;
      if (q > B::kLow) entry[(q - B::kLow) % kTileRows] = entry[(q - 1 - B::kLow) % kTileRows] + band.next_diagonal();
      VIDA_UNROLL
      for (int r = 0; r < kTileRows; ++r) {
        const int o = q - r;
        if (o < B::kLow || o > B::kHigh) continue;
        const Real factor = entry[(o - B::kLow) % kTileRows][r];
        VIDA_UNROLL
        for (int c = 0; c < kSpread; ++c) sum[r][c] += factor * value[c];
      }
    }
    VIDA_UNROLL
    for (int c = 0; c < kSpread; ++c) {
      VIDA_UNROLL
      for (int r = 0; r < kTileRows; ++r)
        if (i + r >= first && j + c * across < n) target[(i + r) * target_ld + j + c * across] = sum[r][c];
    }
  }
}

/// target = B M. M: [n, n] with leading dimension ld; the target must not overlap.
template <class Team, class B, class Real>
VIDA_FN void band_times(Team team, int n, const B& band, const Real* M, int ld, Real* target, int target_ld) {
  if constexpr (Team::kSingleLane) {
    for_column_panels<Team, Real>(n, [&](auto packs, int column_tiles, int column0) {
      band_times_tiles<decltype(packs)::value>(team, n, column_tiles, column0, band, M, ld, target, target_ld);
    });
  } else {
    band_times_lanes(team, n, band, M, ld, target, target_ld);
  }
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

/// A tile of M B' in the registers of each GPU lane, the tile of band_times_lanes with rows and columns exchanged: 5
/// rows, `down` apart, x 4 neighbouring columns, so that a lane reads a stretch of each row once.
template <class Team, class B, class Real, class Epilogue>
VIDA_FN void times_band_lanes(Team team, int n, const Real* M, int ld, const B& band, Epilogue epilogue) {
  const int down = (n + kSpread - 1) / kSpread, across = (n + kTileRows - 1) / kTileRows;
  for (int tile = team.rank(); tile < across * down; tile += team.size()) {
    const int first = tile / down * kTileRows, i = tile % down;
    const int j = first < n - kTileRows ? first : n - kTileRows;
    const Real* row[kSpread];
    VIDA_UNROLL
    for (int r = 0; r < kSpread; ++r) row[r] = M + (i + r * down < n ? i + r * down : n - 1) * ld + j;
    const Real* entry[kTileRows] = {band.entry(B::kLow, j)};
    Real sum[kSpread][kTileRows] = {};
    VIDA_UNROLL
    for (int q = B::kLow; q < B::kHigh + kTileRows; ++q) {
      if (q > B::kLow) entry[(q - B::kLow) % kTileRows] = entry[(q - 1 - B::kLow) % kTileRows] + band.next_diagonal();
      Real value[kSpread];
      VIDA_UNROLL
      for (int r = 0; r < kSpread; ++r) value[r] = row[r][q];
      VIDA_UNROLL
      for (int c = 0; c < kTileRows; ++c) {
        const int o = q - c;
        if (o < B::kLow || o > B::kHigh) continue;
        const Real factor = entry[(o - B::kLow) % kTileRows][c];
        VIDA_UNROLL
        for (int r = 0; r < kSpread; ++r) sum[r][c] += value[r] * factor;
      }
    }
    VIDA_UNROLL
    for (int r = 0; r < kSpread; ++r) {
      VIDA_UNROLL
      for (int c = 0; c < kTileRows; ++c)
        if (i + r * down < n && j + c >= first) epilogue(i + r * down, j + c, sum[r][c]);
    }
  }
}

/// epilogue(i, j, pack) receives M B'. M: [n, n] with its column halo closed.
template <class Team, class B, class Real, class Epilogue>
VIDA_FN void times_band_transposed(Team team, int n, const Real* M, int ld, const B& band, Epilogue epilogue) {
  if constexpr (Team::kSingleLane) {
    for_column_panels<Team, Real>(n, [&](auto packs, int column_tiles, int column0) {
      times_band_tiles<decltype(packs)::value>(team, n, column_tiles, column0, M, ld, band, epilogue);
    });
  } else {
    times_band_lanes(team, n, M, ld, band, epilogue);
  }
}

/// band_adjoint on the GPU. Row i needs the products of column i of U with columns i - 8 .. i + 4 of T. Three rows need
/// 15 columns of T: a lane forms 3 x 5 products of columns, and leaves out the six of 45 that no diagonal holds. The
/// three tiles of a row go to different warps, whose lanes then read columns 3 apart, without conflicts.
template <class Team, class Real>
VIDA_FN void band_adjoint_lanes(Team team, int n, const Real* U, int ld, const Real* T, int t_ld, Real* bar,
                                int bar_ld) {
  constexpr int kRows = 3, kColumns = 5, kWarp = 32;
  const int blocks = (n + kRows - 1) / kRows, across = static_cast<int>(padded(blocks, kWarp));
  for (int e = team.rank(); e < across * kRows; e += team.size()) {
    if (e % across >= blocks) continue;
    const int first = e % across * kRows;
    const int low = kBandLow + e / across * kColumns;  // the diagonal of the tile's first element
    const Real* u = U + first;
    const Real* t = T + first + low;
    const int row[kRows] = {0, first + 1 < n ? 1 : 0, first + 2 < n ? 2 : 0};  // nothing outside of U is read
    Real sum[kRows][kColumns] = {};
    for (int k = 0; k < n; ++k, u += ld, t += t_ld) {
      VIDA_UNROLL
      for (int r = 0; r < kRows; ++r) {
        VIDA_UNROLL
        for (int c = 0; c < kColumns; ++c) sum[r][c] += u[row[r]] * t[c];
      }
    }
    VIDA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      VIDA_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        const int o = low + c - r;
        if (first + r < n && o >= kBandLow && o <= kBandHigh)
          bar[(o - kBandLow) * bar_ld + first + r] = Real(2) * sum[r][c];
      }
    }
  }
}

/// band_adjoint on the CPU: all diagonals of a pack of rows in registers.
template <class Team, class Real>
VIDA_FN void band_adjoint_packs(Team team, int n, const Real* U, int ld, const Real* T, int t_ld, Real* bar,
                                int bar_ld) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int packs = (n + W - 1) / W;
  for (int e = team.rank(); e < packs; e += team.size()) {
    const int i = e * W;
    Pack sum[kBandSize] = {};
    for (int k = 0; k < n; ++k) {
      const Pack u = load<Pack>(U + k * ld + i);
      VIDA_UNROLL
      for (int o = 0; o < kBandSize; ++o) sum[o] += u * load<Pack>(T + k * t_ld + i + kBandLow + o);
    }
    VIDA_UNROLL
    for (int o = 0; o < kBandSize; ++o) store(bar + o * bar_ld + i, Real(2) * sum[o]);
  }
}

/// Sensitivity of the diagonals of B in the sandwich B C B' when U is the (symmetric) sensitivity of the sandwich and
/// T = B C with its column halo closed: bar_o[i] = 2 sum_k U[k, i] T[k, i + o].
template <class Team, class Real>
VIDA_FN void band_adjoint(Team team, int n, const Real* U, int ld, const Real* T, int t_ld, Real* bar, int bar_ld) {
  if constexpr (Team::kSingleLane)
    band_adjoint_packs(team, n, U, ld, T, t_ld, bar, bar_ld);
  else
    band_adjoint_lanes(team, n, U, ld, T, t_ld, bar, bar_ld);
}

}  // namespace vida::kernels
