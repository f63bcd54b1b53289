#pragma once

// Symmetric matrices reduced to tridiagonal form, after which a shifted system costs a few operations a row: for the
// many shifts that a minimisation in one variable asks for.

#include "dense.cuh"
#include "dynamics/columns.cuh"

namespace vida::kernels {

/// Q' A Q = T, tridiagonal, and what Q' makes of a vector.
template <class Real>
struct Tridiagonal {
  Real *diagonal, *beside;                     // T[k, k] and T[k + 1, k] [n]
  Real* vector;                                // [n]
  Real *reflector, *product, *update, *along;  // work of the reduction

  VIDA_BOTH Tridiagonal(Pieces<Real>& pieces, int ld)
      : diagonal(pieces.take(ld)),
        beside(pieces.take(ld)),
        vector(pieces.take(ld)),
        reflector(pieces.take(ld)),
        product(pieces.take(ld)),
        update(pieces.take(ld)),
        along(pieces.take(1)) {}
};

/// to.diagonal, to.beside <- the tridiagonal form of a symmetric A [rows, ld], which is lost, and to.vector <- Q' times
/// itself, by Householder's reflections (Golub and Van Loan, Matrix Computations, 8.3.1).
template <class Team, class Real>
VIDA_FN void tridiagonalize(Team team, int n, Real* A, int ld, const Tridiagonal<Real>& to) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  using std::sqrt;
  constexpr Real kNothing = sizeof(Real) == 8 ? Real(1e-290) : Real(1e-30);  // squares beyond it are not exact
  const int packs = (n + W - 1) / W;
  for (int k = 0; k < n - 2; ++k) {
    const Real* row = A + k * ld;
    const Real square = dot(team, n - k - 1, row + k + 1, row + k + 1);
    const bool reflects = !(square <= kNothing);  // NaN goes on
    const Real length = reflects ? sqrt(square) : Real(1);
    const Real sign = row[k + 1] < Real(0) ? Real(-1) : Real(1);
    const Real first = row[k + 1] / length;
    const Real factor = reflects ? Real(1) / (Real(1) + sign * first) : Real(0);  // 2 / v'v
    if (team.rank() == 0) {
      to.diagonal[k] = row[k];
      to.beside[k] = reflects ? -sign * length : row[k + 1];
    }
    for (int c = team.rank(); c < packs * W; c += team.size())
      to.reflector[c] = c <= k || c >= n ? Real(0) : row[c] / length + (c == k + 1 ? sign : Real(0));
    team.sync();
    for (int c = team.rank() * W; c < n; c += team.size() * W) {
      Pack sum = {};
      for (int i = k + 1; i < n; ++i) sum += to.reflector[i] * load<Pack>(A + i * ld + c);
      store(to.product + c, factor * sum);
    }
    if (team.rank() == 0) *to.along = factor * dot(team, n, to.reflector, to.vector);
    team.sync();
    const Real half = Real(0.5) * factor * dot(team, n, to.product, to.reflector);
    for (int c = team.rank() * W; c < n; c += team.size() * W) {
      const Pack v = load<Pack>(to.reflector + c);
      store(to.update + c, load<Pack>(to.product + c) - half * v);
      store(to.vector + c, load<Pack>(to.vector + c) - *to.along * v);
    }
    team.sync();
    for_pairs(team, n - k - 1, packs, [&](int below, int pack) {
      const int i = k + 1 + below, c = pack * W;
      store(A + i * ld + c, load<Pack>(A + i * ld + c) - (to.reflector[i] * load<Pack>(to.update + c) +
                                                          to.update[i] * load<Pack>(to.reflector + c)));
    });
    team.sync();
  }
  for (int k = (n > 2 ? n - 2 : 0) + team.rank(); k < n; k += team.size()) {
    to.diagonal[k] = A[k * ld + k];
    if (k + 1 < n) to.beside[k] = A[k * ld + k + 1];
  }
}

/// x <- (T + shift I)^-1 b for a positive definite matrix, by the calling lane alone. b may be x; inverses: [n].
template <class Real>
VIDA_FN void solve_shifted(int n, const Tridiagonal<Real>& T, Real shift, const Real* b, Real* x, Real* inverses) {
  inverses[0] = Real(1) / (T.diagonal[0] + shift);
  x[0] = b[0];
  for (int k = 1; k < n; ++k) {
    const Real factor = T.beside[k - 1] * inverses[k - 1];
    inverses[k] = Real(1) / (T.diagonal[k] + shift - factor * T.beside[k - 1]);
    x[k] = b[k] - factor * x[k - 1];
  }
  x[n - 1] *= inverses[n - 1];
  for (int k = n - 2; k >= 0; --k) x[k] = (x[k] - T.beside[k] * x[k + 1]) * inverses[k];
}

/// tr (T + shift I)^-1 of a positive definite matrix, by the calling lane alone: the derivative of the logarithm of its
/// determinant, of which every pivot's share is positive.
template <class Real>
VIDA_FN Real inverse_trace(int n, const Tridiagonal<Real>& T, Real shift) {
  Real inverse = Real(1) / (T.diagonal[0] + shift), slope = Real(1), trace = inverse;
  for (int k = 1; k < n; ++k) {
    const Real factor = T.beside[k - 1] * inverse;
    slope = Real(1) + factor * factor * slope;
    inverse = Real(1) / (T.diagonal[k] + shift - factor * T.beside[k - 1]);
    trace += slope * inverse;
  }
  return trace;
}

}  // namespace vida::kernels
