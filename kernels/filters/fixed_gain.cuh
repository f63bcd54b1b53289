#pragma once

// Filters whose gain the host computes beforehand: 3DVar (Lorenc 1986) with a fixed background covariance or a given
// gain, optimal interpolation (Gandin 1963) of the climatological mean, and that mean alone.

#include "filters/scores.cuh"

namespace vida::kernels {

enum class FixedGainRule { climatology, optimal_interpolation, variational };

constexpr FilterTraits fixed_gain_traits(FixedGainRule rule) {
  switch (rule) {
    case FixedGainRule::climatology:
      return {"climatology", "mean and covariance over the truth, without observations", FilterColumns::mean,
              FilterTables::gains};
    case FixedGainRule::optimal_interpolation:
      return {"optimal-interpolation", "observations and the climatological mean, without a model", FilterColumns::mean,
              FilterTables::gains};
    case FixedGainRule::variational:
      return {"3dvar", "forecast corrected by a gain of a fixed background covariance", FilterColumns::mean,
              FilterTables::gains};
  }
  return {};
}

template <class Real>
struct FixedGainWork {
  Real *mean, *deviation, *score;
  Real *residual, *weighted;  // innovation, 0 for a missing observation, and its product with the precision [lp]
  Real* column;               // the mean as the model takes it [rows, ld]

  VIDA_BOTH FixedGainWork(Pieces<Real>& pieces, const FilterShape& s)
      : mean(pieces.take(s.ldn)),
        deviation(pieces.take(s.n)),
        score(pieces.take(2L * s.n + 1)),
        residual(pieces.take(s.lp)),
        weighted(pieces.take(s.lp)),
        column(pieces.take(s.state_elements())) {}
};

/// item = run.
template <class RealType, FixedGainRule kRule>
struct FixedGainFilter {
  using Real = RealType;
  static constexpr FilterTraits kTraits = fixed_gain_traits(kRule);
  FilterLaunch<Real> launch;

  VIDA_BOTH static long state_elements(const FilterShape& s) { return padded(s.n, 16); }
  static std::size_t scratch_bytes(const FilterShape& s) { return work_bytes<Work, Real>(s); }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const FilterShape& s = launch.shape;
    const FilterRun<Real>& run = launch.runs[item];
    Pieces<Real> pieces{team.template scratch<Real>()};
    const Work work(pieces, s);
    const FixedGainWork<Real>& w = work.frame;
    Real* state = launch.output.state + item * state_elements(s);
    if (launch.output.failed[item] >= 0) return;
    const Real* start = launch.first == 0 ? launch.data.initial_mean + static_cast<long>(run.data) * s.n : state;
    for (int i = team.rank(); i < s.n; i += team.size()) w.mean[i] = start[i];
    for (long j = launch.first; j < launch.first + launch.count; ++j) {
      team.sync();
      forecast(team, run, work);
      team.sync();
      if (!analyse_cycle(team, item, run, j, w)) {
        if (team.rank() == 0) launch.output.failed[item] = j;
        return;
      }
    }
    // every lane knows the mean since the last assessment
    for (int i = team.rank(); i < s.n; i += team.size()) state[i] = w.mean[i];
  }

 private:
  struct Work {
    FixedGainWork<Real> frame;
    typename Model<Real>::Work model;
    VIDA_BOTH Work(Pieces<Real>& pieces, const FilterShape& s) : frame(pieces, s), model(pieces, s.model) {}
  };

  template <class Team>
  VIDA_FN void forecast(Team team, const FilterRun<Real>& run, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    const FilterShape& s = launch.shape;
    const FixedGainWork<Real>& w = work.frame;
    if constexpr (kRule == FixedGainRule::variational) {
      for (int i = team.rank(); i < s.n; i += team.size()) store(w.column + i * s.ld, Pack{} + w.mean[i]);
      team.sync();
      launch.model(run.data).advance(team, w.column, s.ld, 1, s.steps, work.model);
      team.sync();
      for (int i = team.rank(); i < s.n; i += team.size()) w.mean[i] = w.column[i * s.ld];
    } else {
      const Real* background = launch.gains.mean + static_cast<long>(run.background) * s.n;
      for (int i = team.rank(); i < s.n; i += team.size()) w.mean[i] = background[i];
    }
  }

  /// False when the forecast or the analysis is not finite.
  template <class Team>
  VIDA_FN bool analyse_cycle(Team team, long item, const FilterRun<Real>& run, long j,
                             const FixedGainWork<Real>& w) const {
    using Pack = typename Team::template Pack<Real>;
    using std::sqrt;
    const FilterShape& s = launch.shape;
    const FilterData<Real>& d = launch.data;
    const Gains<Real>& gains = launch.gains;
    const CycleData<Real> cycle(s, d, run.data, j);
    const long table = gains.table_of[run.background * s.cycles + j];
    const auto crps = [&](int i) {
      // a deviation that is not known leaves no law to score
      return w.deviation[i] == w.deviation[i] ? gaussian_crps(w.mean[i], w.deviation[i], cycle.truth[i]) : Real(NAN);
    };
    const auto deviate = [&](const Real* variance) {
      for (int i = team.rank(); i < s.n; i += team.size()) w.deviation[i] = sqrt(variance[i]);
    };
    deviate(gains.forecast_variance + static_cast<long>(run.background) * s.n);
    for (int row = team.rank(); row < s.p; row += team.size()) {
      const bool present = cycle.place[row] >= 0;
      const Real seen = d.single_components ? w.mean[cycle.component[row]]
                                            : dot(team, s.n, cycle.H + static_cast<long>(row) * s.ldn, w.mean);
      w.residual[row] = present ? cycle.y[row] - observe_value(d.observation, seen) : Real(0);
    }
    team.sync();
    if (!assess(team, s.n, cycle.truth, w.mean, w.deviation, w.score, assessment(launch, item, j, false), crps))
      return false;
    Real* chi_square = launch.scores(item, j) + kChiSquare;
    if (table >= 0) {
      const Real* K = gains.gain + table * s.prows * s.ldn;
      const Real* precision = gains.precision + table * s.prows * s.lp;
      vector_times(team, s.n, s.p, w.residual, K, s.ldn,
                   [&](int i, Pack shift) { store(w.mean + i, load<Pack>(w.mean + i) + shift); });
      vector_times(team, s.p, s.p, w.residual, precision, s.lp,
                   [&](int row, Pack value) { store(w.weighted + row, value); });
      deviate(gains.analysis_variance + table * s.n);
      team.sync();
    }
    if (team.rank() == 0)
      *chi_square = table >= 0 ? dot(team, s.p, w.residual, w.weighted) / Real(cycle.count) : Real(NAN);
    return assess(team, s.n, cycle.truth, w.mean, w.deviation, w.score, assessment(launch, item, j, true), crps);
  }
};

}  // namespace vida::kernels
