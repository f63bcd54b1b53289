#pragma once

// Models advance the columns of an array [n, ld], one member of an ensemble or one perturbation each. Some columns at a
// time, a group, are brought into a work area that the nearest cache holds, and stay there for all steps.

#include "team.cuh"

namespace vida::kernels {

/// Consecutive pieces of a work area, each a whole number of cache lines. Without memory it only counts.
template <class Real>
struct Pieces {
  Real* memory = nullptr;
  long used = 0;

  VIDA_BOTH Real* take(long count) {
    Real* piece = memory ? memory + used : nullptr;
    used += padded(count, 16);
    return piece;
  }
};

/// A group of columns on a ring of n components: row i holds component i, rows -2, -1 and n repeat the other end.
template <class Real>
struct ColumnRing {
  Real* memory;  // [n + 3, group]
  int n, group;

  VIDA_BOTH static long elements(int n, int group) { return (n + 3L) * group; }
  VIDA_FN Real* row(int i) const { return memory + (i + 2) * group; }
  template <class Pack>
  VIDA_FN Pack at(int i, int column) const {
    return load<Pack>(row(i) + column);
  }
  /// Component i of some columns, in the halo too.
  template <class Pack>
  VIDA_FN void put(int i, int column, Pack value) const {
    store(row(i) + column, value);
    if (i >= n - 2) store(row(i - n) + column, value);
    if (i == 0) store(row(n) + column, value);
  }
};

/// What one group needs during Runge-Kutta steps.
template <class Real>
struct ColumnWork {
  ColumnRing<Real> state, first, second;  // the state, and the states at which stages take their slopes
  Real* sum;                              // [n, group]

  VIDA_BOTH ColumnWork(Pieces<Real>& pieces, int n, int group)
      : state{pieces.take(ColumnRing<Real>::elements(n, group)), n, group},
        first{pieces.take(ColumnRing<Real>::elements(n, group)), n, group},
        second{pieces.take(ColumnRing<Real>::elements(n, group)), n, group},
        sum(pieces.take(static_cast<long>(n) * group)) {}
};

/// One step of the classical Runge-Kutta method for `columns` columns of work.state.
/// slope(stage, ring, i, column): a pack of dv_i/dt where the ring stands.
template <class Team, class Real, class Slope>
VIDA_FN void runge_kutta_columns(Team team, int n, int columns, Real dt, const ColumnWork<Real>& work, Slope slope) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int packs = (columns + W - 1) / W, group = work.state.group;
  const Real half = dt * Real(0.5), third = dt / Real(3), sixth = dt / Real(6);
  const ColumnRing<Real> v = work.state, a = work.first, b = work.second;
  Real* sum = work.sum;
  for_pairs(team, n, packs, [&](int i, int pack) {
    const int c = pack * W;
    const Pack k = slope(0, v, i, c), start = v.template at<Pack>(i, c);
    store(sum + i * group + c, start + sixth * k);
    a.put(i, c, start + half * k);
  });
  team.sync();
  for_pairs(team, n, packs, [&](int i, int pack) {
    const int c = pack * W;
    const Pack k = slope(1, a, i, c);
    store(sum + i * group + c, load<Pack>(sum + i * group + c) + third * k);
    b.put(i, c, v.template at<Pack>(i, c) + half * k);
  });
  team.sync();
  for_pairs(team, n, packs, [&](int i, int pack) {
    const int c = pack * W;
    const Pack k = slope(2, b, i, c);
    store(sum + i * group + c, load<Pack>(sum + i * group + c) + third * k);
    a.put(i, c, v.template at<Pack>(i, c) + dt * k);
  });
  team.sync();
  for_pairs(team, n, packs, [&](int i, int pack) {
    const int c = pack * W;
    const Pack k = slope(3, a, i, c);
    v.put(i, c, load<Pack>(sum + i * group + c) + sixth * k);
  });
}

/// Brings columns first .. first + columns - 1 of X [n, ld] into a ring.
template <class Team, class Real>
VIDA_FN void load_columns(Team team, const Real* X, int ld, int first, int columns, const ColumnRing<Real>& ring) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for_pairs(team, ring.n, (columns + W - 1) / W, [&](int i, int pack) {
    ring.put(i, pack * W, load<Pack>(X + static_cast<long>(i) * ld + first + pack * W));
  });
}

template <class Team, class Real>
VIDA_FN void store_columns(Team team, const ColumnRing<Real>& ring, int first, int columns, Real* X, int ld) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for_pairs(team, ring.n, (columns + W - 1) / W, [&](int i, int pack) {
    store(X + static_cast<long>(i) * ld + first + pack * W, ring.template at<Pack>(i, pack * W));
  });
}

}  // namespace vida::kernels
