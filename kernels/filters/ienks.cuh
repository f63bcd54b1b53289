#pragma once

// Iterative ensemble Kalman smoother with the transform of the ETKF (Bocquet and Sakov 2014), one new observation a
// window: an ensemble at the start of a window of `lag` cycles is moved until its forecast to the window's end fits.

#include "filters/etkf.cuh"

namespace vida::kernels {

/// item = run. State between cycles: the ensemble where the next window starts [rows, ld].
template <class RealType>
struct IterativeSmoother {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"ienks", "iterative ensemble Kalman smoother, Gauss-Newton with the transform"};
  FilterLaunch<Real> launch;

  VIDA_BOTH static long state_elements(const FilterShape& s) { return s.state_elements(); }
  static std::size_t scratch_bytes(const FilterShape& s) { return work_bytes<Work, Real>(s); }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const FilterShape& s = launch.shape;
    const FilterRun<Real>& run = launch.runs[item];
    Pieces<Real> pieces{team.template scratch<Real>()};
    const Work work(pieces, s);
    Real* state = launch.output.state + item * state_elements(s);
    if (launch.output.failed[item] >= 0) return;
    if (launch.first == 0 && !run.given)
      draw_members(team, s, launch.data, run, work.frame.spare, work.start);
    else
      copy(team, s.n, s.ld, state, work.start);
    for (long j = launch.first; j < launch.first + launch.count; ++j) {
      team.sync();
      if (!analyse_cycle(team, item, run, j, work)) {
        if (team.rank() == 0) launch.output.failed[item] = j;
        return;
      }
      if (j + 1 >= run.lag)  // the window is full: its start, which every lane knows since the assessment, moves on
        launch.model(run.data).advance(team, work.start, s.ld, s.members, s.steps, work.model);
    }
    team.sync();
    copy(team, s.n, s.ld, work.start, state);
    if (launch.output.members) copy(team, s.n, s.ld, work.frame.E, launch.output.members + item * s.n * s.ld);
  }

 private:
  struct Work {
    EnsembleWork<Real> frame;
    typename Model<Real>::Work model;
    RotationWork<Real> rotation;
    TransformWork<Real> transform;
    Real *start, *start_mean, *start_deviation;  // ensemble at the window's start, then its anomalies X [rows, ld]
    Real *forecast_mean, *forecast;              // first forecast: mean [n], anomalies [rows, ld]
    Real *w, *step;                              // weights of the mean, their last change [members]
    Real *inverse_T, *combined;                  // [mrows, ld]; `combined` also keeps T before its last change

    VIDA_BOTH Work(Pieces<Real>& pieces, const FilterShape& s)
        : frame(pieces, s), model(pieces, s.model), rotation(pieces, s), transform(pieces, s) {
      start = pieces.take(s.state_elements() + s.ld);
      start_mean = pieces.take(s.rows), start_deviation = pieces.take(s.rows);
      forecast_mean = pieces.take(s.rows), forecast = pieces.take(s.state_elements() + s.ld);
      w = pieces.take(s.ld), step = pieces.take(s.ld);
      inverse_T = pieces.take(s.square_elements()), combined = pieces.take(s.square_elements());
    }
  };

  /// False when the forecast or the analysis is not finite. Leaves the analysis in E and the smoothed ensemble in
  /// `start`.
  template <class Team>
  VIDA_FN bool analyse_cycle(Team team, long item, const FilterRun<Real>& run, long j, const Work& work) const {
    const FilterShape& s = launch.shape;
    const EnsembleWork<Real>& w = work.frame;
    const CycleData<Real> cycle(s, launch.data, run.data, j);
    const int window = static_cast<int>(j + 1 < run.lag ? j + 1 : run.lag);  // cycles
    copy(team, s.n, s.ld, work.start, w.E);
    team.sync();
    launch.model(run.data).advance(team, w.E, s.ld, s.members, window * s.steps, work.model);
    team.sync();
    copy(team, s.n, s.ld, w.E, work.forecast);
    if (team.rank() == 0) *w.chi_square = Real(NAN);
    team.sync();
    center_rows(team, s.n, s.members, work.forecast, s.ld, work.forecast_mean, w.forecast_deviation);
    team.sync();
    if (launch.output.ranks)
      count_ranks(team, s.n, s.members, cycle.truth, work.forecast_mean, work.forecast, s.ld,
                  launch.output.ranks + launch.slot(item, j) * s.n);
    if (!assess_ensemble(team, item, j, false, cycle, work.forecast_mean, work.forecast, w.forecast_deviation, w.score))
      return false;
    if (cycle.count > 0) {
      center_rows(team, s.n, s.members, work.start, s.ld, work.start_mean, work.start_deviation);
      for (int k = team.rank(); k < s.members; k += team.size()) work.w[k] = Real(0);
      for (int iteration = 0; iteration < run.iterations; ++iteration) {
        if (iteration > 0) {
          forecast_again(team, run.data, window, work);
          team.sync();
        }
        iterate(team, cycle, iteration, work);
        team.sync();
      }
      // the analysis, with the last change of w and T applied at the end of the window: no further forecast
      combine(team, s, work.transform.T, work.step, work.combined, true);
      for (int k = team.rank(); k < s.n; k += team.size())
        work.start_mean[k] += dot(team, s.members, work.start + static_cast<long>(k) * s.ld, work.w);
      team.sync();
      gemm(team, s.n, s.members, s.members, work.forecast, s.ld, work.combined, s.ld, AddTo<Real>{w.E, w.E, s.ld});
      transform_anomalies(team, s, work.start, work.transform.T, w.spare);
      team.sync();
      adjust_anomalies(team, s, run, j, work.start, work.start_deviation, w.spare, work.rotation);
      team.sync();
      add_mean(team, s, work.start_mean, work.start);
    }
    center_rows(team, s.n, s.members, w.E, s.ld, w.mean, w.deviation);
    team.sync();
    if (team.rank() == 0) launch.scores(item, j)[kChiSquare] = *w.chi_square;
    const bool finite = assess_ensemble(team, item, j, true, cycle, w.mean, w.E, w.deviation, w.score);
    add_mean(team, s, w.mean, w.E);
    return finite;
  }

  template <class Team>
  VIDA_FN bool assess_ensemble(Team team, long item, long j, bool analysis, const CycleData<Real>& cycle,
                               const Real* mean, const Real* A, const Real* deviation, Real* scores) const {
    const FilterShape& s = launch.shape;
    return assess(team, s.n, cycle.truth, mean, deviation, scores, assessment(launch, item, j, analysis), [&](int i) {
      return ensemble_crps(team, s.members, mean[i], A + static_cast<long>(i) * s.ld, cycle.truth[i]);
    });
  }

  /// to[k, i] = T[k, i] + w[k], or minus what `to` holds.
  template <class Team>
  VIDA_FN static void combine(Team team, const FilterShape& s, const Real* T, const Real* w, Real* to, bool change) {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    for_pairs(team, s.members, s.ld / W, [&](int k, int pack) {
      const int at = k * s.ld + pack * W;
      const Pack sum = load<Pack>(T + at) + w[k];
      store(to + at, change ? sum - load<Pack>(to + at) : sum);
    });
  }

  /// E <- the forecast of mean + X (w + T).
  template <class Team>
  VIDA_FN void forecast_again(Team team, int set, int window, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    const FilterShape& s = launch.shape;
    combine(team, s, work.transform.T, work.w, work.combined, false);
    team.sync();
    gemm(team, s.n, s.members, s.members, work.start, s.ld, work.combined, s.ld, [&](int i, int k, Pack value) {
      store(work.frame.E + static_cast<long>(i) * s.ld + k, value + work.start_mean[i]);
    });
    team.sync();
    launch.model(set).advance(team, work.frame.E, s.ld, s.members, window * s.steps, work.model);
  }

  /// From E at the window's end: Y0 = Y T^-1, M = I + Y0'Y0 / N1; then w, its change `step`, T = M^-1/2 and T^-1 = M T;
  /// `combined` is T before.
  template <class Team>
  VIDA_FN void iterate(Team team, const CycleData<Real>& cycle, int iteration, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    const FilterShape& s = launch.shape;
    const EnsembleWork<Real>& w = work.frame;
    const TransformWork<Real>& transform = work.transform;
    const int N = s.members;
    observe(team, s, launch.data, cycle, w.E, w.Y);
    team.sync();
    center_rows(team, cycle.count, N, w.Y, s.ld, w.observed_mean, static_cast<Real*>(nullptr));
    team.sync();
    for (int row = team.rank(); row < cycle.count; row += team.size())
      w.residual[row] = cycle.y[cycle.observed[row]] - w.observed_mean[row];
    team.sync();
    whiten(team, s, launch.data, cycle, w.Y, w.residual, w.other, w.observed_mean);
    team.sync();
    const Real* Y0 = w.Y;
    if (iteration > 0) {
      gemm(team, cycle.count, N, N, w.Y, s.ld, work.inverse_T, s.ld, Assign<Real>{w.other, s.ld});
      copy(team, N, s.ld, transform.T, work.combined);
      Y0 = w.other;
    } else {
      for_pairs(team, N, s.ld, [&](int i, int k) { work.combined[i * s.ld + k] = i == k ? Real(1) : Real(0); });
    }
    team.sync();
    ensemble_transform(team, N, s.ld, cycle.count, Y0, w.residual, transform);
    team.sync();
    vector_times(team, N, N, work.w, transform.inverse, s.ld,
                 [&](int j, Pack value) { store(work.step + j, load<Pack>(transform.weights + j) - value); });
    gemm(team, N, N, N, transform.M, s.ld, transform.T, s.ld, Assign<Real>{work.inverse_T, s.ld});
    if (iteration == 0 && team.rank() == 0)
      *w.chi_square = innovation_chi_square(team, N, cycle.count, w.residual, transform.along, transform.weights);
    team.sync();
    for (int k = team.rank(); k < N; k += team.size()) work.w[k] += work.step[k];
  }
};

}  // namespace vida::kernels
