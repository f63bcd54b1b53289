#pragma once

// Noise with the covariance of an ensemble, which parts resampled particles from their twins.

#include "filters/weights.cuh"
#include "spd.cuh"

namespace vida::kernels {

/// Correlations of the components of weighted particles, in single precision like the noise that has them: sums over
/// particles of s s', s the deviations from the mean, each component over its own root of the sum of squares. Blocks of
/// 3 x 3 entries on and below the diagonal leave a CPU's registers room; each entry is 16 running sums.
struct Correlations {
  static constexpr int kSide = 3, kParts = 16;
  float* parts;  // [block, 3, 3, kParts]
  int n, blocks;

  template <class Real>
  VIDA_BOTH Correlations(Pieces<Real>& pieces, int n_) : n(n_), blocks((n_ + kSide - 1) / kSide) {
    parts = reinterpret_cast<float*>(pieces.take(elements()));
  }

  template <class Team>
  VIDA_FN void clear(Team team) const {
    for (int e = team.rank(); e < static_cast<int>(elements()); e += team.size()) parts[e] = 0.0f;
  }

  /// += S S'. S: [n, ld], its columns a multiple of 16.
  template <class Team>
  VIDA_FN void add(Team team, int columns, const float* S, int ld) const {
    using Pack = typename Team::template Pack<float>;
    constexpr int W = width<Pack, float>;
    for_pairs(team, blocks * blocks, kParts / W, [&](int block, int part) {
      const int I = block / blocks, J = block % blocks;
      if (J > I) return;
      const float *rows[kSide], *others[kSide];
      for (int r = 0; r < kSide; ++r) {
        rows[r] = S + row(kSide * I + r) * ld + part * W;
        others[r] = S + row(kSide * J + r) * ld + part * W;
      }
      float* at = parts + static_cast<long>(I * (I + 1) / 2 + J) * kSide * kSide * kParts + part * W;
      Pack sum[kSide][kSide];
      VIDA_UNROLL
      for (int r = 0; r < kSide; ++r) {
        VIDA_UNROLL
        for (int c = 0; c < kSide; ++c) sum[r][c] = load<Pack>(at + (r * kSide + c) * kParts);
      }
      for (int k = 0; k < columns; k += kParts) {
        Pack left[kSide], right[kSide];
        VIDA_UNROLL
        for (int r = 0; r < kSide; ++r) left[r] = load<Pack>(rows[r] + k), right[r] = load<Pack>(others[r] + k);
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

  /// C [rows, ldc] <- the correlations, on and below the diagonal, which is one.
  template <class Team, class Real>
  VIDA_FN void finish(Team team, Real* C, int ldc) const {
    for_pairs(team, n, n, [&](int i, int j) {
      if (j > i) return;
      const int I = i / kSide, J = j / kSide, entry = i % kSide * kSide + j % kSide;
      const float* of = parts + (static_cast<long>(I * (I + 1) / 2 + J) * kSide * kSide + entry) * kParts;
      C[static_cast<long>(i) * ldc + j] = i == j ? Real(1) : static_cast<Real>(total_of(kParts, of));
    });
  }

 private:
  VIDA_BOTH long elements() const { return static_cast<long>(blocks) * (blocks + 1) / 2 * kSide * kSide * kParts; }
  VIDA_FN long row(int i) const { return i < n ? i : n - 1; }  // what the last block has too much is not read
};

/// Standard deviations, and a lower Cholesky factor of correlations in single precision.
template <class Real>
struct JitterFactor {
  float* L;         // [rows, ld]
  Real* deviation;  // [n]
  int n, ld;

  VIDA_BOTH JitterFactor(Pieces<Real>& pieces, int n_)
      : L(reinterpret_cast<float*>(pieces.take(padded(n_, kTileRows) * n_))),
        deviation(pieces.take(n_)),
        n(n_),
        ld(n_) {}

  /// C [rows, ldc]: correlations on and below the diagonal, overwritten.
  template <class Team>
  VIDA_FN void set(Team team, const Real* from, Real* C, int ldc) const {
    constexpr Real kLeast = Real(1e-5);  // rounding of correlations is below it
    cholesky(team, n, C, ldc, true, kLeast);
    team.sync();
    for (int i = team.rank(); i < static_cast<int>(padded(n, kTileRows)); i += team.size()) {
      if (i < n) deviation[i] = from[i];
      for (int k = 0; k < n; ++k)
        L[static_cast<long>(i) * ld + k] =
            k <= i && i < n ? static_cast<float>(C[static_cast<long>(i) * ldc + k]) : 0.0f;
    }
  }
};

/// X [n, kTileColumns] <- the parents' columns of E [n, ld]; parents: of these columns.
template <class Team, class Real>
VIDA_FN void offspring(Team team, int n, const Real* E, int ld, const int* parents, Real* X) {
  for_pairs(team, n, kTileColumns, [&](int i, int c) {
    X[static_cast<long>(i) * kTileColumns + c] = E[static_cast<long>(i) * ld + parents[c]];
  });
}

/// X [n, kTileColumns] += share[k] times noise of the factor's covariance in column k; z: standard normal draws
/// [n, kTileColumns / 2]. The second half of the columns takes the noise of the first half with the opposite sign,
/// which halves the draws and keeps noise out of the particles' mean.
template <class Team, class Real>
VIDA_FN void add_jitter(Team team, const JitterFactor<Real>& factor, const float* z, const Real* share, Real* X) {
  using Pack = typename Team::template Pack<float>;
  using Wide = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, float>, kPacks = Team::kSingleLane ? 2 : 1, kHalf = kTileColumns / 2;
  static_assert(kHalf % (kPacks * W) == 0);
  const int n = factor.n;
  for_pairs(team, (n + kTileRows - 1) / kTileRows, kHalf / (kPacks * W), [&](int panel, int piece) {
    const int i0 = panel * kTileRows, c0 = piece * kPacks * W;
    const int depth = n < i0 + kTileRows ? n : i0 + kTileRows;
    const float* L = factor.L + static_cast<long>(i0) * factor.ld;
    Pack sum[kTileRows][kPacks] = {};
    for (int k = 0; k < depth; ++k) {
      Pack draws[kPacks];
      VIDA_UNROLL
      for (int q = 0; q < kPacks; ++q) draws[q] = load<Pack>(z + static_cast<long>(k) * kHalf + c0 + q * W);
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
      Real noise[kPacks * W];
      VIDA_UNROLL
      for (int q = 0; q < kPacks; ++q) store(rounded + q * W, sum[r][q]);
      const Real deviation = factor.deviation[i0 + r];
      VIDA_UNROLL
      for (int v = 0; v < kPacks * W; ++v) noise[v] = deviation * static_cast<Real>(rounded[v]);
      Real* to = X + static_cast<long>(i0 + r) * kTileColumns + c0;
      VIDA_UNROLL
      for (int v = 0; v < kPacks * W; v += width<Wide, Real>) {
        const Wide apart = load<Wide>(noise + v);
        store(to + v, load<Wide>(to + v) + load<Wide>(share + c0 + v) * apart);
        store(to + kHalf + v, load<Wide>(to + kHalf + v) - load<Wide>(share + c0 + kHalf + v) * apart);
      }
    }
  });
}

}  // namespace vida::kernels
