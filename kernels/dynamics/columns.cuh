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

/// Bytes of a work area that is made of pieces for these extents.
template <class Work, class Real, class... Extents>
std::size_t work_bytes(const Extents&... extents) {
  Pieces<Real> pieces;
  (void)Work(pieces, extents...);
  return sizeof(Real) * static_cast<std::size_t>(pieces.used);
}

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
  /// The same for a lane that does every row, from 0 on: the halo is closed after the last.
  template <class Team, class Pack>
  VIDA_FN void put_next(Team, int i, int column, Pack value) const {
    if constexpr (Team::kSingleLane)
      store(row(i) + column, value);
    else
      put(i, column, value);
  }
  template <class Team>
  VIDA_FN void close(Team) const {
    if constexpr (Team::kSingleLane) {
      for (int c = 0; c < 2 * group; ++c) memory[c] = row(n - 2)[c];
      for (int c = 0; c < group; ++c) row(n)[c] = row(0)[c];
    }
  }
};

/// put(i, column, value(i, column)) for all rows of some packs, value a struct. One lane computes some rows before it
/// stores them, so that what neighbours share is loaded once. No value may depend on what others put.
template <class Real, class Team, class Value, class Put>
VIDA_FN void for_rows(Team team, int n, int packs, Value value, Put put) {
  constexpr int W = width<typename Team::template Pack<Real>, Real>, kTogether = 4;
  if constexpr (Team::kSingleLane) {
    for (int pack = 0; pack < packs; ++pack) {
      const int c = pack * W;
      int i = 0;
      for (; i + kTogether <= n; i += kTogether) {
        const auto first = value(i, c), second = value(i + 1, c), third = value(i + 2, c), fourth = value(i + 3, c);
        put(i, c, first), put(i + 1, c, second), put(i + 2, c, third), put(i + 3, c, fourth);
      }
      for (; i < n; ++i) put(i, c, value(i, c));
    }
  } else {
    for_pairs(team, n, packs, [&](int i, int pack) { put(i, pack * W, value(i, pack * W)); });
  }
}

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
  // one lane has one pack, so that all distances are known at compile time
  const int packs = Team::kSingleLane ? 1 : (columns + W - 1) / W, group = Team::kSingleLane ? W : work.state.group;
  const Real half = dt * Real(0.5), third = dt / Real(3), sixth = dt / Real(6);
  const ColumnRing<Real> v{work.state.memory, n, group}, a{work.first.memory, n, group},
      b{work.second.memory, n, group};
  Real* const sum = work.sum;
  struct Two {
    Pack sum, next;
  };
  const auto put = [&](const ColumnRing<Real>& to) {
    return [sum, group, to, team](int i, int c, const Two& values) {
      store(sum + i * group + c, values.sum);
      to.put_next(team, i, c, values.next);
    };
  };
  for_rows<Real>(
      team, n, packs,
      [&](int i, int c) {
        const Pack k = slope(0, v, i, c), start = v.template at<Pack>(i, c);
        return Two{start + sixth * k, start + half * k};
      },
      put(a));
  a.close(team);
  team.sync();
  for_rows<Real>(
      team, n, packs,
      [&](int i, int c) {
        const Pack k = slope(1, a, i, c);
        return Two{load<Pack>(sum + i * group + c) + third * k, v.template at<Pack>(i, c) + half * k};
      },
      put(b));
  b.close(team);
  team.sync();
  for_rows<Real>(
      team, n, packs,
      [&](int i, int c) {
        const Pack k = slope(2, b, i, c);
        return Two{load<Pack>(sum + i * group + c) + third * k, v.template at<Pack>(i, c) + dt * k};
      },
      put(a));
  a.close(team);
  team.sync();
  for_rows<Real>(
      team, n, packs, [&](int i, int c) { return load<Pack>(sum + i * group + c) + sixth * slope(3, a, i, c); },
      [&](int i, int c, Pack value) { v.put_next(team, i, c, value); });
  v.close(team);
}

/// Brings columns first .. first + columns - 1 of X [n, ld] into a ring.
template <class Team, class Real>
VIDA_FN void load_columns(Team team, const Real* X, int ld, int first, int columns, const ColumnRing<Real>& ring) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for_pairs(team, ring.n, (columns + W - 1) / W, [&](int i, int pack) {
    ring.put_next(team, i, pack * W, load<Pack>(X + static_cast<long>(i) * ld + first + pack * W));
  });
  ring.close(team);
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
