#pragma once

// Serial square-root ensemble Kalman filter: observations one after the other, in a new random order every cycle, with
// the symmetric square root of each (Whitaker and Hamill 2002; Anderson 2001). Localised, an observation reaches only
// the components of its list, each with its taper.

#include "filters/ensemble.cuh"
#include "random_order.cuh"

namespace vida::kernels {

/// What one observation with whitened anomalies y and innovation d does: a row of anomalies loses
/// y (row . y) / (c + sqrt(N1 c)), c = y . y + N1, and its mean gains d (row . y) / c.
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

  /// The row's own change, tapered, by the calling lane; `sign` is -1 for a residual, which loses what a mean gains.
  template <class Team>
  VIDA_FN void regress(Team team, int members, Real taper, Real sign, Real* row, Real* mean) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const Real product = taper * dot(team, members, row, y), factor = product * shrink;
    *mean += sign * product * along;
    for (int c = 0; c < members; c += W) store(row + c, load<Pack>(row + c) - factor * load<Pack>(y + c));
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
    if (team.rank() == 0) *work.innovation = whitening * (y - center);
  }

  /// One observation. Rows of Y that wait for their turn change with the state, without tapers: their innovations give
  /// the chi-square of the whole ensemble, whose terms are independent.
  template <class Team>
  VIDA_FN static void assimilate_one(Team team, const Analysis<Real>& a, const Work& work, int k) {
    const FilterShape& s = a.shape;
    const int row = work.order[k], waiting = a.cycle.count - k - 1;
    const SerialStep<Real> step(team, s.members, a.Y + static_cast<long>(row) * s.ld, a.residual[row]);
    const auto regress_waiting = [&](int e) {
      const int other = work.order[k + 1 + e];
      step.regress(team, s.members, Real(1), Real(-1), a.Y + static_cast<long>(other) * s.ld, a.residual + other);
    };
    if (team.rank() == 0) *a.chi_square += step.chi_square;
    if (a.run.taper < 0) {
      for (int e = team.rank(); e < s.n + waiting; e += team.size()) {
        if (e < s.n)
          step.regress(team, s.members, Real(1), Real(1), a.A + static_cast<long>(e) * s.ld, a.mean + e);
        else
          regress_waiting(e - s.n);
      }
      return;
    }
    const int observation = a.cycle.observed[row];
    const long list = a.tapers.row(a.run.taper, observation);
    const int reached = a.tapers.count[list];
    const int* component = a.tapers.index + list * a.tapers.width;
    const Real* taper = a.tapers.weight + list * a.tapers.width;
    const SerialStep<Real> tapered(team, s.members, work.y, *work.innovation);
    for (int e = team.rank(); e < reached + waiting; e += team.size()) {
      if (e < reached)
        tapered.regress(team, s.members, taper[e], Real(1), a.A + static_cast<long>(component[e]) * s.ld,
                        a.mean + component[e]);
      else
        regress_waiting(e - reached);
    }
  }
};

}  // namespace vida::kernels
