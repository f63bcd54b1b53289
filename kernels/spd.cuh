#pragma once

// Inverse, log-determinant and Cholesky factor of symmetric positive definite matrices.

#include "dense.cuh"

namespace vida::kernels {

inline constexpr int kBlock = 8;  // pivots eliminated at once; fixed, since it decides the rounding

/// Scratch of spd_inverse for n rows and leading dimension ld, in elements.
VIDA_BOTH constexpr long spd_scratch(int n, int ld) {
  return 2 * kBlock * kBlock + padded(n, kTileRows) * kBlock + kBlock * ld;
}

/// row -= factor * pivot_row with column k of row taken as zero first; for the pivot row itself (factor unused)
/// pivot_row * inverse with column k taken as one.
template <class Octet, class Real>
VIDA_FN void eliminate(const Real* from, Real* to, int row, int column, int k, Real inverse) {
  constexpr int V = width<Octet, Real>;
  Octet pivot_row = load<Octet>(from + k * kBlock + column);
  Octet value = load<Octet>(from + row * kBlock + column);
  if constexpr (V == 1) {
    if (column == k) pivot_row = Real(1), value = Real(0);
  } else {
    pivot_row[k] = Real(1);
    value[k] = Real(0);
  }
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
      eliminate<Octet>(from, to, e / kBlock, e % kBlock, k, inverse);
    if (k + 1 < kBlock) team.sync();
  }
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
    for (int e = team.rank() * V; e < kBlock * kBlock; e += team.size() * V) {
      const int r = e / kBlock, c = e % kBlock;
      if (size == kBlock) {
        store(block + e, load<Octet>(A + (k0 + r) * ld + k0 + c));
      } else {
        for (int v = 0; v < V; ++v)
          block[e + v] = r < size && c + v < size ? A[(k0 + r) * ld + k0 + c + v] : (r == c + v ? Real(1) : Real(0));
      }
    }
    team.sync();
    invert_block(team, block, other, pivots + k0);
    for (int e = team.rank() * V; e < rows * kBlock; e += team.size() * V) {
      const int r = e / kBlock, c = e % kBlock;
      if (size == kBlock) {
        store(columns + e, load<Octet>(A + r * ld + k0 + c));
      } else {
        for (int v = 0; v < V; ++v) columns[e + v] = c + v < size ? A[r * ld + k0 + c + v] : Real(0);
      }
    }
    team.sync();
    // band = block^-1 A[k0 .., :], then the identity's columns become block^-1
    gemm(team, kBlock, ld, size, block, kBlock, A + k0 * ld, ld, Assign<Real>{band, ld});
    team.sync();
    for (int e = team.rank(); e < kBlock * kBlock; e += team.size()) {
      const int r = e / kBlock, c = e % kBlock;
      if (c < size) band[r * ld + k0 + c] = block[e];
    }
    for (int r = team.rank(); r < rows; r += team.size())
      for (int c = 0; c < size; ++c) A[r * ld + k0 + c] = Real(0);
    team.sync();
    gemm(team, rows, ld, size, columns, kBlock, band, ld, [&](int i, int j, Pack value) {
      if (i < k0 || i >= k0 + size) store(A + i * ld + j, load<Pack>(A + i * ld + j) - value);
    });
    team.sync();
    for (int r = 0; r < size; ++r) copy(team, 1, ld, band + r * ld, A + (k0 + r) * ld);
    if (k0 + kBlock < n) team.sync();
  }
}

/// log det from the pivots, by the calling lane; NaN when one of them is not positive.
template <class Real>
VIDA_FN Real log_determinant(int n, const Real* pivots) {
  EightSums<Real> sums;
  for (int i = 0; i < n; ++i) sums.part[i % 8] += pivots[i] > Real(0) ? std::log(pivots[i]) : Real(NAN);
  return sums.total();
}

/// A <- its lower Cholesky factor, upper half zero, column by column. A column whose pivot is not positive becomes zero
/// when `semidefinite`, NaN otherwise.
template <class Team, class Real>
VIDA_FN void cholesky(Team team, int n, Real* A, int ld, bool semidefinite = false) {
  for (int k = 0; k < n; ++k) {
    const Real pivot = A[k * ld + k];
    const bool empty = semidefinite && !(pivot > Real(0));
    const Real inverse = empty ? Real(0) : Real(1) / std::sqrt(pivot);
    team.sync();
    for (int i = k + team.rank(); i < n; i += team.size()) A[i * ld + k] = (i == k && empty) ? Real(0) : A[i * ld + k] * inverse;
    for (int j = k + 1 + team.rank(); j < n; j += team.size()) A[k * ld + j] = Real(0);
    team.sync();
    for (int i = k + 1 + team.rank(); i < n; i += team.size())
      for (int j = k + 1; j <= i; ++j) A[i * ld + j] -= A[i * ld + k] * A[j * ld + k];
    if (k + 1 < n) team.sync();
  }
}

}  // namespace vida::kernels
