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
};

/// Where the series of X^-1/2 to the second or the fourth power takes over: what it leaves out is below the rounding.
template <class Real>
inline constexpr Real kCloseForSecondPower = sizeof(Real) == 8 ? Real(6e-6) : Real(6e-3);
template <class Real>
inline constexpr Real kCloseForFourthPower = sizeof(Real) == 8 ? Real(9e-4) : Real(4e-2);

/// Whether eigenvalues up to `bound` need another step before the series. An infinite or NaN bound does not.
template <class Real>
VIDA_FN bool needs_step(Real bound, Real close) {
  return bound > Real(1) + close && bound < Real(INFINITY);
}

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
  while (first || needs_step(bound, kCloseForFourthPower<Real>)) {
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
