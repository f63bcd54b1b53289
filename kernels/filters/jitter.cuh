#pragma once

// Noise with the covariance of an ensemble, which parts resampled particles from their twins.

#include "filters/weights.cuh"
#include "spd.cuh"

namespace vida::kernels {

/// Sums over columns of s s' in blocks of 3 x 3 entries on and below the diagonal; each entry is some running sums, 32
/// bytes of them, which leaves a CPU's registers room for a block.
template <class Real>
struct ProductSums {
  static constexpr int kSide = 3, kParts = 32 / sizeof(Real);
  Real* parts;  // [block, 3, 3, kParts]
  int n, blocks;

  VIDA_BOTH ProductSums(Pieces<Real>& pieces, int n_) : n(n_), blocks((n_ + kSide - 1) / kSide) {
    parts = pieces.take(static_cast<long>(blocks) * (blocks + 1) / 2 * kSide * kSide * kParts);
  }

  template <class Team>
  VIDA_FN void clear(Team team) const {
    const int count = blocks * (blocks + 1) / 2 * kSide * kSide * kParts;
    for (int e = team.rank(); e < count; e += team.size()) parts[e] = Real(0);
  }

  /// += S S'. S: [n, ld], its columns a multiple of eight.
  template <class Team>
  VIDA_FN void add(Team team, int columns, const Real* S, int ld) const {
    using Narrow = typename Team::template Narrow<Real>;
    using Pack = typename Team::template Pack<Real>;
    using Part = std::conditional_t<(sizeof(Pack) < sizeof(Narrow)), Pack, Narrow>;
    constexpr int W = width<Part, Real>;
    for_pairs(team, blocks * blocks, kParts / W, [&](int block, int part) {
      const int I = block / blocks, J = block % blocks;
      if (J > I) return;
      const Real *rows[kSide], *others[kSide];
      for (int r = 0; r < kSide; ++r) {
        rows[r] = S + row(kSide * I + r) * ld + part * W;
        others[r] = S + row(kSide * J + r) * ld + part * W;
      }
      Real* at = parts + static_cast<long>(I * (I + 1) / 2 + J) * kSide * kSide * kParts + part * W;
      Part sum[kSide][kSide];
      VIDA_UNROLL
      for (int r = 0; r < kSide; ++r) {
        VIDA_UNROLL
        for (int c = 0; c < kSide; ++c) sum[r][c] = load<Part>(at + (r * kSide + c) * kParts);
      }
      for (int k = 0; k < columns; k += kParts) {
        Part left[kSide], right[kSide];
        VIDA_UNROLL
        for (int r = 0; r < kSide; ++r) left[r] = load<Part>(rows[r] + k), right[r] = load<Part>(others[r] + k);
        VIDA_UNROLL
        for (int r = 0; r < kSide; ++r) {
          VIDA_UNROLL
          for (int c = 0; c < kSide; ++c) sum[r][c] += left[r] * right[c];
        }
      }
      VIDA_UNROLL
      for (int r = 0; r < kSide; ++r) {
        VIDA_UNROLL
        for (int c = 0; c < kSide; ++c) store(at + (r * kSide + c) * kParts, sum[r][c]);
      }
    });
  }

  /// C [rows, ldc] <- factor times the sums, on and below the diagonal.
  template <class Team>
  VIDA_FN void finish(Team team, Real factor, Real* C, int ldc) const {
    for_pairs(team, n, n, [&](int i, int j) {
      if (j > i) return;
      const int I = i / kSide, J = j / kSide, entry = i % kSide * kSide + j % kSide;
      C[static_cast<long>(i) * ldc + j] =
          factor * total_of(kParts, parts + (static_cast<long>(I * (I + 1) / 2 + J) * kSide * kSide + entry) * kParts);
    });
  }

 private:
  VIDA_FN long row(int i) const { return i < n ? i : n - 1; }  // what the last block has too much is not read
};

/// A lower Cholesky factor in single precision, each row over its length so that no unit is too large or small.
template <class Real>
struct JitterFactor {
  float* L;      // [rows, ld]
  Real* length;  // [n]
  int n, ld;

  VIDA_BOTH JitterFactor(Pieces<Real>& pieces, int n_)
      : L(reinterpret_cast<float*>(pieces.take(padded(n_, kTileRows) * n_))), length(pieces.take(n_)), n(n_), ld(n_) {}

  template <class Team>
  VIDA_FN void set(Team team, const Real* factor, int ldf) const {
    for (int i = team.rank(); i < static_cast<int>(padded(n, kTileRows)); i += team.size()) {
      const Real* from = factor + static_cast<long>(i) * ldf;
      const Real whole = i < n ? std::sqrt(dot(team, i + 1, from, from)) : Real(0);
      const Real inverse = whole > Real(0) ? Real(1) / whole : Real(0);
      if (i < n) length[i] = whole;
      for (int k = 0; k < n; ++k)
        L[static_cast<long>(i) * ld + k] = k <= i && i < n ? static_cast<float>(from[k] * inverse) : 0.0f;
    }
  }
};

/// X [n, kTileColumns] <- the parents' columns of E [n, ld] plus share[k] times N(0, L L'); z: standard normal draws
/// [n, kTileColumns]; parents and share: of these columns.
template <class Team, class Real>
VIDA_FN void jittered_offspring(Team team, const JitterFactor<Real>& factor, const float* z, const Real* E, int ld,
                                const int* parents, const Real* share, Real* X) {
  using Pack = typename Team::template Pack<float>;
  using Wide = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, float>, kPacks = 2;
  const int n = factor.n;
  for_pairs(team, (n + kTileRows - 1) / kTileRows, kTileColumns / (kPacks * W), [&](int panel, int piece) {
    const int i0 = panel * kTileRows, c0 = piece * kPacks * W;
    const int depth = n < i0 + kTileRows ? n : i0 + kTileRows;
    const float* L = factor.L + static_cast<long>(i0) * factor.ld;
    Pack sum[kTileRows][kPacks] = {};
    for (int k = 0; k < depth; ++k) {
      Pack draws[kPacks];
      VIDA_UNROLL
      for (int q = 0; q < kPacks; ++q) draws[q] = load<Pack>(z + static_cast<long>(k) * kTileColumns + c0 + q * W);
      VIDA_UNROLL
      for (int r = 0; r < kTileRows; ++r) {
        VIDA_UNROLL
        for (int q = 0; q < kPacks; ++q) sum[r][q] += L[r * factor.ld + k] * draws[q];
      }
    }
    VIDA_UNROLL
    for (int r = 0; r < kTileRows; ++r) {
      if (i0 + r >= n) break;
      float rounded[kPacks * W];
      Real noise[kPacks * W], parent[kPacks * W];
      VIDA_UNROLL
      for (int q = 0; q < kPacks; ++q) store(rounded + q * W, sum[r][q]);
      const Real* row = E + static_cast<long>(i0 + r) * ld;
      const Real length = factor.length[i0 + r];
      VIDA_UNROLL
      for (int v = 0; v < kPacks * W; ++v) noise[v] = static_cast<Real>(rounded[v]);
      VIDA_UNROLL
      for (int v = 0; v < kPacks * W; ++v) parent[v] = row[parents[c0 + v]];
      VIDA_UNROLL
      for (int v = 0; v < kPacks * W; v += width<Wide, Real>)
        store(X + static_cast<long>(i0 + r) * kTileColumns + c0 + v,
              load<Wide>(parent + v) + load<Wide>(share + c0 + v) * (length * load<Wide>(noise + v)));
    }
  });
}

/// The same without noise.
template <class Team, class Real>
VIDA_FN void plain_offspring(Team team, int n, const Real* E, int ld, const int* parents, Real* X) {
  for_pairs(team, n, kTileColumns, [&](int i, int c) {
    X[static_cast<long>(i) * kTileColumns + c] = E[static_cast<long>(i) * ld + parents[c]];
  });
}

}  // namespace vida::kernels
