#pragma once

// Linear systems with symmetric positive definite matrices and many right-hand sides.

#include "dynamics/columns.cuh"
#include "spd.cuh"

namespace vida::kernels {

/// Work area of spd_solve for n unknowns, leading dimensions lda of the matrix and ldb of the right-hand sides.
template <class Real>
struct SpdSolveWork {
  Real *block, *other, *pivots;  // a diagonal block between two copies, and its pivots
  Real *band, *top;  // block^-1 times the rest of its rows [8, lda] and times their right-hand sides [8, ldb]

  VIDA_BOTH SpdSolveWork(Pieces<Real>& pieces, int n, int lda, int ldb)
      : block(pieces.take(kBlock * kBlock)),
        other(pieces.take(kBlock * kBlock)),
        pivots(pieces.take(padded(n, kBlock))),
        band(pieces.take(kBlock * static_cast<long>(lda) + kTileRows)),
        top(pieces.take(kBlock * static_cast<long>(ldb))) {}
};

/// (A'B)[i, j ..] of a symmetric n x n result: what spd_solve reads, the diagonal blocks and all above them.
template <class Team, class Real, class Epilogue>
VIDA_FN void gemm_tn_upper(Team team, int n, int depth, const Real* A, int lda, const Real* B, int ldb,
                           Epilogue epilogue) {
  constexpr int W = width<typename Team::template Pack<Real>, Real>;
  for_column_panels<Team, Real>(n, [&](auto packs, int column_tiles, int column0) {
    constexpr int kPacks = decltype(packs)::value;
    const int end = static_cast<int>(padded(column0 + kPacks * W * column_tiles, kBlock));
    gemm_tiles<kPacks, true>(team, end < n ? end : n, column_tiles, column0, depth, A, lda, B, ldb, epilogue);
  });
}

/// B <- A^-1 B for a symmetric positive definite A [n, n], which is overwritten, and B [n, columns]; rows of both are
/// allocated to a multiple of four. Below its diagonal blocks A is not read. A = U' D U with blocks of eight pivots in
/// D, each inverted by itself; everything else is products. Backward error: about the rounding times the root of the
/// condition (Demmel, Higham and Schreiber 1995).
template <class Team, class Real>
VIDA_FN void spd_solve(Team team, int n, Real* A, int lda, int columns, Real* B, int ldb,
                       const SpdSolveWork<Real>& work) {
  using Pack = typename Team::template Pack<Real>;
  using Octet = typename Team::template Octet<Real>;
  constexpr int V = width<Octet, Real>, W = width<Pack, Real>;
  for (int k0 = 0; k0 < n; k0 += kBlock) {
    const int size = n - k0 < kBlock ? n - k0 : kBlock, next = k0 + size;
    const int from = next / W * W;  // whole packs, so that stores stay within their rows
    for (int e = team.rank() * V; e < kBlock * kBlock; e += team.size() * V)
      store(work.block + e, block_columns<Team>(A, lda, k0, size, k0 + e / kBlock, e % kBlock, true));
    team.sync();
    invert_block(team, work.block, work.other, work.pivots + k0);
    team.sync();
    gemm(team, size, columns, size, work.block, kBlock, B + k0 * ldb, ldb, Assign<Real>{work.top, ldb});
    if (next < n)
      gemm(team, size, n - from, size, work.block, kBlock, A + k0 * lda + from, lda,
           Assign<Real>{work.band + from, lda});
    team.sync();
    if (next < n) {
      gemm_tn(team, n - next, n - from, size, work.band + next, lda, A + k0 * lda + from, lda,
              [&](int i, int j, Pack value) {
                Real* at = A + (next + i) * lda + from + j;
                store(at, load<Pack>(at) - value);
              });
      gemm_tn(team, n - next, columns, size, work.band + next, lda, B + k0 * ldb, ldb, [&](int i, int j, Pack value) {
        Real* at = B + (next + i) * ldb + j;
        store(at, load<Pack>(at) - value);
      });
      team.sync();
      copy(team, size, lda, work.band, A + k0 * lda);
    }
    copy(team, size, ldb, work.top, B + k0 * ldb);
    if (n > kBlock) team.sync();
  }
  for (int k0 = (n - 1) / kBlock * kBlock - kBlock; k0 >= 0; k0 -= kBlock) {
    const int next = k0 + kBlock;
    gemm(team, kBlock, columns, n - next, A + k0 * lda + next, lda, B + next * ldb, ldb, [&](int i, int j, Pack value) {
      Real* at = B + (k0 + i) * ldb + j;
      store(at, load<Pack>(at) - value);
    });
    if (k0 > 0) team.sync();
  }
}

}  // namespace vida::kernels
