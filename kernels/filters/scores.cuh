#pragma once

// Scores of a forecast or an analysis against the truth.

#include "filters/frame.cuh"

namespace vida::kernels {

/// Continuous ranked probability score of the members mean + A[i] (not their limit law) for the value `truth`:
/// E|X - truth| - E|X - X'| / 2.
template <class Team, class Real>
VIDA_CALL Real ensemble_crps(Team team, int members, Real mean, const Real* anomalies, Real truth) {
  const Real shift = truth - mean;
  const Real to_truth = sum_of(team, members, anomalies, [&](auto a) { return pack_abs(a - shift); });
  Real spread = Real(0);
  for (int k = 0; k < members; ++k) {
    const Real other = anomalies[k];
    spread += sum_of(team, members, anomalies, [&](auto a) { return pack_abs(a - other); });
  }
  return (to_truth - spread / (Real(2) * Real(members))) / Real(members);
}

/// The same for N(mean, deviation^2) (Gneiting and Raftery 2007, equation 21).
template <class Real>
VIDA_FN Real gaussian_crps(Real mean, Real deviation, Real truth) {
  if (!(deviation > Real(0))) return pack_abs(truth - mean);
  const Real z = (truth - mean) / deviation;
  return deviation *
         (z * (Real(2) * normal_cdf(z) - Real(1)) + Real(2) * normal_density(z) - Real(0.56418958354775628));
}

/// Where a forecast or an analysis is written to, and with which scores.
template <class Real>
struct Assessment {
  Real *error, *spread, *crps;  // one number each
  Real *mean, *deviation;       // [n], may be null
  bool with_crps;
};

template <class Real>
VIDA_FN Assessment<Real> assessment(const FilterLaunch<Real>& launch, long item, long cycle, bool analysis) {
  const FilterOutput<Real>& out = launch.output;
  const long slot = launch.slot(item, cycle);
  Real* scores = launch.scores(item, cycle);
  const auto at = [&](Real* rows) { return rows ? rows + slot * launch.shape.n : nullptr; };
  return {
      scores + (analysis ? kAnalysisError : kForecastError), scores + (analysis ? kAnalysisSpread : kForecastSpread),
      scores + (analysis ? kAnalysisCrps : kForecastCrps),   at(analysis ? out.analysis_mean : out.forecast_mean),
      at(analysis ? out.analysis_spread : nullptr),          out.crps_every > 0 && cycle % out.crps_every == 0};
}

/// Writes the scores of mean and deviation, and returns whether all of them are finite; crps(i) is component i's.
/// work: [2 n + 1]. Every lane returns the same.
template <class Team, class Real, class Crps>
VIDA_FN bool assess(Team team, int n, const Real* truth, const Real* mean, const Real* deviation, Real* work,
                    const Assessment<Real>& to, Crps crps) {
  using std::sqrt;
  Real* ranked = work + n;
  Real* finite = work + 2 * n;
  for (int i = team.rank(); i < n; i += team.size()) {
    const Real error = mean[i] - truth[i];
    work[i] = error * error;
    ranked[i] = to.with_crps ? crps(i) : Real(NAN);
    if (to.mean) to.mean[i] = mean[i];
    if (to.deviation) to.deviation[i] = deviation[i];
  }
  team.sync();
  if (team.rank() == 0) {
    *to.error = sqrt(sum(team, n, work) / Real(n));
    *to.spread = sqrt(dot(team, n, deviation, deviation) / Real(n));
    *to.crps = to.with_crps ? sum(team, n, ranked) / Real(n) : Real(NAN);
    *finite = Real(0) * sum(team, n, mean);
  }
  team.sync();
  return *finite == Real(0);
}

/// ranks[i] <- how many members lie below the truth, -1 where it is unknown.
template <class Team, class Real>
VIDA_CALL void count_ranks(Team team, int n, int members, const Real* truth, const Real* mean, const Real* A, int ld,
                           int* ranks) {
  for (int i = team.rank(); i < n; i += team.size()) {
    const Real shift = truth[i] - mean[i];
    int below = 0;
    for (int k = 0; k < members; ++k) below += A[static_cast<long>(i) * ld + k] < shift ? 1 : 0;
    ranks[i] = shift == shift ? below : -1;
  }
}

}  // namespace vida::kernels
