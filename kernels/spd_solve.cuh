#pragma once

// Linear systems with symmetric positive definite matrices and many right-hand sides.

#include "dynamics/columns.cuh"
#include "spd.cuh"

namespace vida::kernels {

/// Work area of spd_solve for n unknowns, leading dimensions lda of the matrix and ldb of the right-hand sides.
template <class Real>
struct SpdSolveWork {
  Real *block, *other;  // a diagonal block between two copies
  Real* inverses;       // of the factors of the diagonal blocks, 8 x 8 each
  Real *band, *top;     // a block's rows of the factor [8, lda] and of the right-hand sides [8, ldb]

  VIDA_BOTH SpdSolveWork(Pieces<Real>& pieces, int n, int lda, int ldb)
      : block(pieces.take(kBlock * kBlock)),
        other(pieces.take(kBlock * kBlock)),
        inverses(pieces.take(kBlock * padded(n, kBlock))),
        band(pieces.take(kBlock * static_cast<long>(lda) + kTileRows)),
        top(pieces.take(kBlock * static_cast<long>(ldb))) {}
};

/// inverse (8 x 8) <- L^-1 for block = L L', by elimination between two copies: step k leaves the pivot in its place
/// and column k of the inverse, times the root of its row's pivot, below it.
template <class Team, class Real>
VIDA_FN void invert_factor(Team team, Real* block, Real* other, Real* inverse) {
  using Octet = typename Team::template Octet<Real>;
  using std::sqrt;
  constexpr int V = width<Octet, Real>;
  for (int k = 0; k < kBlock; ++k) {
    const Real* from = k % 2 ? other : block;
    Real* to = k % 2 ? block : other;
    const Real reciprocal = Real(1) / from[k * kBlock + k];
    for (int e = team.rank() * V; e < kBlock * kBlock; e += team.size() * V) {
      const int row = e / kBlock, column = e % kBlock;
      Octet value = load<Octet>(from + e);
      if (row > k)
        value = Team::template with_element<Real>(value, k - column, Real(0)) -
                from[row * kBlock + k] * reciprocal *
                    Team::template with_element<Real>(load<Octet>(from + k * kBlock + column), k - column, Real(1));
      store(to + e, value);
    }
    team.sync();
  }
  for (int e = team.rank(); e < kBlock * kBlock; e += team.size()) {
    const int row = e / kBlock, column = e % kBlock;
    const Real scale = Real(1) / sqrt(block[row * kBlock + row]);
    inverse[e] = column > row ? Real(0) : column == row ? scale : scale * block[e];
  }
}

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
/// allocated to a multiple of four. Below its diagonal blocks A is not read. The Cholesky factor U of A = U'U in blocks
/// of eight rows, whose diagonal blocks are inverted by themselves; everything else is products.
template <class Team, class Real>
VIDA_FN void spd_solve(Team team, int n, Real* A, int lda, int columns, Real* B, int ldb,
                       const SpdSolveWork<Real>& work) {
  using Pack = typename Team::template Pack<Real>;
  using Octet = typename Team::template Octet<Real>;
  constexpr int V = width<Octet, Real>, W = width<Pack, Real>;
  for (int k0 = 0; k0 < n; k0 += kBlock) {
    const int size = n - k0 < kBlock ? n - k0 : kBlock, next = k0 + size;
    const int from = next / W * W;  // whole packs, so that stores stay within their rows
    const Real* inverse = work.inverses + k0 * kBlock;
    for (int e = team.rank() * V; e < kBlock * kBlock; e += team.size() * V)
      store(work.block + e, block_columns<Team>(A, lda, k0, size, k0 + e / kBlock, e % kBlock, true));
    team.sync();
    invert_factor(team, work.block, work.other, work.inverses + k0 * kBlock);
    team.sync();
    gemm(team, size, columns, size, inverse, kBlock, B + k0 * ldb, ldb, Assign<Real>{work.top, ldb});
    if (next < n)
      gemm(team, size, n - from, size, inverse, kBlock, A + k0 * lda + from, lda, Assign<Real>{work.band + from, lda});
    team.sync();
    if (next < n) {
      gemm_tn(team, n - next, n - from, size, work.band + next, lda, work.band + from, lda,
              [&](int i, int j, Pack value) {
                Real* at = A + (next + i) * lda + from + j;
                store(at, load<Pack>(at) - value);
              });
      gemm_tn(team, n - next, columns, size, work.band + next, lda, work.top, ldb, [&](int i, int j, Pack value) {
        Real* at = B + (next + i) * ldb + j;
        store(at, load<Pack>(at) - value);
      });
      copy(team, size, lda, work.band, A + k0 * lda);
    }
    copy(team, size, ldb, work.top, B + k0 * ldb);
    team.sync();
  }
  for (int k0 = (n - 1) / kBlock * kBlock; k0 >= 0; k0 -= kBlock) {
    const int size = n - k0 < kBlock ? n - k0 : kBlock, next = k0 + size;
    if (next < n) {
      gemm(team, size, columns, n - next, A + k0 * lda + next, lda, B + next * ldb, ldb, [&](int i, int j, Pack value) {
        store(work.top + i * ldb + j, load<Pack>(B + (k0 + i) * ldb + j) - value);
      });
      team.sync();
    }
    gemm_tn(team, size, columns, size, work.inverses + k0 * kBlock, kBlock, work.top, ldb,
            [&](int i, int j, Pack value) { store(B + (k0 + i) * ldb + j, value); });
    if (k0 > 0) team.sync();
  }
}

}  // namespace vida::kernels
