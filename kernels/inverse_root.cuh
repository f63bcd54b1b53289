#pragma once

// The inverse square root of a symmetric positive definite matrix from products and inverses alone, which suit every
// executor better than rotations one after the other.

#include "dynamics/columns.cuh"
#include "spd.cuh"

namespace vida::kernels {

/// One step of inverse_root for eigenvalues in [1, bound].
template <class Real>
struct InverseRootStep {
  Real scale, half_root, next;  // g, sqrt(g) / 2 and the bound after the step

  VIDA_FN explicit InverseRootStep(Real bound) {
    using std::sqrt;
    const Real top = sqrt(bound);
    scale = Real(1) / top, half_root = Real(0.5) * sqrt(scale);
    next = (Real(1) + top) * (Real(1) + top) / (Real(4) * top);
  }
  /// Whether another step is needed: the cube of what is left is above the rounding. An infinite or NaN bound ends it.
  VIDA_FN static bool needed(Real bound) {
    constexpr Real kClose = sizeof(Real) == 8 ? Real(6e-6) : Real(6e-3);
    return bound > Real(1) + kClose && bound < Real(INFINITY);
  }
};

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
/// to 1 the last step is two terms of the series of X^-1/2.
template <class Team, class Real>
VIDA_CALL void inverse_root(Team team, int n, int ld, const Real* M, Real* Z, Real* inverse,
                            const InverseRootWork<Real>& work) {
  using Pack = typename Team::template Pack<Real>;
  const int rows = static_cast<int>(padded(n, kTileRows));
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
  while (first || InverseRootStep<Real>::needed(bound)) {
    const InverseRootStep<Real> step(bound);
    for_packs<Real>(team, rows, ld, [&](int at) {
      const Pack scaled = step.scale * load<Pack>(work.X + at);
      store(work.X + at, scaled), store(work.V + at, scaled);
    });
    team.sync();
    stable_inverse(team, n, work.V, ld, work.product);
    team.sync();
    if (first) {
      for_packs<Real>(team, rows, ld, [&](int at) {
        const Pack value = load<Pack>(work.V + at);
        store(inverse + at, step.scale * value);
        store(Z + at, step.half_root * value);
      });
      team.sync();
      for (int i = team.rank(); i < n; i += team.size()) Z[i * ld + i] += step.half_root;
    } else {
      gemm(team, n, n, n, Z, ld, work.V, ld, Assign<Real>{work.product, ld});
      team.sync();
      for_packs<Real>(team, rows, ld, [&](int at) {
        store(Z + at, step.half_root * (load<Pack>(Z + at) + load<Pack>(work.product + at)));
      });
    }
    for_packs<Real>(team, rows, ld, [&](int at) {
      store(work.X + at, Real(0.25) * (load<Pack>(work.X + at) + load<Pack>(work.V + at)));
    });
    team.sync();
    for (int i = team.rank(); i < n; i += team.size()) work.X[i * ld + i] += Real(0.5);
    bound = step.next;
    first = false;
    team.sync();
  }
  // X = I + E: Z (I - E / 2 + 3 / 8 E^2)
  for (int i = team.rank(); i < n; i += team.size()) work.X[i * ld + i] -= Real(1);
  team.sync();
  gemm(team, n, n, n, work.X, ld, work.X, ld, [&](int i, int j, Pack value) {
    store(work.V + i * ld + j, Real(0.375) * value - Real(0.5) * load<Pack>(work.X + i * ld + j));
  });
  team.sync();
  gemm(team, n, n, n, Z, ld, work.V, ld, Assign<Real>{work.product, ld});
  team.sync();
  for_packs<Real>(team, rows, ld, [&](int at) { store(Z + at, load<Pack>(Z + at) + load<Pack>(work.product + at)); });
}

}  // namespace vida::kernels
