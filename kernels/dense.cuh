#pragma once

// Dense linear algebra of one team. Matrices are row-major with a leading dimension that is a multiple of the pack
// width and at least four rows' worth of padding below: rows are allocated to a multiple of four. What stands in the
// padding has no meaning; sums run over the true extents only, so it never reaches a result.

#include "team.cuh"

namespace vida::kernels {

inline constexpr int kTileRows = 4;

/// A tile of 4 x Packs packs of A B in registers, for every tile of the output. A tile's packs lie `column_tiles` packs
/// apart, so that neighbouring lanes read neighbouring columns. Transposed: A' is what is stored.
template <int Packs, bool Transposed, class Team, class Real, class Epilogue>
VIDA_FN void gemm_tiles(Team team, int rows, int column_tiles, int column0, int depth, const Real* A, int lda,
                        const Real* B, int ldb, Epilogue epilogue) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int tiles = (rows + kTileRows - 1) / kTileRows * column_tiles;
  for (int tile = team.rank(); tile < tiles; tile += team.size()) {
    const int i = tile / column_tiles * kTileRows;
    const int j = column0 + tile % column_tiles * W;
    const int step = column_tiles * W;
    Pack sum[kTileRows][Packs] = {};
    const Real* a = Transposed ? A + i : A + i * lda;
    const Real* b = B + j;
    for (int k = 0; k < depth; ++k, b += ldb) {
      Pack column[Packs];
      VIDA_UNROLL
      for (int c = 0; c < Packs; ++c) column[c] = load<Pack>(b + c * step);
      VIDA_UNROLL
      for (int r = 0; r < kTileRows; ++r) {
        const Real factor = Transposed ? a[k * lda + r] : a[r * lda + k];
        VIDA_UNROLL
        for (int c = 0; c < Packs; ++c) sum[r][c] += factor * column[c];
      }
    }
    VIDA_UNROLL
    for (int r = 0; r < kTileRows; ++r) {
      VIDA_UNROLL
      for (int c = 0; c < Packs; ++c) epilogue(i + r, j + c * step, sum[r][c]);
    }
  }
}

/// Calls tiles(panel width in packs, column tiles, first column) so that every column is covered by register tiles.
template <class Team, class Real, class Tiles>
VIDA_FN void for_column_panels(int columns, Tiles tiles) {
  constexpr int W = width<typename Team::template Pack<Real>, Real>;
  constexpr int kMax = Team::kTilePacks;
  const int packs = (columns + W - 1) / W;
  if constexpr (W == 1) {
    tiles(std::integral_constant<int, kMax>{}, (packs + kMax - 1) / kMax, 0);
  } else {
    int done = 0;
    for (; packs - done >= kMax; done += kMax) tiles(std::integral_constant<int, kMax>{}, 1, done * W);
    if (packs - done == 4 && kMax > 4) tiles(std::integral_constant<int, 4>{}, 1, done * W);
    if (packs - done == 3 && kMax > 3) tiles(std::integral_constant<int, 3>{}, 1, done * W);
    if (packs - done == 2) tiles(std::integral_constant<int, 2>{}, 1, done * W);
    if (packs - done == 1) tiles(std::integral_constant<int, 1>{}, 1, done * W);
  }
}

/// epilogue(i, j, pack) receives (A B)[i, j ..] once per pack. A: [rows, depth], B: [depth, columns]. The epilogue's
/// target must not overlap A or B.
template <class Team, class Real, class Epilogue>
VIDA_FN void gemm(Team team, int rows, int columns, int depth, const Real* A, int lda, const Real* B, int ldb,
                  Epilogue epilogue) {
  for_column_panels<Team, Real>(columns, [&](auto packs, int column_tiles, int column0) {
    gemm_tiles<decltype(packs)::value, false>(team, rows, column_tiles, column0, depth, A, lda, B, ldb, epilogue);
  });
}

/// The same for A' B, A: [depth, rows], readable to a multiple of four columns.
template <class Team, class Real, class Epilogue>
VIDA_FN void gemm_tn(Team team, int rows, int columns, int depth, const Real* A, int lda, const Real* B, int ldb,
                     Epilogue epilogue) {
  for_column_panels<Team, Real>(columns, [&](auto packs, int column_tiles, int column0) {
    gemm_tiles<decltype(packs)::value, true>(team, rows, column_tiles, column0, depth, A, lda, B, ldb, epilogue);
  });
}

/// target = A B
template <class Real>
struct Assign {
  Real* target;
  int ld;
  template <class Pack>
  VIDA_FN void operator()(int i, int j, Pack value) const {
    store(target + i * ld + j, value);
  }
};

/// target = addend + A B; the addend may be the target.
template <class Real>
struct AddTo {
  Real* target;
  const Real* addend;
  int ld;
  template <class Pack>
  VIDA_FN void operator()(int i, int j, Pack value) const {
    store(target + i * ld + j, load<Pack>(addend + i * ld + j) + value);
  }
};

/// function(offset) for each pack of a padded rows x ld matrix.
template <class Real, class Team, class Function>
VIDA_FN void for_packs(Team team, int rows, int ld, Function function) {
  constexpr int W = width<typename Team::template Pack<Real>, Real>;
  for (int offset = team.rank() * W; offset < rows * ld; offset += team.size() * W) function(offset);
}

template <class Team, class Real>
VIDA_FN void copy(Team team, int rows, int ld, const Real* from, Real* to) {
  using Pack = typename Team::template Pack<Real>;
  for_packs<Real>(team, rows, ld, [&](int at) { store(to + at, load<Pack>(from + at)); });
}

/// A <- (A + A') / 2 for A [n, n].
template <class Team, class Real>
VIDA_FN void symmetrize(Team team, int n, Real* A, int ld) {
  for (int i = team.rank(); i < n; i += team.size())
    for (int k = 0; k < i; ++k) {
      const Real mean = Real(0.5) * (A[i * ld + k] + A[k * ld + i]);
      A[i * ld + k] = mean;
      A[k * ld + i] = mean;
    }
}

/// y = x' B, B: [depth, columns], y padded like a row of B. finish(j, pack) receives the result.
template <class Team, class Real, class Finish>
VIDA_FN void vector_times(Team team, int columns, int depth, const Real* x, const Real* B, int ldb, Finish finish) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for (int j = team.rank() * W; j < columns; j += team.size() * W) {
    Pack sum = {};
    for (int k = 0; k < depth; ++k) sum += x[k] * load<Pack>(B + k * ldb + j);
    finish(j, sum);
  }
}

/// Eight running sums, added up in one fixed tree: the same result for every executor.
template <class Real>
struct EightSums {
  Real part[8] = {};
  /// value(i) of i = 0 .. n - 1, each to its part; unrolled, so that the parts are registers.
  template <class Value>
  VIDA_FN void add(int n, Value value) {
    for (int first = 0; first < n; first += 8) {
      VIDA_UNROLL
      for (int k = 0; k < 8; ++k)
        if (first + k < n) part[k] += value(first + k);
    }
  }
  VIDA_FN Real total() const {
    return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  }
};

/// An octet in pieces that registers hold: compilers keep longer vectors in memory.
template <class Team, class Real>
using OctetPart =
    std::conditional_t<(sizeof(typename Team::template Pack<Real>) < sizeof(typename Team::template Octet<Real>)),
                       typename Team::template Pack<Real>, typename Team::template Octet<Real>>;

/// sum_i x_i y_i by the calling lane alone.
template <class Team, class Real>
VIDA_FN Real dot(Team, int n, const Real* x, const Real* y) {
  using Part = OctetPart<Team, Real>;
  constexpr int V = width<Part, Real>;
  EightSums<Real> sums;
  if constexpr (V > 1) {
    Part running[8 / V] = {};
    int i = 0;
    for (; i + 8 <= n; i += 8) {
      VIDA_UNROLL
      for (int k = 0; k < 8 / V; ++k) running[k] += load<Part>(x + i + k * V) * load<Part>(y + i + k * V);
    }
    VIDA_UNROLL
    for (int k = 0; k < 8 / V; ++k) store(sums.part + k * V, running[k]);
    for (int k = 0; i + k < n; ++k) sums.part[k] += x[i + k] * y[i + k];
  } else {
    sums.add(n, [&](int i) { return x[i] * y[i]; });
  }
  return sums.total();
}

/// sum_i f(x_i) by the calling lane alone, in the same tree; f takes a vector or one number.
template <class Team, class Real, class Function>
VIDA_FN Real sum_of(Team, int n, const Real* x, Function f) {
  using Part = OctetPart<Team, Real>;
  constexpr int V = width<Part, Real>;
  EightSums<Real> sums;
  if constexpr (V > 1) {
    Part running[8 / V] = {};
    int i = 0;
    for (; i + 8 <= n; i += 8) {
      VIDA_UNROLL
      for (int k = 0; k < 8 / V; ++k) running[k] += f(load<Part>(x + i + k * V));
    }
    VIDA_UNROLL
    for (int k = 0; k < 8 / V; ++k) store(sums.part + k * V, running[k]);
    for (int k = 0; i + k < n; ++k) sums.part[k] += f(x[i + k]);
  } else {
    sums.add(n, [&](int i) { return f(x[i]); });
  }
  return sums.total();
}

template <class Team, class Real>
VIDA_FN Real sum(Team team, int n, const Real* x) {
  return sum_of(team, n, x, [](auto value) { return value; });
}

/// row_sums[i] = sum_j A[i, j] B[i, j]; total_of(row_sums) after a barrier is <A, B>.
template <class Team, class Real>
VIDA_FN void row_dots(Team team, int rows, int columns, const Real* A, int lda, const Real* B, int ldb,
                      Real* row_sums) {
  for (int i = team.rank(); i < rows; i += team.size()) row_sums[i] = dot(team, columns, A + i * lda, B + i * ldb);
}

/// Sum of x by the calling lane, in the fixed tree.
template <class Real>
VIDA_FN Real total_of(int n, const Real* x) {
  EightSums<Real> sums;
  sums.add(n, [&](int i) { return x[i]; });
  return sums.total();
}

}  // namespace vida::kernels
