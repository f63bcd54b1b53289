#pragma once

// The inverse square root of a symmetric positive definite matrix from products and inverses alone, which suit every
// executor better than rotations one after the other.

#include "dynamics/columns.cuh"
#include "spd.cuh"

namespace vida::kernels {

/// Work area of inverse_root for matrices [rows, ld], rows a multiple of four.
template <class Real>
struct InverseRootWork {
  Real *X, *V, *product;  // [rows, ld]
  Real* row_sums;

  VIDA_BOTH InverseRootWork(Pieces<Real>& pieces, int n, int ld) {
    const long size = padded(n, kTileRows) * ld;
    X = pieces.take(size), V = pieces.take(size), product = pieces.take(size);
    row_sums = pieces.take(padded(n, 8));
  }
};

/// Z <- M^-1/2 (symmetric) and inverse <- M^-1 for a symmetric M whose eigenvalues are at least 1; M, Z, inverse:
/// [rows, ld], none the same. The product form of the Denman-Beavers iteration with scaling (Cheng, Higham, Kenney and
/// Laub 2001): with X_0 = M, Z_0 = I and g the scale of a step,
///   X <- (2 I + g X + (g X)^-1) / 4,   Z <- sqrt(g) / 2 Z (I + (g X)^-1),
/// whose X tends to I. All eigenvalues of X lie in [1, b], b known beforehand from the largest row sum of M: so g is
/// 1 / sqrt(b), b becomes (1 + sqrt(b))^2 / (4 sqrt(b)), and the number of steps follows from b alone. Once b is close
/// to 1 the last step is the series of X^-1/2 to the fourth power of X - I: a product more than to the second, and
/// often an inverse less.
template <class Team, class Real>
VIDA_FN void inverse_root(Team team, int n, int ld, const Real* M, Real* Z, Real* inverse,
                          const InverseRootWork<Real>& work) {
  using Pack = typename Team::template Pack<Real>;
  using std::sqrt;
  const int rows = static_cast<int>(padded(n, kTileRows));
  constexpr Real kClose = sizeof(Real) == 8 ? Real(9e-4) : Real(4e-2);  // 1/4 of its fifth power is a rounding
  for (int i = team.rank(); i < n; i += team.size()) {
    Real sum = Real(0);
    for (int j = 0; j < n; ++j) sum += std::abs(M[i * ld + j]);
    work.row_sums[i] = sum;
  }
  copy(team, rows, ld, M, work.X);
  team.sync();
  Real bound = Real(1);
  for (int i = 0; i < n; ++i) bound = work.row_sums[i] > bound ? work.row_sums[i] : bound;
  bool first = true;
  while (first || (bound > Real(1) + kClose && bound < Real(INFINITY))) {  // an infinite or NaN bound ends it
    const Real top = sqrt(bound), scale = Real(1) / top, root = sqrt(scale);
    for_packs<Real>(team, rows, ld, [&](int at) {
      const Pack scaled = scale * load<Pack>(work.X + at);
      store(work.X + at, scaled), store(work.V + at, scaled);
    });
    team.sync();
    stable_inverse(team, n, work.V, ld, work.product);
    team.sync();
    if (first) {
      for_packs<Real>(team, rows, ld, [&](int at) {
        const Pack value = load<Pack>(work.V + at);
        store(inverse + at, scale * value);
        store(Z + at, (Real(0.5) * root) * value);
      });
      team.sync();
      for (int i = team.rank(); i < n; i += team.size()) Z[i * ld + i] += Real(0.5) * root;
    } else {
      gemm(team, n, n, n, Z, ld, work.V, ld, Assign<Real>{work.product, ld});
      team.sync();
      for_packs<Real>(team, rows, ld, [&](int at) {
        store(Z + at, (Real(0.5) * root) * (load<Pack>(Z + at) + load<Pack>(work.product + at)));
      });
    }
    for_packs<Real>(team, rows, ld, [&](int at) {
      store(work.X + at, Real(0.25) * (load<Pack>(work.X + at) + load<Pack>(work.V + at)));
    });
    team.sync();
    for (int i = team.rank(); i < n; i += team.size()) work.X[i * ld + i] += Real(0.5);
    bound = (Real(1) + top) * (Real(1) + top) / (Real(4) * top);
    first = false;
    team.sync();
  }
  // X = I + E: Z (I - E / 2 + 3 / 8 E^2 + E^2 (35 / 128 E^2 - 5 / 16 E))
  for (int i = team.rank(); i < n; i += team.size()) work.X[i * ld + i] -= Real(1);
  team.sync();
  gemm(team, n, n, n, work.X, ld, work.X, ld, Assign<Real>{work.product, ld});
  team.sync();
  for_packs<Real>(team, rows, ld, [&](int at) {
    const Pack E = load<Pack>(work.X + at), square = load<Pack>(work.product + at);
    store(work.V + at, Real(0.375) * square - Real(0.5) * E);
    store(work.X + at, Real(0.2734375) * square - Real(0.3125) * E);
  });
  team.sync();
  gemm(team, n, n, n, work.product, ld, work.X, ld, AddTo<Real>{work.V, work.V, ld});
  team.sync();
  gemm(team, n, n, n, Z, ld, work.V, ld, Assign<Real>{work.product, ld});
  team.sync();
  for_packs<Real>(team, rows, ld, [&](int at) { store(Z + at, load<Pack>(Z + at) + load<Pack>(work.product + at)); });
}

}  // namespace vida::kernels
