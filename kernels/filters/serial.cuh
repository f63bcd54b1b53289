#pragma once

// Serial square-root ensemble Kalman filter: observations one after the other, in a new random order every cycle, with
// the symmetric square root of each (Whitaker and Hamill 2002; Anderson 2001). Localised, an observation reaches only
// the components of its list, each with its taper.

#include "filters/ensemble.cuh"
#include "random_order.cuh"

namespace vida::kernels {

/// Zeros beyond the last member of each row, so that sums over whole packs are sums over members.
template <class Team, class Real>
VIDA_FN void clear_padding(Team team, int rows, int members, Real* X, int ld) {
  constexpr int W = width<typename Team::template Pack<Real>, Real>;
  for (int i = team.rank(); i < rows; i += team.size())
    for (int c = members; c < padded(members, W); ++c) X[static_cast<long>(i) * ld + c] = Real(0);
}

/// A row of anomalies with its mean, and what an observation's influence on it is multiplied by.
template <class Real>
struct SerialRow {
  Real *anomalies, *mean, taper, sign;
};

/// What one observation with whitened anomalies y and innovation d does: a row of anomalies loses
/// y (row . y) / (c + sqrt(N1 c)), c = y . y + N1, and its mean gains d (row . y) / c. Padding is zero.
template <class Real>
struct SerialStep {
  const Real* y;
  Real along, shrink;  // d / c, 1 / (c + sqrt(N1 c))
  Real chi_square;     // d^2 / (1 + y . y / N1)

  template <class Team>
  VIDA_FN SerialStep(Team team, int members, const Real* anomalies, Real innovation) : y(anomalies) {
    using std::sqrt;
    const Real N1 = Real(members - 1), c = dot(team, members, y, y) + N1;
    along = innovation / c, shrink = Real(1) / (c + sqrt(N1 * c));
    chi_square = N1 * innovation * along;
  }

  /// The rows target(0) .. target(total - 1); a thread that works alone takes four at a time.
  template <class Team, class Target>
  VIDA_FN void sweep(Team team, int members, int total, Target target) const {
    constexpr int R = Team::kSingleLane ? 4 : 1;
    for (int e = team.rank() * R; e < total; e += team.size() * R) {
      if (e + R <= total) {
        SerialRow<Real> rows[R];
        VIDA_UNROLL
        for (int r = 0; r < R; ++r) rows[r] = target(e + r);
        regress<R, Team>(members, rows);
      } else {
        for (int r = e; r < total; ++r) {
          const SerialRow<Real> row[1] = {target(r)};
          regress<1, Team>(members, row);
        }
      }
    }
  }

 private:
  /// Products in the fixed tree of dot().
  template <int R, class Team>
  VIDA_FN void regress(int members, const SerialRow<Real> (&rows)[R]) const {
    using Pack = typename Team::template Pack<Real>;
    using Part = OctetPart<Team, Real>;
    constexpr int V = width<Part, Real>, kParts = 8 / V, W = width<Pack, Real>;
    Part sums[R][kParts] = {};
    int c = 0;
    for (; c + 8 <= members; c += 8) {
      VIDA_UNROLL
      for (int k = 0; k < kParts; ++k) {
        const Part factor = load<Part>(y + c + k * V);
        VIDA_UNROLL
        for (int r = 0; r < R; ++r) sums[r][k] += load<Part>(rows[r].anomalies + c + k * V) * factor;
      }
    }
    VIDA_UNROLL
    for (int k = 0; k < kParts; ++k) {
      if (c + k * V < members) {
        const Part factor = load<Part>(y + c + k * V);
        VIDA_UNROLL
        for (int r = 0; r < R; ++r) sums[r][k] += load<Part>(rows[r].anomalies + c + k * V) * factor;
      }
    }
    Real factors[R];
    VIDA_UNROLL
    for (int r = 0; r < R; ++r) {
      EightSums<Real> parts;
      VIDA_UNROLL
      for (int k = 0; k < kParts; ++k) store(parts.part + k * V, sums[r][k]);
      const Real product = rows[r].taper * parts.total();
      *rows[r].mean += rows[r].sign * product * along;
      factors[r] = product * shrink;
    }
    for (c = 0; c < members; c += W) {
      const Pack step = load<Pack>(y + c);
      VIDA_UNROLL
      for (int r = 0; r < R; ++r) {
        Real* at = rows[r].anomalies + c;
        store(at, load<Pack>(at) - factors[r] * step);
      }
    }
  }
};

template <class RealType>
struct SerialRoot {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"serial", "serial square-root ensemble Kalman filter", FilterColumns::members,
                                        FilterTables::states_of_observations};
  struct Work {
    int *keys, *order;              // of all observations, and of those present
    Real *y, *values, *innovation;  // of the current observation: whitened anomalies and, if h is not linear, h(E) [ld]
    VIDA_BOTH Work(Pieces<Real>& pieces, const FilterShape& s)
        : keys(reinterpret_cast<int*>(pieces.take(padded(s.p, 4)))),
          order(reinterpret_cast<int*>(pieces.take(s.p))),
          y(pieces.take(s.ld)),
          values(pieces.take(s.ld)),
          innovation(pieces.take(1)) {}
  };

  template <class Team>
  VIDA_FN static void analyse(Team team, const Analysis<Real>& a, const Work& work) {
    const FilterShape& s = a.shape;
    const int count = a.cycle.count;
    random_order(team, s.p, count, a.cycle.observed, draw_address(a.run, kOrderStream, a.number), work.keys,
                 work.order);
    clear_padding(team, s.n, s.members, a.A, s.ld);
    clear_padding(team, count, s.members, a.Y, s.ld);
    if (team.rank() == 0) *a.chi_square = Real(0);
    team.sync();
    for (int k = 0; k < count; ++k) {
      if (k) team.sync();
      if (a.run.taper >= 0) {
        observe_now(team, a, work, work.order[k]);
        team.sync();
      }
      assimilate_one(team, a, work, k);
    }
    if (team.rank() == 0) *a.chi_square /= Real(count);
  }

 private:
  /// An observation's innovation and anomalies in the ensemble as it stands.
  template <class Team>
  VIDA_FN static void observe_now(Team team, const Analysis<Real>& a, const Work& work, int row) {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const FilterShape& s = a.shape;
    const int observation = a.cycle.observed[row], component = a.cycle.component[observation];
    const Real* A = a.A + static_cast<long>(component) * s.ld;
    const Real mean = a.mean[component];
    const Real whitening = a.cycle.whitening[observation], y = a.cycle.y[observation];
    if (a.data.observation == ObservationKind::identity) {
      for (int c = team.rank() * W; c < s.members; c += team.size() * W)
        store(work.y + c, whitening * load<Pack>(A + c));
      if (team.rank() == 0) *work.innovation = whitening * (y - mean);
      return;
    }
    for (int c = team.rank() * W; c < s.members; c += team.size() * W)
      store(work.values + c, observe_value(a.data.observation, load<Pack>(A + c) + mean));
    team.sync();
    const Real center = sum(team, s.members, work.values) / Real(s.members);
    for (int c = team.rank() * W; c < s.members; c += team.size() * W)
      store(work.y + c, whitening * (load<Pack>(work.values + c) - center));
    for (int c = s.members + team.rank(); c < padded(s.members, W); c += team.size()) work.y[c] = Real(0);
    if (team.rank() == 0) *work.innovation = whitening * (y - center);
  }

  /// One observation. Rows of Y that wait for their turn change with the state, without tapers: their innovations give
  /// the chi-square of the whole ensemble, whose terms are independent.
  template <class Team>
  VIDA_FN static void assimilate_one(Team team, const Analysis<Real>& a, const Work& work, int k) {
    const FilterShape& s = a.shape;
    const int row = work.order[k], waiting = a.cycle.count - k - 1;
    const SerialStep<Real> step(team, s.members, a.Y + static_cast<long>(row) * s.ld, a.residual[row]);
    if (team.rank() == 0) *a.chi_square += step.chi_square;
    step.sweep(team, s.members, waiting, [&](int e) {
      const int other = work.order[k + 1 + e];
      return SerialRow<Real>{a.Y + static_cast<long>(other) * s.ld, a.residual + other, Real(1), Real(-1)};
    });
    if (a.run.taper < 0) {
      step.sweep(team, s.members, s.n, [&](int i) {
        return SerialRow<Real>{a.A + static_cast<long>(i) * s.ld, a.mean + i, Real(1), Real(1)};
      });
      return;
    }
    const long list = a.tapers.row(a.run.taper, a.cycle.observed[row]);
    const int* component = a.tapers.index + list * a.tapers.width;
    const Real* taper = a.tapers.weight + list * a.tapers.width;
    const SerialStep<Real> tapered(team, s.members, work.y, *work.innovation);
    tapered.sweep(team, s.members, a.tapers.count[list], [&](int e) {
      const int i = component[e];
      return SerialRow<Real>{a.A + static_cast<long>(i) * s.ld, a.mean + i, taper[e], Real(1)};
    });
  }
};

}  // namespace vida::kernels
