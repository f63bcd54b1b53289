#pragma once

// The Kalman filter (Kalman 1960) and its extension by linearisation about the mean (Jazwinski 1970). Observations are
// assimilated some at a time, as if they came one after the other (Bierman 1977): whitened, their errors are
// independent, and each is a rank-one update of the covariance.

#include "filters/covariance.cuh"
#include "filters/scores.cuh"

namespace vida::kernels {

inline constexpr int kObservationsTogether = 4;  // of one update of the covariance

/// The arrays of a cycle. Matrices are [rows, ld], ld the leading dimension of n.
template <class Real>
struct KalmanWork {
  Real *mean, *deviation, *score;
  Real* P;
  Real* shift;             // of the mean by the observations so far [n]
  Real *residual, *spare;  // whitened innovation of the forecast [lp]
  Real* slope;             // of the observations present, whitened where they see single components [lp]
  Real* V;                 // P h, then its multiple v with v v' the update of P [kObservationsTogether, ld]
  Real *S, *innovation;    // of the observations together
  Real* chi_square;
  CovarianceWork<Real> covariance;
  Real *H, *unwhitened;  // R^-1/2 H' and H', the derivative of h at the forecast [prows, ldn]

  VIDA_BOTH KalmanWork(Pieces<Real>& pieces, const FilterShape& s)
      : mean(pieces.take(s.ld)),
        deviation(pieces.take(s.n)),
        score(pieces.take(2L * s.n + 1)),
        P(pieces.take(s.state_elements())),
        shift(pieces.take(s.ld)),
        residual(pieces.take(s.lp)),
        spare(pieces.take(s.lp)),
        slope(pieces.take(s.lp)),
        V(pieces.take(static_cast<long>(kObservationsTogether) * s.ld)),
        S(pieces.take(static_cast<long>(kObservationsTogether) * kObservationsTogether)),
        innovation(pieces.take(kObservationsTogether)),
        chi_square(pieces.take(1)),
        covariance(pieces, s),
        H(covariance.observed),
        unwhitened(covariance.other) {}
};

/// P += a covariance, dense [rows, ldn] or a diagonal.
template <class Team, class Real>
VIDA_FN void add_covariance(Team team, const FilterShape& s, const Real* covariance, bool dense, Real* P) {
  if (dense)
    for_pairs(team, s.n, s.n, [&](int i, int k) { P[i * s.ld + k] += covariance[i * s.ldn + k]; });
  else
    for (int i = team.rank(); i < s.n; i += team.size()) P[i * s.ld + i] += covariance[i];
}

/// item = run. The extended filter differs in what its driver admits.
template <class RealType, bool kExtended>
struct KalmanFilter {
  using Real = RealType;
  static constexpr FilterTraits kTraits{
      kExtended ? "ekf" : "kalman",
      kExtended ? "extended Kalman filter" : "Kalman filter, for linear models and observations",
      FilterColumns::components, FilterTables::none, !kExtended};
  FilterLaunch<Real> launch;

  /// P [rows, ld], then the mean.
  VIDA_BOTH static long state_elements(const FilterShape& s) { return s.state_elements() + s.ld; }
  static std::size_t scratch_bytes(const FilterShape& s) { return work_bytes<KalmanWork<Real>, Real>(s); }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const FilterShape& s = launch.shape;
    const FilterRun<Real>& run = launch.runs[item];
    Pieces<Real> pieces{team.template scratch<Real>()};
    const KalmanWork<Real> w(pieces, s);
    Real* state = launch.output.state + item * state_elements(s);
    if (launch.output.failed[item] >= 0) return;
    w.covariance.start(team, s);
    if (launch.first == 0) {
      start(team, run, w);
    } else {
      copy(team, s.n, s.ld, state, w.P);
      copy(team, 1, s.ld, state + s.state_elements(), w.mean);
    }
    for (long j = launch.first; j < launch.first + launch.count; ++j) {
      team.sync();
      forecast(team, run, w);
      team.sync();
      if (!analyse_cycle(team, item, run, j, w)) {
        if (team.rank() == 0) launch.output.failed[item] = j;
        return;
      }
    }
    // every lane knows the state since the last assessment
    copy(team, s.n, s.ld, w.P, state);
    copy(team, 1, s.ld, w.mean, state + s.state_elements());
    if (launch.output.members) copy(team, s.n, s.ld, w.P, launch.output.members + item * s.n * s.ld);
  }

 private:
  template <class Team>
  VIDA_FN void start(Team team, const FilterRun<Real>& run, const KalmanWork<Real>& w) const {
    const FilterShape& s = launch.shape;
    const FilterData<Real>& d = launch.data;
    const long set = run.data;
    for_pairs(team, s.n, s.n, [&](int i, int k) { w.P[i * s.ld + k] = Real(0); });
    for (int i = team.rank(); i < s.n; i += team.size()) w.mean[i] = d.initial_mean[set * s.n + i];
    team.sync();
    add_covariance(team, s, d.initial_covariance + set * s.covariance_elements(d.dense_initial), d.dense_initial, w.P);
  }

  /// mean <- Psi(mean), P <- J P J' + Q over the steps of a cycle, with the factor inflation^dt at each step.
  template <class Team>
  VIDA_FN void forecast(Team team, const FilterRun<Real>& run, const KalmanWork<Real>& w) const {
    const FilterShape& s = launch.shape;
    const FilterData<Real>& d = launch.data;
    const Model<Real> model = launch.model(run.data);
    const Real factor = run.inflation == Real(1) ? Real(1) : pack_exp(model.dt() * pack_log(run.inflation));
    for (int step = 0; step < s.steps; ++step) {
      if (step) team.sync();
      forecast_covariance(team, s, model, run.tangent, factor, w.mean, w.P, w.covariance);
    }
    if (!d.noisy) return;
    team.sync();
    // model noise enters the state once per cycle, so Q is added once, whatever the number of steps
    const long set = run.data;
    add_covariance(team, s, d.noise_covariance + set * s.covariance_elements(d.dense_noise), d.dense_noise, w.P);
  }

  /// False when the forecast or the analysis is not finite.
  template <class Team>
  VIDA_FN bool analyse_cycle(Team team, long item, const FilterRun<Real>& run, long j,
                             const KalmanWork<Real>& w) const {
    const FilterShape& s = launch.shape;
    const CycleData<Real> cycle(s, launch.data, run.data, j);
    const auto crps = [&](int i) { return gaussian_crps(w.mean[i], w.deviation[i], cycle.truth[i]); };
    deviations_of(team, w);
    team.sync();
    if (!assess(team, s.n, cycle.truth, w.mean, w.deviation, w.score, assessment(launch, item, j, false), crps))
      return false;
    if (cycle.count > 0) {
      linearize_observations(team, cycle, w);
      for (int first = 0; first < cycle.count; first += kObservationsTogether) {
        team.sync();
        assimilate(team, cycle, first, w);
      }
      team.sync();
      for (int i = team.rank(); i < s.n; i += team.size()) w.mean[i] += w.shift[i];
    }
    if (team.rank() == 0)
      launch.scores(item, j)[kChiSquare] = cycle.count > 0 ? *w.chi_square / Real(cycle.count) : Real(NAN);
    deviations_of(team, w);
    team.sync();
    return assess(team, s.n, cycle.truth, w.mean, w.deviation, w.score, assessment(launch, item, j, true), crps);
  }

  template <class Team>
  VIDA_FN void deviations_of(Team team, const KalmanWork<Real>& w) const {
    using std::sqrt;
    for (int i = team.rank(); i < launch.shape.n; i += team.size()) w.deviation[i] = sqrt(w.P[i * launch.shape.ld + i]);
  }

  /// Whether an observation's row of R^-1/2 H' has one element, so that P h is a multiple of a row of P.
  VIDA_FN bool sees_rows() const { return launch.data.single_components && launch.data.diagonal_noise; }

  /// residual <- R^-1/2 (y - h(mean)); slope or H <- R^-1/2 H'.
  template <class Team>
  VIDA_FN void linearize_observations(Team team, const CycleData<Real>& cycle, const KalmanWork<Real>& w) const {
    const FilterShape& s = launch.shape;
    const FilterData<Real>& d = launch.data;
    for (int row = team.rank(); row < cycle.count; row += team.size()) {
      const int j = cycle.observed[row];
      const Real seen = d.single_components ? w.mean[cycle.component[j]]
                                            : dot(team, s.n, cycle.H + static_cast<long>(j) * s.ldn, w.mean);
      const Real scale = d.diagonal_noise ? cycle.whitening[j] : Real(1);
      w.residual[row] = scale * (cycle.y[j] - observe_value(d.observation, seen));
      w.slope[row] = scale * observe_slope(d.observation, seen);
    }
    for (int i = team.rank(); i < s.n; i += team.size()) w.shift[i] = Real(0);
    if (team.rank() == 0) *w.chi_square = Real(0);
    if (sees_rows()) return;
    team.sync();
    Real* rows = d.diagonal_noise ? w.H : w.unwhitened;
    for_pairs(team, cycle.count, s.n, [&](int row, int i) {
      const int j = cycle.observed[row];
      const Real element = d.single_components ? (cycle.component[j] == i ? Real(1) : Real(0))
                                               : cycle.H[static_cast<long>(j) * s.ldn + i];
      rows[row * s.ldn + i] = w.slope[row] * element;
    });
    if (d.diagonal_noise) return;
    team.sync();
    gemm(team, cycle.count, s.n, cycle.count, cycle.whitening, s.lp, w.unwhitened, s.ldn, Assign<Real>{w.H, s.ldn});
    for (int row = team.rank(); row < cycle.count; row += team.size())
      w.spare[row] = dot(team, cycle.count, cycle.whitening + static_cast<long>(row) * s.lp, w.residual);
    team.sync();
    copy(team, 1, s.lp, w.spare, w.residual);
  }

  /// Updates P and shift by some observations from `first` on. With V = P h' for their whitened rows h, S = h V + I and
  /// S = L L', the update P - V S^-1 V' subtracts v v' for the columns v of V L^-T: what one observation after the
  /// other subtracts. L^-1 times their innovation holds the innovations given the observations before, of variance one.
  template <class Team>
  VIDA_FN void assimilate(Team team, const CycleData<Real>& cycle, int first, const KalmanWork<Real>& w) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>, G = kObservationsTogether;
    using std::sqrt;
    const FilterShape& s = launch.shape;
    const int size = cycle.count - first < G ? cycle.count - first : G;
    const bool rows = sees_rows();
    const Real* H = w.H + static_cast<long>(first) * s.ldn;
    const auto component = [&](int k) { return cycle.component[cycle.observed[first + k]]; };
    if (!rows) {
      gemm(team, size, s.n, s.n, H, s.ldn, w.P, s.ld, Assign<Real>{w.V, s.ld});
      team.sync();
    }
    for_pairs(team, size, size, [&](int k, int l) {
      const Real element = rows ? w.slope[first + k] * w.slope[first + l] * w.P[component(k) * s.ld + component(l)]
                                : dot(team, s.n, H + k * s.ldn, w.V + l * s.ld);
      w.S[k * G + l] = element + (k == l ? Real(1) : Real(0));
    });
    for (int k = team.rank(); k < size; k += team.size())
      w.innovation[k] = w.residual[first + k] -
                        (rows ? w.slope[first + k] * w.shift[component(k)] : dot(team, s.n, H + k * s.ldn, w.shift));
    team.sync();
    // every lane factors for itself
    Real L[G][G], inverse[G], u[G];  // inverse of L's diagonal, L^-1 innovation
    VIDA_UNROLL
    for (int k = 0; k < G; ++k) {
      VIDA_UNROLL
      for (int l = 0; l <= k; ++l) {
        Real value = k < size ? w.S[k * G + l] : (k == l ? Real(1) : Real(0));
        VIDA_UNROLL
        for (int m = 0; m < l; ++m) value -= L[k][m] * L[l][m];
        if (l < k)
          L[k][l] = value * inverse[l];
        else
          inverse[k] = Real(1) / sqrt(value);
      }
      u[k] = k < size ? w.innovation[k] : Real(0);
      VIDA_UNROLL
      for (int m = 0; m < k; ++m) u[k] -= L[k][m] * u[m];
      u[k] *= inverse[k];
    }
    for (int c = team.rank() * W; c < s.n; c += team.size() * W) {
      Pack v[G], moved = load<Pack>(w.shift + c);
      VIDA_UNROLL
      for (int k = 0; k < G; ++k) {
        v[k] = Pack{};
        if (k < size)
          v[k] = rows ? w.slope[first + k] * load<Pack>(w.P + component(k) * s.ld + c) : load<Pack>(w.V + k * s.ld + c);
        VIDA_UNROLL
        for (int m = 0; m < k; ++m) v[k] -= L[k][m] * v[m];
        v[k] *= inverse[k];
        moved += u[k] * v[k];
        store(w.V + k * s.ld + c, v[k]);
      }
      store(w.shift + c, moved);
    }
    if (team.rank() == 0) {
      VIDA_UNROLL
      for (int k = 0; k < G; ++k) *w.chi_square += u[k] * u[k];
    }
    team.sync();
    gemm_tn(team, s.n, s.n, G, w.V, s.ld, w.V, s.ld, [P = w.P, ld = s.ld](int i, int c, Pack value) {
      Real* at = P + i * ld + c;
      store(at, load<Pack>(at) - value);
    });
  }
};

}  // namespace vida::kernels
