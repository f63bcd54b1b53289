#pragma once

// Inverse, log-determinant and Cholesky factor of symmetric positive definite matrices.

#include "dense.cuh"

namespace vida::kernels {

inline constexpr int kBlock = 8;  // pivots eliminated at once; fixed, since it decides the rounding

/// Scratch of spd_inverse for n rows and leading dimension ld, in elements.
VIDA_BOTH constexpr long spd_scratch(int n, int ld) {
  return 2 * kBlock * kBlock + padded(n, kTileRows) * kBlock + kBlock * ld;
}

/// One row of a Gauss-Jordan step on an 8 x 8 block, an octet of columns at a time: with column k of both rows replaced
/// by that of the identity, the pivot row is scaled and the others lose their multiple of it.
template <class Team, class Real>
VIDA_FN void eliminate(const Real* from, Real* to, int row, int column, int k, Real inverse) {
  using Octet = typename Team::template Octet<Real>;
  const Octet pivot_row =
      Team::template with_element<Real>(load<Octet>(from + k * kBlock + column), k - column, Real(1));
  const Octet value = Team::template with_element<Real>(load<Octet>(from + row * kBlock + column), k - column, Real(0));
  const Octet scaled = pivot_row * inverse;
  store(to + row * kBlock + column, row == k ? scaled : value - from[row * kBlock + k] * scaled);
}

/// block (8 x 8) <- its inverse by Gauss-Jordan elimination between two copies; pivots[k] are the squares of the
/// Cholesky diagonal. 8 is even, so the result is back in `block`.
template <class Team, class Real>
VIDA_FN void invert_block(Team team, Real* block, Real* other, Real* pivots) {
  using Octet = typename Team::template Octet<Real>;
  constexpr int V = width<Octet, Real>;
  for (int k = 0; k < kBlock; ++k) {
    Real* from = k % 2 ? other : block;
    Real* to = k % 2 ? block : other;
    const Real pivot = from[k * kBlock + k];
    if (team.rank() == 0) pivots[k] = pivot;
    const Real inverse = Real(1) / pivot;
    for (int e = team.rank() * V; e < kBlock * kBlock; e += team.size() * V)
      eliminate<Team>(from, to, e / kBlock, e % kBlock, k, inverse);
    if (k + 1 < kBlock) team.sync();
  }
}

/// An octet of A[row, k0 ..]; columns beyond `size` are those of the identity (`diagonal`) or zero.
template <class Team, class Real>
VIDA_FN auto block_columns(const Real* A, int ld, int k0, int size, int row, int column, bool diagonal) {
  using Octet = typename Team::template Octet<Real>;
  if (size == kBlock) return load<Octet>(A + row * ld + k0 + column);
  Real values[width<Octet, Real>];
  for (int v = 0; v < width<Octet, Real>; ++v) {
    const int c = column + v;
    const bool inside = c < size && (!diagonal || row - k0 < size);
    values[v] = inside ? A[row * ld + k0 + c] : (diagonal && row - k0 == c ? Real(1) : Real(0));
  }
  return load<Octet>(values);
}

/// row[column ..] = the octet, as far as there are `size` columns.
template <class Team, class Real, class Octet>
VIDA_FN void put_columns(Real* row, int size, int column, Octet value) {
  if (size == kBlock) return store(row + column, value);
  Real values[width<Octet, Real>];
  store(values, value);
  for (int v = 0; v < width<Octet, Real> && column + v < size; ++v) row[column + v] = values[v];
}

/// A <- A^-1 for a symmetric positive definite A [n, n], by blocked Gauss-Jordan elimination without pivoting (stable
/// for such matrices). pivots [n rounded up to 8]: their product is det A, padded with ones; one that is not positive
/// tells that A was not positive definite. work: spd_scratch(n, ld) elements.
template <class Team, class Real>
VIDA_FN void spd_inverse(Team team, int n, Real* A, int ld, Real* work, Real* pivots) {
  using Pack = typename Team::template Pack<Real>;
  using Octet = typename Team::template Octet<Real>;
  constexpr int V = width<Octet, Real>;
  const int rows = static_cast<int>(padded(n, kTileRows));
  Real* block = work;
  Real* other = block + kBlock * kBlock;
  Real* columns = other + kBlock * kBlock;  // [rows, 8], the block's columns of A
  Real* band = columns + rows * kBlock;     // [8, ld], the block's rows of the result
  for (int k0 = 0; k0 < n; k0 += kBlock) {
    const int size = n - k0 < kBlock ? n - k0 : kBlock;
    for (int e = team.rank() * V; e < kBlock * kBlock; e += team.size() * V)
      store(block + e, block_columns<Team>(A, ld, k0, size, k0 + e / kBlock, e % kBlock, true));
    team.sync();
    invert_block(team, block, other, pivots + k0);
    for (int e = team.rank() * V; e < rows * kBlock; e += team.size() * V)
      store(columns + e, block_columns<Team>(A, ld, k0, size, e / kBlock, e % kBlock, false));
    team.sync();
    // band = block^-1 A[k0 .., :], and block^-1 in the block's own columns
    gemm(team, kBlock, n, size, block, kBlock, A + k0 * ld, ld, Assign<Real>{band, ld});
    team.sync();
    for (int e = team.rank() * V; e < kBlock * kBlock; e += team.size() * V)
      put_columns<Team>(band + e / kBlock * ld + k0, size, e % kBlock, load<Octet>(block + e));
    for (int e = team.rank() * V; e < rows * kBlock; e += team.size() * V)
      put_columns<Team>(A + e / kBlock * ld + k0, size, e % kBlock, Octet{});
    team.sync();
    gemm(team, rows, n, size, columns, kBlock, band, ld, [&](int i, int j, Pack value) {
      if (i < k0 || i >= k0 + size) store(A + i * ld + j, load<Pack>(A + i * ld + j) - value);
    });
    copy(team, size, ld, band, A + k0 * ld);
    if (k0 + kBlock < n) team.sync();
  }
}

/// stable_inverse for few rows, one pivot at a time between A and `other`.
template <class Team, class Real>
VIDA_FN void stable_inverse_of_few(Team team, int n, Real* A, int ld, Real* other) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int packs = (n + W - 1) / W;
  for (int k = 0; k < n; ++k) {
    const Real* from = k % 2 ? other : A;
    Real* to = k % 2 ? A : other;
    const Real* pivots = from + k * ld;
    const Real inverse = Real(1) / pivots[k];
    const auto factor = [&](int i) { return i == k ? inverse : -from[i * ld + k] * inverse; };
    for_pairs(team, n, packs, [&](int i, int pack) {
      const int c = pack * W;
      store(to + i * ld + c,
            (i == k ? Real(0) : Real(1)) * load<Pack>(from + i * ld + c) + factor(i) * load<Pack>(pivots + c));
    });
    team.sync();
    for (int i = team.rank(); i < n; i += team.size()) to[i * ld + k] = factor(i);
    if (k + 1 < n || n % 2) team.sync();
  }
  if (n % 2) copy(team, n, ld, other, A);
}

inline constexpr int kGroup = 4;  // pivots whose multiples are taken from the other rows in one pass

/// Rows k0 .. of A, one pack at column c, through their own pivots: band[m] <- row k0 + m when it is the pivot row,
/// scaled; finished[m] <- what is left of it after all of them. D: factors of the rows and inverses of the pivots.
template <class Team, class Real>
VIDA_FN void pass_own_pivots(const Real* A, int ld, int k0, int size, int c, const Real (&D)[kGroup][kGroup],
                             Real* band, Real* finished) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  Pack row[kGroup];
  VIDA_UNROLL
  for (int m = 0; m < kGroup; ++m) row[m] = m < size ? load<Pack>(A + (k0 + m) * ld + c) : Pack{};
  if (c < k0 + kGroup && c + W > k0) {  // the group's own columns are those of the identity
    VIDA_UNROLL
    for (int m = 0; m < kGroup; ++m) {
      Real values[W];
      store(values, row[m]);
      for (int v = 0; v < W; ++v)
        if (c + v >= k0 && c + v < k0 + kGroup) values[v] = c + v == k0 + m && m < size ? Real(1) : Real(0);
      row[m] = load<Pack>(values);
    }
  }
  VIDA_UNROLL
  for (int m = 0; m < kGroup; ++m) {
    row[m] = D[m][m] * row[m];
    store(band + m * ld + c, row[m]);
    VIDA_UNROLL
    for (int l = 0; l < kGroup; ++l)
      if (l != m) row[l] -= D[l][m] * row[m];
  }
  VIDA_UNROLL
  for (int m = 0; m < kGroup; ++m) store(finished + m * ld + c, row[m]);
}

/// A <- A^-1 for a symmetric positive definite A [n, n] of any condition, by Gauss-Jordan elimination pivot by pivot:
/// the error grows with the condition, that of spd_inverse with its square, since it inverts blocks. Other rows take
/// the multiples of four pivot rows in one pass; every row's multiple is that of elimination one by one. other:
/// [rows, ld].
template <class Team, class Real>
VIDA_CALL void stable_inverse(Team team, int n, Real* A, int ld, Real* other) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  // what follows does not fit into `other` for fewer rows
  if (n <= 3 * kGroup) return stable_inverse_of_few(team, n, A, ld, other);
  Real* band = other;                      // [4, ld]
  Real* finished = band + kGroup * ld;     // [4, ld]
  Real* factors = finished + kGroup * ld;  // [rows, 4]
  for (int k0 = 0; k0 < n; k0 += kGroup) {
    const int size = n - k0 < kGroup ? n - k0 : kGroup;
    Real D[kGroup][kGroup];      // of row l at pivot m; on the diagonal inverses of pivots
    Real upper[kGroup][kGroup];  // pivot rows, scaled, in the group's columns still to come
    VIDA_UNROLL
    for (int l = 0; l < kGroup; ++l) {
      VIDA_UNROLL
      for (int m = 0; m < kGroup; ++m)
        D[l][m] = l < size && m < size ? A[(k0 + l) * ld + k0 + m] : (l == m ? Real(1) : Real(0));
    }
    VIDA_UNROLL
    for (int m = 0; m < kGroup; ++m) {
      D[m][m] = Real(1) / D[m][m];
      VIDA_UNROLL
      for (int c = m + 1; c < kGroup; ++c) {
        D[m][c] *= D[m][m];
        upper[m][c] = D[m][c];
        VIDA_UNROLL
        for (int l = 0; l < kGroup; ++l)
          if (l != m) D[l][c] -= D[l][m] * upper[m][c];
      }
    }
    for (int c = team.rank() * W; c < n; c += team.size() * W)
      pass_own_pivots<Team>(A, ld, k0, size, c, D, band, finished);
    for (int i = team.rank(); i < n; i += team.size()) {
      if (i >= k0 && i < k0 + size) continue;
      Real* own = A + i * ld + k0;
      Real f[kGroup];
      VIDA_UNROLL
      for (int m = 0; m < kGroup; ++m) {
        f[m] = m < size ? own[m] : Real(0);
        VIDA_UNROLL
        for (int c = 0; c < m; ++c) f[m] -= f[c] * upper[c][m];
        factors[i * kGroup + m] = f[m];
      }
      VIDA_UNROLL
      for (int m = 0; m < kGroup; ++m)
        if (m < size) own[m] = Real(0);
    }
    team.sync();
    gemm(team, n, n, kGroup, factors, kGroup, band, ld, [&](int i, int j, Pack value) {
      if (i < k0 || i >= k0 + size) store(A + i * ld + j, load<Pack>(A + i * ld + j) - value);
    });
    copy(team, size, ld, finished, A + k0 * ld);
    if (k0 + kGroup < n) team.sync();
  }
}

/// log det from the pivots, by the calling lane; NaN when one of them is not positive.
template <class Real>
VIDA_FN Real log_determinant(int n, const Real* pivots) {
  EightSums<Real> sums;
  sums.add(n, [&](int i) { return pivots[i] > Real(0) ? std::log(pivots[i]) : Real(NAN); });
  return sums.total();
}

/// A <- its lower Cholesky factor, upper half zero, column by column. A column whose pivot is not above `least` becomes
/// zero when `semidefinite`; otherwise one that is not positive becomes NaN.
template <class Team, class Real>
VIDA_FN void cholesky(Team team, int n, Real* A, int ld, bool semidefinite = false, Real least = Real(0)) {
  for (int k = 0; k < n; ++k) {
    const Real pivot = A[k * ld + k];
    const bool empty = semidefinite && !(pivot > least);
    const Real inverse = empty ? Real(0) : Real(1) / std::sqrt(pivot);
    team.sync();
    for (int i = k + team.rank(); i < n; i += team.size())
      A[i * ld + k] = (i == k && empty) ? Real(0) : A[i * ld + k] * inverse;
    for (int j = k + 1 + team.rank(); j < n; j += team.size()) A[k * ld + j] = Real(0);
    if (k + 1 == n) return;
    team.sync();
    for (int i = k + 1 + team.rank(); i < n; i += team.size())
      for (int j = k + 1; j <= i; ++j) A[i * ld + j] -= A[i * ld + k] * A[j * ld + k];
    team.sync();
  }
}

}  // namespace vida::kernels
