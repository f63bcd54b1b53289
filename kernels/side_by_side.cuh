#pragma once

// Small matrices worked side by side: element (i, j) of matrix g is at [(i columns + j) group + g], so that
// neighbouring lanes, or the elements of a pack, do the same for different matrices. Nothing depends on how many there
// are.

#include "inverse_root.cuh"

namespace vida::kernels {

/// `count` of up to `group` matrices.
struct SideBySide {
  int group, count;

  /// function(i, j, g): g is the first matrix of a pack.
  template <class Real, class Team, class Function>
  VIDA_FN void elements(Team team, int rows, int columns, Function function) const {
    constexpr int W = width<typename Team::template Pack<Real>, Real>;
    for_triples(team, rows, columns, (count + W - 1) / W, [&](int i, int j, int pack) { function(i, j, pack * W); });
  }
};

/// epilogue(i, j, g, pack) receives sum_k a(i, k) b(k, j), where row i of the first factor begins at A + i a_row and
/// goes on in steps of a_step elements, row k of the second at B + k b_row with columns `group` apart. Where a
/// thread works alone it takes 2 x 4 results at a time.
template <class Team, class Real, class Epilogue>
VIDA_FN void side_by_side_product(Team team, SideBySide set, int rows, int columns, int depth, const Real* A, int a_row,
                                  int a_step, const Real* B, int b_row, Epilogue epilogue) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int R = Team::kSingleLane ? 2 : 1, C = Team::kSingleLane ? 4 : 1;
  set.elements<Real>(team, (rows + R - 1) / R, (columns + C - 1) / C, [&](int tile_row, int tile_column, int g) {
    const int i0 = tile_row * R, j0 = tile_column * C;
    const Real *a[R], *b[C];
    VIDA_UNROLL
    for (int r = 0; r < R; ++r) a[r] = A + (i0 + r < rows ? i0 + r : i0) * a_row + g;
    VIDA_UNROLL
    for (int c = 0; c < C; ++c) b[c] = B + (j0 + c < columns ? j0 + c : j0) * set.group + g;
    Pack sum[R][C] = {};
    for (int k = 0; k < depth; ++k) {
      Pack row[C];
      VIDA_UNROLL
      for (int c = 0; c < C; ++c) row[c] = load<Pack>(b[c] + k * b_row);
      VIDA_UNROLL
      for (int r = 0; r < R; ++r) {
        const Pack factor = load<Pack>(a[r] + k * a_step);
        VIDA_UNROLL
        for (int c = 0; c < C; ++c) sum[r][c] += factor * row[c];
      }
    }
    VIDA_UNROLL
    for (int r = 0; r < R; ++r) {
      VIDA_UNROLL
      for (int c = 0; c < C; ++c)
        if (i0 + r < rows && j0 + c < columns) epilogue(i0 + r, j0 + c, g, sum[r][c]);
    }
  });
}

/// A <- A^-1 for symmetric positive definite n x n matrices, one pivot at a time between A and `other`; returns where
/// the result is. The arithmetic of stable_inverse.
template <class Team, class Real>
VIDA_FN Real* side_by_side_inverse(Team team, SideBySide set, int n, Real* A, Real* other) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int G = set.group, row = n * G;
  for (int k = 0; k < n; ++k) {
    const Real* from = k % 2 ? other : A;
    Real* to = k % 2 ? A : other;
    for_pairs(team, n, (set.count + W - 1) / W, [&](int i, int pack) {
      const Real* pivots = from + k * row + pack * W;
      const Real* source = from + i * row + pack * W;
      Real* target = to + i * row + pack * W;
      const Pack inverse = Real(1) / load<Pack>(pivots + k * G);
      if (i == k) {
        for (int j = 0; j < n; ++j) store(target + j * G, inverse * load<Pack>(pivots + j * G));
        store(target + k * G, inverse);
      } else {
        const Pack factor = -load<Pack>(source + k * G) * inverse;
        for (int j = 0; j < n; ++j)
          store(target + j * G, load<Pack>(source + j * G) + factor * load<Pack>(pivots + j * G));
        store(target + k * G, factor);
      }
    });
    if (k + 1 < n) team.sync();
  }
  return n % 2 ? other : A;
}

/// M^-1/2 of matrices whose eigenvalues lie in [1, bound], one bound for all: the iteration of inverse_root. X: M,
/// which is overwritten; Z, V, P: work. with_inverse(V, scale) runs once between barriers, when scale V is M^-1.
/// Returns where the roots are.
template <class Team, class Real, class WithInverse>
VIDA_FN Real* side_by_side_inverse_root(Team team, SideBySide set, int n, Real bound, Real* X, Real* Z, Real* V,
                                        Real* P, WithInverse with_inverse) {
  using Pack = typename Team::template Pack<Real>;
  const int G = set.group, row = n * G;
  const auto swap = [](Real*& a, Real*& b) {
    Real* const c = a;
    a = b, b = c;
  };
  const auto at = [&](int i, int j, int g) { return i * row + j * G + g; };
  bool first = true;
  while (first || needs_step(bound, kCloseForSecondPower<Real>)) {
    const InverseRootStep<Real> step(bound);
    set.elements<Real>(team, n, n, [&](int i, int j, int g) {
      const Pack scaled = step.scale * load<Pack>(X + at(i, j, g));
      store(X + at(i, j, g), scaled), store(V + at(i, j, g), scaled);
    });
    team.sync();
    if (side_by_side_inverse(team, set, n, V, P) == P) swap(V, P);
    team.sync();
    if (first) {
      with_inverse(V, step.scale);
      set.elements<Real>(team, n, n, [&](int i, int j, int g) {
        store(Z + at(i, j, g), step.half_root * (load<Pack>(V + at(i, j, g)) + (i == j ? Real(1) : Real(0))));
      });
    } else {
      side_by_side_product(team, set, n, n, n, Z, row, G, V, row, [&](int i, int j, int g, Pack value) {
        store(P + at(i, j, g), step.half_root * (load<Pack>(Z + at(i, j, g)) + value));
      });
    }
    set.elements<Real>(team, n, n, [&](int i, int j, int g) {
      store(X + at(i, j, g),
            Real(0.25) * (load<Pack>(X + at(i, j, g)) + load<Pack>(V + at(i, j, g))) + (i == j ? Real(0.5) : Real(0)));
    });
    if (!first) swap(Z, P);
    bound = step.next, first = false;
    team.sync();
  }
  // X = I + E: Z (I - E / 2 + 3 / 8 E^2)
  set.elements<Real>(team, n, 1,
                     [&](int i, int, int g) { store(X + at(i, i, g), load<Pack>(X + at(i, i, g)) - Real(1)); });
  team.sync();
  side_by_side_product(team, set, n, n, n, X, row, G, X, row, [&](int i, int j, int g, Pack value) {
    store(V + at(i, j, g), Real(0.375) * value - Real(0.5) * load<Pack>(X + at(i, j, g)));
  });
  team.sync();
  side_by_side_product(team, set, n, n, n, Z, row, G, V, row, [&](int i, int j, int g, Pack value) {
    store(P + at(i, j, g), load<Pack>(Z + at(i, j, g)) + value);
  });
  return P;
}

}  // namespace vida::kernels
