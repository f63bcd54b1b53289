#pragma once

// Local ensemble transform Kalman filter (Hunt, Kostelich and Szunyogh 2007): an analysis for every few consecutive
// components, from the observations near them with errors that grow with the distance. As many analyses as
// shape.analyses are worked side by side; the number of barriers does not depend on it, nor do the results.

#include "filters/etkf.cuh"
#include "side_by_side.cuh"
#include "spd_solve.cuh"

namespace vida::kernels {

template <class Real>
struct LetkfWork {
  static constexpr int kSlots = 16;  // observations brought in at a time
  static constexpr int kStates = 4;  // components transformed at a time

  SideBySide set;
  Real *X, *Z, *V, *P;    // matrices of the analyses [N, N, group]
  Real* near;             // weighted anomalies and residual of some observations [kSlots, N + 1, group]
  Real* states;           // anomalies of some components [kStates, N, group]
  Real *along, *weights;  // Y' d and the weights of the mean [N, group]
  int *count, *present;   // observations in the list, and those of them that are there [group]
  int ldv;                // the ensemble as a whole: its linear system, one right-hand side in column 0
  Real *M, *right;        // [mrows, ld], [mrows, ldv]
  Real *all, *solution, *bound;
  SpdSolveWork<Real> solve;

  /// Elements of work for one of the analyses side by side.
  VIDA_BOTH static long elements(int members) {
    const long N = members;
    return 4 * N * N + kSlots * (N + 1) + kStates * N + 2 * N + 2;
  }

  VIDA_BOTH LetkfWork(Pieces<Real>& pieces, const FilterShape& s)
      : set{s.analyses, 0},
        X(square(pieces, s)),
        Z(square(pieces, s)),
        V(square(pieces, s)),
        P(square(pieces, s)),
        near(pieces.take(static_cast<long>(kSlots) * (s.members + 1) * s.analyses)),
        states(pieces.take(static_cast<long>(kStates) * s.members * s.analyses)),
        along(pieces.take(static_cast<long>(s.members) * s.analyses)),
        weights(pieces.take(static_cast<long>(s.members) * s.analyses)),
        count(reinterpret_cast<int*>(pieces.take(s.analyses))),
        present(reinterpret_cast<int*>(pieces.take(s.analyses))),
        ldv(s.ld < 16 ? s.ld : 16),
        M(pieces.take(s.square_elements() + s.ld)),
        right(pieces.take(static_cast<long>(s.mrows) * ldv)),
        all(pieces.take(s.ld)),
        solution(pieces.take(s.ld)),
        bound(pieces.take(1)),
        solve(pieces, s.members, s.ld, ldv) {}

 private:
  VIDA_BOTH static Real* square(Pieces<Real>& pieces, const FilterShape& s) {
    return pieces.take(static_cast<long>(s.members) * s.members * s.analyses);
  }
};

template <class RealType>
struct Letkf {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"letkf", "local ensemble transform Kalman filter", FilterColumns::members,
                                        FilterTables::observations_of_states};
  using Work = LetkfWork<Real>;

  template <class Team>
  VIDA_FN static void analyse(Team team, const Analysis<Real>& a, const Work& work) {
    assess_whole(team, a, work);
    const int together = a.run.local_states, analyses = (a.shape.n + together - 1) / together;
    for (int first = 0; first < analyses; first += work.set.group) {
      team.sync();
      const SideBySide set{work.set.group, analyses - first < work.set.group ? analyses - first : work.set.group};
      const auto list = [&](int g) { return a.tapers.row(a.run.taper, first + (g < set.count ? g : 0)); };
      form(team, a, work, set, list);
      team.sync();
      const Real scale = Real(1) / Real(a.shape.members - 1);
      const int N = a.shape.members, G = set.group;
      using Pack = typename Team::template Pack<Real>;
      const Real* roots = side_by_side_inverse_root(
          team, set, N, *work.bound, work.X, work.Z, work.V, work.P, [&](const Real* V, Real inverse_scale) {
            side_by_side_product(team, set, N, 1, N, V, N * G, G, work.along, G, [&](int k, int, int g, Pack value) {
              store(work.weights + k * G + g, (scale * inverse_scale) * value);
            });
          });
      team.sync();
      transform(team, a, work, set, roots, first * together);
    }
  }

 private:
  /// Chi-square of the ensemble without localisation, and a bound for the eigenvalues of I + Y'Y / N1, which those of
  /// every analysis keep to, since weights are at most 1: the trace.
  template <class Team>
  VIDA_FN static void assess_whole(Team team, const Analysis<Real>& a, const Work& work) {
    using Pack = typename Team::template Pack<Real>;
    const FilterShape& s = a.shape;
    const int N = s.members, count = a.cycle.count, ld = s.ld;
    const Real scale = Real(1) / Real(N - 1);
    gemm_tn_upper(team, N, count, a.Y, ld, a.Y, ld,
                  [&](int i, int j, Pack value) { store(work.M + i * ld + j, scale * value); });
    vector_times(team, N, count, a.residual, a.Y, ld, [&](int j, Pack value) { store(work.all + j, value); });
    team.sync();
    for (int i = team.rank(); i < N; i += team.size()) {
      work.solution[i] = work.M[i * ld + i];
      work.M[i * ld + i] += Real(1);
      work.right[i * work.ldv] = work.all[i];
    }
    team.sync();
    if (team.rank() == 0) *work.bound = Real(1) + sum(team, N, work.solution);
    spd_solve(team, N, work.M, ld, 1, work.right, work.ldv, work.solve);
    team.sync();
    for (int i = team.rank(); i < N; i += team.size()) work.solution[i] = scale * work.right[i * work.ldv];
    team.sync();
    if (team.rank() == 0) *a.chi_square = innovation_chi_square(team, N, count, a.residual, work.all, work.solution);
  }

  /// X <- I + Y'Y / N1 and along <- Y'd from the weighted observations of each list(g).
  template <class Team, class List>
  VIDA_FN static void form(Team team, const Analysis<Real>& a, const Work& work, SideBySide set, List list) {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    constexpr int kSlots = Work::kSlots;
    const FilterShape& s = a.shape;
    const int N = s.members, G = set.group, filled = (set.count + W - 1) / W * W;
    for (int g = team.rank(); g < filled; g += team.size()) {
      const long row = list(g);
      work.count[g] = a.tapers.count[row];
      work.present[g] = 0;
      for (int q = 0; q < work.count[g]; ++q)
        work.present[g] += a.cycle.place[a.tapers.index[row * a.tapers.width + q]] >= 0 ? 1 : 0;
    }
    team.sync();
    int most = 1;
    for (int g = 0; g < filled; ++g) most = work.count[g] > most ? work.count[g] : most;
    const Real scale = Real(1) / Real(N - 1);
    for (int first = 0; first < most; first += kSlots) {
      const int slots = most - first < kSlots ? most - first : kSlots;
      if (first) team.sync();
      for_pairs(team, slots, filled, [&](int slot, int g) {
        const int q = first + slot;
        const long entry = list(g) * a.tapers.width + q;
        const int place = q < work.count[g] ? a.cycle.place[a.tapers.index[entry]] : -1;
        Real* to = work.near + static_cast<long>(slot) * (N + 1) * G + g;
        if (place < 0) {
          for (int k = 0; k <= N; ++k) to[k * G] = Real(0);
          return;
        }
        const Real weight = a.tapers.weight[entry];
        const Real* Y = a.Y + static_cast<long>(place) * s.ld;
        for (int k = 0; k < N; ++k) to[k * G] = weight * Y[k];
        to[N * G] = weight * a.residual[place];
      });
      team.sync();
      const bool last = first + slots == most;
      side_by_side_product(team, set, N, N + 1, slots, work.near, G, (N + 1) * G, work.near, (N + 1) * G,
                           [&](int i, int j, int g, Pack value) {
                             Real* to = j < N ? work.X + (i * N + j) * G + g : work.along + i * G + g;
                             if (first) value += load<Pack>(to);
                             if (last && j < N) value = scale * value + (i == j ? Real(1) : Real(0));
                             store(to, value);
                           });
    }
  }

  /// The components of each analysis: mean += A weights, A <- A roots. Without an observation they keep the forecast.
  template <class Team>
  VIDA_FN static void transform(Team team, const Analysis<Real>& a, const Work& work, SideBySide set, const Real* roots,
                                int first_state) {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    constexpr int kStates = Work::kStates;
    const FilterShape& s = a.shape;
    const int N = s.members, G = set.group, together = a.run.local_states;
    const auto changes = [&](int g, int state) {
      return g < set.count && first_state + g * together + state < s.n && work.present[g] > 0;
    };
    for (int first = 0; first < together && first < s.n; first += kStates) {
      const int states = together - first < kStates ? together - first : kStates;
      if (first) team.sync();
      for_pairs(team, states, (set.count + W - 1) / W * W, [&](int state, int g) {
        Real* to = work.states + state * N * G + g;
        if (!changes(g, first + state)) {
          for (int k = 0; k < N; ++k) to[k * G] = Real(0);
          return;
        }
        const int i = first_state + g * together + first + state;
        const Real* row = a.A + static_cast<long>(i) * s.ld;
        Real shift = Real(0);
        for (int k = 0; k < N; ++k) {
          to[k * G] = row[k];
          shift += row[k] * work.weights[k * G + g];
        }
        a.mean[i] += shift;
      });
      team.sync();
      side_by_side_product(team, set, states, N, N, work.states, N * G, G, roots, N * G,
                           [&](int state, int k, int g, Pack value) {
                             Real values[W];
                             store(values, value);
                             for (int v = 0; v < W; ++v)
                               if (changes(g + v, first + state)) {
                                 const int i = first_state + (g + v) * together + first + state;
                                 a.A[static_cast<long>(i) * s.ld + k] = values[v];
                               }
                           });
    }
  }
};

}  // namespace vida::kernels
