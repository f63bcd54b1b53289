#pragma once

// The cycle of ensemble filters whose analysis works on one forecast: forecast, assess, analyse, relax, inflate,
// rotate, assess. A method is a struct with a work area and an analysis:
//
//   template <class Real> struct Method {
//     static constexpr FilterTraits kTraits = ..;
//     struct Work { VIDA_BOTH Work(Pieces<Real>& pieces, const FilterShape& shape); };
//     template <class Team> VIDA_FN static void analyse(Team team, const Analysis<Real>& a, const Work& work);
//   };

#include "filters/rotation.cuh"
#include "filters/scores.cuh"

namespace vida::kernels {

/// What an analysis works on. A method updates mean and A, and leaves *chi_square.
template <class Real>
struct Analysis {
  const FilterShape& shape;
  const FilterData<Real>& data;
  const Tapers<Real>& tapers;
  const FilterRun<Real>& run;
  const CycleData<Real>& cycle;
  long number;       // of the cycle
  Real* mean;        // of the forecast [n]
  Real* A;           // its anomalies, one member a column [rows, ld]
  Real* Y;           // R^-1/2 (h(E) - mean of h(E)), rows of the observations present [prows, ld]
  Real* residual;    // R^-1/2 (y - mean of h(E)) [count]
  Real* spare;       // [rows, ld]
  Real* chi_square;  // of the innovation over its expectation
};

/// The arrays of a cycle.
template <class Real>
struct EnsembleWork {
  Real *mean, *E, *spare, *Y, *other, *residual, *observed_mean, *forecast_deviation, *deviation, *score, *chi_square;

  VIDA_BOTH EnsembleWork(Pieces<Real>& pieces, const FilterShape& s) {
    mean = pieces.take(s.rows);
    E = pieces.take(s.state_elements() + s.ld), spare = pieces.take(s.state_elements() + s.ld);
    Y = pieces.take(s.observed_elements() + s.ld), other = pieces.take(s.observed_elements());
    residual = pieces.take(s.lp), observed_mean = pieces.take(s.lp);
    forecast_deviation = pieces.take(s.n), deviation = pieces.take(s.n);
    score = pieces.take(2L * s.n + 1);
    chi_square = pieces.take(1);
  }
};

/// A <- A M for M [members, members]; spare: [rows, ld].
template <class Team, class Real>
VIDA_CALL void transform_anomalies(Team team, const FilterShape& s, Real* A, const Real* M, Real* spare) {
  gemm(team, s.n, s.members, s.members, A, s.ld, M, s.ld, Assign<Real>{spare, s.ld});
  team.sync();
  copy(team, s.n, s.ld, spare, A);
}

/// mean[i] += sum_k A[i, k] weights[k].
template <class Team, class Real>
VIDA_CALL void shift_mean(Team team, int rows, int members, const Real* A, int ld, const Real* weights, Real* mean) {
  for (int i = team.rank(); i < rows; i += team.size())
    mean[i] += dot(team, members, A + static_cast<long>(i) * ld, weights);
}

/// d' (Y Y' / N1 + I)^-1 d / count for whitened d, by the Woodbury identity, by one lane.
template <class Team, class Real>
VIDA_FN Real innovation_chi_square(Team team, int members, int count, const Real* residual, const Real* along,
                                   const Real* weights) {
  return (dot(team, count, residual, residual) - dot(team, members, along, weights)) / Real(count);
}

/// What follows every analysis: relaxation to prior spread (Whitaker and Hamill 2012), inflation, rotation.
template <class Team, class Real>
VIDA_CALL void adjust_anomalies(Team team, const FilterShape& s, const FilterRun<Real>& run, long cycle, Real* A,
                                const Real* forecast_deviation, Real* spare, const RotationWork<Real>& rotation) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  if (run.relaxation != Real(0) || run.inflation != Real(1)) {
    for (int i = team.rank(); i < s.n; i += team.size()) {
      Real* row = A + static_cast<long>(i) * s.ld;
      Real factor = run.inflation;
      if (run.relaxation != Real(0)) {
        const Real deviation = row_deviation(team, s.members, row);
        if (deviation > Real(0)) factor *= Real(1) + run.relaxation * (forecast_deviation[i] - deviation) / deviation;
      }
      for (int c = 0; c < s.members; c += W) store(row + c, factor * load<Pack>(row + c));
    }
  }
  if (run.rotation) {
    random_rotation(team, s, run, cycle, rotation);
    team.sync();
    transform_anomalies(team, s, A, rotation.rotation, spare);
  }
}

/// E <- mean + A in place.
template <class Team, class Real>
VIDA_FN void add_mean(Team team, const FilterShape& s, const Real* mean, Real* A) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for_pairs(team, s.n, s.ld / W, [&](int i, int pack) {
    Real* at = A + static_cast<long>(i) * s.ld + pack * W;
    store(at, load<Pack>(at) + mean[i]);
  });
}

/// item = run.
template <class Method>
struct EnsembleFilter {
  using Real = typename Method::Real;
  static constexpr FilterTraits kTraits = Method::kTraits;
  FilterLaunch<Real> launch;

  VIDA_BOTH static long state_elements(const FilterShape& s) { return s.state_elements(); }
  static std::size_t scratch_bytes(const FilterShape& s) { return work_bytes<Work, Real>(s); }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const FilterShape& s = launch.shape;
    const FilterRun<Real>& run = launch.runs[item];
    Pieces<Real> pieces{team.template scratch<Real>()};
    const Work work(pieces, s);
    const EnsembleWork<Real>& w = work.frame;
    Real* state = launch.output.state + item * state_elements(s);
    if (launch.output.failed[item] >= 0) return;
    if (launch.first == 0 && !run.given)
      draw_members(team, s, launch.data, run, w.spare, w.E);
    else
      copy(team, s.n, s.ld, state, w.E);
    for (long j = launch.first; j < launch.first + launch.count; ++j) {
      team.sync();
      launch.model(run.data).advance(team, w.E, s.ld, s.members, s.steps, work.model);
      team.sync();
      if (launch.data.noisy) {
        add_model_noise(team, s, launch.data, run, j, w.spare, w.E);
        team.sync();
      }
      if (!analyse_cycle(team, item, run, j, work)) {
        if (team.rank() == 0) launch.output.failed[item] = j;
        return;
      }
    }
    team.sync();
    copy(team, s.n, s.ld, w.E, state);
    if (launch.output.members) copy(team, s.n, s.ld, w.E, launch.output.members + item * s.n * s.ld);
  }

 private:
  struct Work {
    EnsembleWork<Real> frame;
    typename Model<Real>::Work model;
    RotationWork<Real> rotation;
    typename Method::Work method;
    VIDA_BOTH Work(Pieces<Real>& pieces, const FilterShape& s)
        : frame(pieces, s), model(pieces, s.model), rotation(pieces, s), method(pieces, s) {}
  };

  /// False when the forecast or the analysis is not finite. Leaves the analysis in w.E.
  template <class Team>
  VIDA_FN bool analyse_cycle(Team team, long item, const FilterRun<Real>& run, long j, const Work& work) const {
    const FilterShape& s = launch.shape;
    const EnsembleWork<Real>& w = work.frame;
    const CycleData<Real> cycle(s, launch.data, run.data, j);
    const auto crps = [&](int i) {
      return ensemble_crps(team, s.members, w.mean[i], w.E + static_cast<long>(i) * s.ld, cycle.truth[i]);
    };
    observe(team, s, launch.data, cycle, w.E, w.Y);
    team.sync();
    center_rows(team, s.n, s.members, w.E, s.ld, w.mean, w.forecast_deviation);
    center_rows(team, cycle.count, s.members, w.Y, s.ld, w.observed_mean, static_cast<Real*>(nullptr));
    team.sync();
    for (int row = team.rank(); row < cycle.count; row += team.size())
      w.residual[row] = cycle.y[cycle.observed[row]] - w.observed_mean[row];
    if (team.rank() == 0) *w.chi_square = Real(NAN);
    if (launch.output.ranks)
      count_ranks(team, s.n, s.members, cycle.truth, w.mean, w.E, s.ld,
                  launch.output.ranks + launch.slot(item, j) * s.n);
    if (!assess(team, s.n, cycle.truth, w.mean, w.forecast_deviation, w.score, assessment(launch, item, j, false),
                crps))
      return false;
    if (cycle.count > 0) {
      whiten(team, s, launch.data, cycle, w.Y, w.residual, w.other, w.observed_mean);
      team.sync();
      Method::analyse(team,
                      Analysis<Real>{s, launch.data, launch.tapers, run, cycle, j, w.mean, w.E, w.Y, w.residual,
                                     w.spare, w.chi_square},
                      work.method);
      team.sync();
      adjust_anomalies(team, s, run, j, w.E, w.forecast_deviation, w.spare, work.rotation);
      team.sync();
    }
    deviations(team, s.n, s.members, w.E, s.ld, w.deviation);
    team.sync();
    if (team.rank() == 0) launch.scores(item, j)[kChiSquare] = *w.chi_square;
    const bool finite =
        assess(team, s.n, cycle.truth, w.mean, w.deviation, w.score, assessment(launch, item, j, true), crps);
    add_mean(team, s, w.mean, w.E);
    return finite;
  }
};

}  // namespace vida::kernels
