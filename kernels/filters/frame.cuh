#pragma once

// What all filters share: the data of a batch in device memory, the parameters of a run, what a run leaves behind, and
// the observation of an ensemble.

#include <cstdint>

#include "column_normals.cuh"
#include "dynamics/dynamics.cuh"
#include "filters/observation.cuh"

namespace vida::kernels {

/// Extents of one launch. Vectors of observations have lp elements, n x n matrices [rows, ldn], p x n [prows, ldn],
/// p x p [prows, lp], arrays with members as columns [.., ld].
struct FilterShape {
  int n, p, members;
  int ld, ldn, lp;         // Executor::leading_dimension of members, n and p
  int rows, prows, mrows;  // n, p and members padded to a multiple of four
  int steps;               // model steps per cycle
  int analyses;            // local analyses worked side by side
  long cycles;             // of the data
  ModelShape model;

  /// Of a covariance of the state or its factor, a matrix or its diagonal.
  VIDA_BOTH long covariance_elements(bool dense) const { return dense ? static_cast<long>(rows) * ldn : n; }
  VIDA_BOTH long state_elements() const { return static_cast<long>(rows) * ld; }      // [n, members]
  VIDA_BOTH long observed_elements() const { return static_cast<long>(prows) * ld; }  // [p, members]
  VIDA_BOTH long square_elements() const { return static_cast<long>(mrows) * ld; }    // [members, members]
};

/// Which tables a method reads.
enum class FilterTables : int { none, states_of_observations, observations_of_states, gains };

/// The columns of a method's state: members of an ensemble, components of a covariance, or a mean alone.
enum class FilterColumns { members, components, mean };

/// What a driver knows of a method.
struct FilterTraits {
  const char* name;
  const char* description;
  FilterColumns columns = FilterColumns::members;
  FilterTables tables = FilterTables::none;
  bool linear = false;  // whether models and observations must be linear

  bool ensemble() const { return columns == FilterColumns::members; }
  bool localised() const {
    return tables == FilterTables::states_of_observations || tables == FilterTables::observations_of_states;
  }
};

/// The data sets of a batch, each array with the data set as its first axis unless said otherwise. A cycle's pattern
/// tells which observations are present; `observed` lists them in rising order.
template <class Real>
struct FilterData {
  const Real* parameters;          // [data, model.parameters]
  const Real* y;                   // [data, cycles, lp], NaN where missing
  const Real* truth;               // [data, cycles, n], NaN where unknown
  const Real* initial_mean;        // [data, n]
  const Real* initial_factor;      // lower Cholesky factor of C0 [data, rows, ldn], or its diagonal [data, n]
  const Real* noise_factor;        // of Q, in the same form
  const Real* initial_covariance;  // C0 itself [data, rows, ldn], or its diagonal [data, n]
  const Real* noise_covariance;    // Q, in the same form
  const Real* H;                   // [data, prows, ldn], for observations that mix components
  const int* component;            // [data, p], for observations of single ones
  const Real* whitening;           // R^-1/2: [pattern, prows, lp], or with a diagonal R [data, lp]
  const int* pattern_of;           // [data, cycles]
  const int* count;                // observations present [pattern]
  const int* observed;             // their numbers [pattern, lp]
  const int* place;                // of observation j among those, -1 when missing [pattern, lp]
  ObservationKind observation;
  bool dense_initial, dense_noise, noisy;  // whether factors are matrices; whether there is a Q at all
  bool single_components, diagonal_noise;
  bool whole_state;  // every component is observed, by itself and once, with independent errors
};

/// One run: its data set and what its filter is told.
template <class Real>
struct FilterRun {
  int data;
  int given;       // whether the state of the first cycle is there already
  int taper;       // which table of localisation weights, -1 for none
  int background;  // which background of fixed gains
  std::uint64_t seed;
  std::uint32_t number;
  Real inflation;   // of analysis anomalies; of covariance per unit time for Kalman filters
  Real relaxation;  // to prior spread
  int rotation;
  int local_states;        // LETKF: components of a local analysis
  Real xn, tolerance;      // EnKF-N
  int lag, iterations;     // iEnKS
  Real threshold, jitter;  // particle filters
  Tangent tangent;         // Kalman filters
};

/// Scores of one cycle, in the order of vida::CycleScore.
enum CycleScoreIndex : int {
  kForecastError,
  kAnalysisError,
  kForecastSpread,
  kAnalysisSpread,
  kChiSquare,
  kForecastCrps,
  kAnalysisCrps,
  kCycleScores
};

/// What the runs of a launch leave behind. Means and ranks may be null.
template <class Real>
struct FilterOutput {
  Real* state;            // between launches [run, Kernel::state_elements]
  Real* scores;           // [run, count, kCycleScores] of this launch's cycles
  Real* forecast_mean;    // [run, count, n]
  Real* analysis_mean;    // [run, count, n]
  Real* analysis_spread;  // [run, count, n], standard deviations
  Real* members;          // analysis ensemble or covariance of the last cycle of this launch [run, n, ld]
  int* ranks;             // of the truth in the forecast ensemble [run, count, n]
  long* failed;           // [run] cycle whose numbers are not finite, -1: none
  int crps_every;         // cycles between CRPS; 0: never
};

/// Localisation weights, [table, group, width] with the number of entries [table, group]: for each observation the
/// components that it reaches and their weights, or for each local analysis its observations and the roots of theirs.
template <class Real>
struct Tapers {
  const int* count;
  const int* index;
  const Real* weight;
  int groups, width;

  VIDA_FN long row(int table, int group) const { return static_cast<long>(table) * groups + group; }
};

/// Gains that the host computes: for each background B and each set of observations present one table, with zeros for
/// those that are missing. NaN stands for what a given gain leaves unknown.
template <class Real>
struct Gains {
  const Real* mean;               // of the background [background, n]
  const Real* forecast_variance;  // diagonal of B [background, n]
  const int* table_of;            // [background, cycles], -1 where nothing is observed
  const Real* gain;               // transposed, K = B H' (H B H' + R)^-1 [table, prows, ldn]
  const Real* precision;          // (H B H' + R)^-1 [table, prows, lp]
  const Real* analysis_variance;  // diagonal of (I - K H) B [table, n]
};

/// A launch over some cycles of some runs.
template <class Real>
struct FilterLaunch {
  FilterShape shape;
  FilterData<Real> data;
  Tapers<Real> tapers;
  Gains<Real> gains;
  const FilterRun<Real>* runs;
  FilterOutput<Real> output;
  long first, count;  // cycles

  VIDA_FN Model<Real> model(long set) const { return {shape.model, data.parameters + set * shape.model.parameters}; }
  /// Where a run's output of a cycle stands among those of this launch.
  VIDA_FN long slot(long item, long cycle) const { return item * count + cycle - first; }
  VIDA_FN Real* scores(long item, long cycle) const { return output.scores + slot(item, cycle) * kCycleScores; }
};

/// What is present at one cycle of one data set.
template <class Real>
struct CycleData {
  const Real* y;          // [lp]
  const Real* truth;      // [n]
  const Real* H;          // [prows, ldn]
  const int* component;   // [p]
  const Real* whitening;  // of this pattern [prows, lp], or of all observations [lp]
  const int* observed;    // [count]
  const int* place;       // [p]
  int count;

  VIDA_FN CycleData(const FilterShape& s, const FilterData<Real>& d, long set, long cycle) {
    const long at = set * s.cycles + cycle;
    const long pattern = d.pattern_of[at];
    y = d.y + at * s.lp;
    truth = d.truth + at * s.n;
    H = d.H + set * s.prows * s.ldn;
    component = d.component + set * s.p;
    whitening = d.whitening + (d.diagonal_noise ? set * s.lp : pattern * s.prows * s.lp);
    observed = d.observed + pattern * s.lp;
    place = d.place + pattern * s.lp;
    count = d.count[pattern];
  }
};

/// Streams of random draws, apart from those of vida/random.hpp.
enum FilterStream : std::uint32_t {
  kMemberStream = 16,
  kModelNoiseStream,
  kPerturbationStream,
  kRotationStream,
  kOrderStream,
  kResamplingStream,
  kJitterStream
};

template <class Real>
VIDA_FN DrawAddress draw_address(const FilterRun<Real>& run, FilterStream stream, long cycle) {
  return {run.seed, static_cast<std::uint32_t>(stream), run.number, static_cast<std::uint32_t>(cycle)};
}

/// to[i, :] += (factor z)[i, :] for a lower factor [rows, ldn] or a diagonal one; z: [n, ld], not `to`.
template <class Team, class Real>
VIDA_CALL void add_coloured(Team team, const FilterShape& s, const Real* factor, bool dense, const Real* z, Real* to) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for_pairs(team, s.n, (s.members + W - 1) / W, [&](int i, int pack) {
    Real* target = to + static_cast<long>(i) * s.ld + pack * W;
    Pack sum = load<Pack>(target);
    for (int k = dense ? 0 : i; k <= i; ++k)
      sum += (dense ? factor[static_cast<long>(i) * s.ldn + k] : factor[i]) *
             load<Pack>(z + static_cast<long>(k) * s.ld + pack * W);
    store(target, sum);
  });
}

/// E <- draws of the initial law. z: [n, ld].
template <class Team, class Real>
VIDA_FN void draw_members(Team team, const FilterShape& s, const FilterData<Real>& d, const FilterRun<Real>& run,
                          Real* z, Real* E) {
  using Pack = typename Team::template Pack<Real>;
  const long set = run.data;
  column_normals(team, s.n, s.members, draw_address(run, kMemberStream, 0), z, s.ld);
  for_pairs(team, s.n, s.ld / width<Pack, Real>, [&](int i, int pack) {
    store(E + static_cast<long>(i) * s.ld + pack * width<Pack, Real>, Pack{} + d.initial_mean[set * s.n + i]);
  });
  team.sync();
  add_coloured(team, s, d.initial_factor + set * s.covariance_elements(d.dense_initial), d.dense_initial, z, E);
}

/// E += draws of N(0, Q). z: [n, ld].
template <class Team, class Real>
VIDA_FN void add_model_noise(Team team, const FilterShape& s, const FilterData<Real>& d, const FilterRun<Real>& run,
                             long cycle, Real* z, Real* E) {
  const long set = run.data;
  column_normals(team, s.n, s.members, draw_address(run, kModelNoiseStream, cycle), z, s.ld);
  team.sync();
  add_coloured(team, s, d.noise_factor + set * s.covariance_elements(d.dense_noise), d.dense_noise, z, E);
}

/// Standard deviation with N - 1 of a row of anomalies, by the calling lane alone.
template <class Team, class Real>
VIDA_FN Real row_deviation(Team team, int members, const Real* row) {
  using std::sqrt;
  return sqrt(dot(team, members, row, row) / Real(members - 1));
}

/// mean[i] <- mean of row i of X [rows, ld] over the members; X <- X - mean. deviation[i] <- standard deviation with
/// N - 1, unless null.
template <class Team, class Real>
VIDA_CALL void center_rows(Team team, int rows, int members, Real* X, int ld, Real* mean, Real* deviation) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for (int i = team.rank(); i < rows; i += team.size()) {
    Real* row = X + static_cast<long>(i) * ld;
    const Real center = sum(team, members, row) / Real(members);
    mean[i] = center;
    for (int c = 0; c < members; c += W) store(row + c, load<Pack>(row + c) - center);
    if (deviation) deviation[i] = row_deviation(team, members, row);
  }
}

/// deviation[i] <- standard deviation of the anomalies in row i.
template <class Team, class Real>
VIDA_CALL void deviations(Team team, int rows, int members, const Real* A, int ld, Real* deviation) {
  for (int i = team.rank(); i < rows; i += team.size())
    deviation[i] = row_deviation(team, members, A + static_cast<long>(i) * ld);
}

/// h(E) of observation j, a pack of members at `column`.
template <class Pack, class Real>
VIDA_FN Pack observed_pack(const FilterShape& s, const FilterData<Real>& d, const CycleData<Real>& cycle, int j,
                           int column, const Real* E) {
  Pack value = {};
  if (d.single_components) {
    value = load<Pack>(E + static_cast<long>(cycle.component[j]) * s.ld + column);
  } else {
    for (int k = 0; k < s.n; ++k)
      value += cycle.H[static_cast<long>(j) * s.ldn + k] * load<Pack>(E + static_cast<long>(k) * s.ld + column);
  }
  return observe_value(d.observation, value);
}

/// Y <- h(E) of the observations present, [count, ld].
template <class Team, class Real>
VIDA_CALL void observe(Team team, const FilterShape& s, const FilterData<Real>& d, const CycleData<Real>& cycle,
                       const Real* E, Real* Y) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for_pairs(team, cycle.count, (s.members + W - 1) / W, [&](int row, int pack) {
    const int c = pack * W;
    store(Y + static_cast<long>(row) * s.ld + c, observed_pack<Pack>(s, d, cycle, cycle.observed[row], c, E));
  });
}

/// Y <- R^-1/2 Y and residual <- R^-1/2 residual for the observations present. other: [p, ld], spare: [lp].
template <class Team, class Real>
VIDA_CALL void whiten(Team team, const FilterShape& s, const FilterData<Real>& d, const CycleData<Real>& cycle, Real* Y,
                      Real* residual, Real* other, Real* spare) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  if (d.diagonal_noise) {
    for_pairs(team, cycle.count, (s.members + W - 1) / W, [&](int row, int pack) {
      Real* at = Y + static_cast<long>(row) * s.ld + pack * W;
      store(at, cycle.whitening[cycle.observed[row]] * load<Pack>(at));
    });
    for (int row = team.rank(); row < cycle.count; row += team.size())
      residual[row] *= cycle.whitening[cycle.observed[row]];
    return;
  }
  gemm(team, cycle.count, s.members, cycle.count, cycle.whitening, s.lp, Y, s.ld, Assign<Real>{other, s.ld});
  for (int row = team.rank(); row < cycle.count; row += team.size())
    spare[row] = dot(team, cycle.count, cycle.whitening + static_cast<long>(row) * s.lp, residual);
  team.sync();
  copy(team, cycle.count, s.ld, other, Y);
  copy(team, 1, s.lp, spare, residual);
}

}  // namespace vida::kernels
