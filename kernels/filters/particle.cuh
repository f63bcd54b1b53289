#pragma once

// Particle filters. Particles lie in the state of the run, [n, ld], between cycles; a cycle brings them tile by tile
// into the nearest cache, where the offspring of the last resampling are made, advanced, weighed and summed up.

#include "filters/jitter.cuh"
#include "filters/proposals.cuh"
#include "filters/scores.cuh"

namespace vida::kernels {

/// item = run. The weights of resampled particles are equal; the scores of an analysis are those of the weighted
/// particles before that. Where nothing is observed, weights stay. chi_square is NaN.
///
/// Particles that share a parent are parted by jitter N^(-1/(n+4)) N(0, C_w), each draw used with both signs, C_w the
/// weighted covariance with the factor 1 / (1 - sum w^2); when one particle has all of the weight, C_w is the
/// unweighted covariance.
///
/// Of the optimal proposal there is no forecast ensemble: its mean and spread are those of the particles and Q; ranks
/// and CRPS of the forecast are not defined.
template <class Proposal>
struct ParticleFilter {
  using Real = typename Proposal::Real;
  static constexpr FilterTraits kTraits = Proposal::kTraits;
  FilterLaunch<Real> launch;

  /// Particles, room for their offspring, logarithms of weights, weights.
  VIDA_BOTH static long state_elements(const FilterShape& s) { return 2 * s.state_elements() + 2L * s.ld; }
  static std::size_t scratch_bytes(const FilterShape& s) { return work_bytes<Work, Real>(s); }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const FilterShape& s = launch.shape;
    const FilterRun<Real>& run = launch.runs[item];
    Pieces<Real> pieces{team.template scratch<Real>()};
    const Work work(pieces, s);
    Real* state = launch.output.state + item * state_elements(s);
    if (launch.output.failed[item] >= 0) return;
    Particles particles{state, state + s.state_elements(), -1};
    Real* weights = state + 2 * s.state_elements();
    const Weights<Real> w{weights, weights + s.ld, work.running, work.partial, s.members};
    if (launch.first == 0) {
      if (!run.given) draw_members(team, s, launch.data, run, particles.other, particles.E);
      set_equal(team, w);
    }
    for (int k = team.rank(); k < tiles_of(s.members) * kTileColumns; k += team.size())
      work.parents[k] = 0, work.share[k] = Real(0);
    long prepared = -1;
    for (long j = launch.first; j < launch.first + launch.count; ++j) {
      const CycleData<Real> cycle(s, launch.data, run.data, j);
      const long pattern = launch.data.pattern_of[run.data * s.cycles + j];
      if (pattern != prepared) work.proposal.prepare(team, s, launch.data, run.data, cycle);
      prepared = pattern;
      team.sync();
      advance(team, run, j, cycle, w, work, particles);
      if (!analyse(team, item, run, j, cycle, w, work, particles)) {
        if (team.rank() == 0) launch.output.failed[item] = j;
        return;
      }
    }
    if (particles.resampled_at >= 0) {
      for (int t = 0; t < tiles_of(s.members); ++t) {
        team.sync();
        fetch(team, run, t, work, particles);
        team.sync();
        put(team, t, work, particles.other);
      }
      team.sync();
      particles.take_offspring();
    }
    if (launch.output.members) copy(team, s.n, s.ld, particles.E, launch.output.members + item * s.n * s.ld);
    if (particles.E != state) copy(team, s.n, s.ld, particles.E, state);
  }

 private:
  /// Where the particles are; offspring of the resampling at that cycle are made when they are next needed.
  struct Particles {
    Real *E, *other;
    long resampled_at;  // -1: nothing is to be made

    VIDA_FN void take_offspring() {
      Real* made = other;
      other = E, E = made, resampled_at = -1;
    }
  };

  struct Work {
    Real *X, *z, *D, *Y, *running, *partial, *share, *roots, *mean, *squares, *deviation, *score, *C;
    float* noise;
    int* parents;
    typename Model<Real>::Work model;
    TileMoments<Real> moments;
    Correlations correlations;
    JitterFactor<Real> factor;
    Proposal proposal;

    VIDA_BOTH Work(Pieces<Real>& pieces, const FilterShape& s)
        : X(tile(pieces, s.rows)),
          z(tile(pieces, s.rows)),
          D(tile(pieces, s.prows)),
          Y(tile(pieces, s.prows)),
          running(pieces.take(s.ld)),
          partial(pieces.take(tiles_of(s.members) + 1)),
          share(pieces.take(tiles_of(s.members) * kTileColumns)),
          roots(pieces.take(2L * kTileColumns)),
          mean(pieces.take(s.n)),
          squares(pieces.take(s.n)),
          deviation(pieces.take(s.n)),
          score(pieces.take(2L * s.n + 1)),
          C(pieces.take(static_cast<long>(s.rows) * s.ldn)),
          noise(reinterpret_cast<float*>(tile(pieces, s.rows))),
          parents(reinterpret_cast<int*>(pieces.take(tiles_of(s.members) * kTileColumns))),
          model(pieces, s.model),
          moments(pieces, s.members, s.n),
          correlations(pieces, s.n),
          factor(pieces, s.n),
          proposal(pieces, s) {}

   private:
    VIDA_BOTH static Real* tile(Pieces<Real>& pieces, int rows) {
      return pieces.take(static_cast<long>(rows) * kTileColumns);
    }
  };

  VIDA_FN static Real factor_of(Real squares) {
    constexpr Real kLeast = sizeof(Real) == 8 ? Real(1e-10) : Real(1e-5);
    return Real(1) - squares > kLeast ? Real(1) / (Real(1) - squares) : Real(1);
  }

  /// work.X <- the particles of a tile, offspring where there was a resampling.
  template <class Team>
  VIDA_FN void fetch(Team team, const FilterRun<Real>& run, int t, const Work& work, const Particles& particles) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const FilterShape& s = launch.shape;
    const int first = t * kTileColumns;
    if (particles.resampled_at < 0) {
      for_pairs(team, s.n, (tile_columns(s.members, t) + W - 1) / W, [&](int i, int pack) {
        store(work.X + static_cast<long>(i) * kTileColumns + pack * W,
              load<Pack>(particles.E + static_cast<long>(i) * s.ld + first + pack * W));
      });
      return;
    }
    offspring(team, s.n, particles.E, s.ld, work.parents + first, work.X);
    if (run.jitter == Real(0)) return;
    column_noise(team, s.n, kTileColumns / 2, draw_address(run, kJitterStream, particles.resampled_at), work.noise,
                 kTileColumns / 2, first / 2);
    team.sync();
    add_jitter(team, work.factor, work.noise, work.share + first, work.X);
  }

  /// to <- work.X in the columns of a tile.
  template <class Team>
  VIDA_FN void put(Team team, int t, const Work& work, Real* to) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const FilterShape& s = launch.shape;
    for_pairs(team, s.n, (tile_columns(s.members, t) + W - 1) / W, [&](int i, int pack) {
      store(to + static_cast<long>(i) * s.ld + t * kTileColumns + pack * W,
            load<Pack>(work.X + static_cast<long>(i) * kTileColumns + pack * W));
    });
  }

  /// Advances and weighs all particles; work.moments become those of the forecast.
  template <class Team>
  VIDA_FN void advance(Team team, const FilterRun<Real>& run, long j, const CycleData<Real>& cycle,
                       const Weights<Real>& w, const Work& work, Particles& particles) const {
    const FilterData<Real>& d = launch.data;
    FilterShape s = launch.shape;
    s.ld = kTileColumns;
    for (int t = 0; t < tiles_of(launch.shape.members); ++t) {
      const int first = t * kTileColumns;
      s.members = tile_columns(launch.shape.members, t);
      if (t) team.sync();
      fetch(team, run, t, work, particles);
      if (d.noisy)
        column_normals(team, s.n, s.members, draw_address(run, kModelNoiseStream, j), work.z, kTileColumns, first);
      team.sync();
      launch.model(run.data).advance(team, work.X, kTileColumns, s.members, s.steps, work.model);
      team.sync();
      if (Proposal::kNoiseFirst && d.noisy) {
        add_coloured(team, s, d.noise_factor + run.data * s.covariance_elements(d.dense_noise), d.dense_noise, work.z,
                     work.X);
        team.sync();
      }
      work.moments.add(team, t, s.members, w.values + first, work.X, kTileColumns);
      if (cycle.count > 0 || !Proposal::kNoiseFirst) {
        work.proposal.weigh(team, {s, first, work.X, work.z, work.D, work.Y}, d, cycle, w.logs + first);
        team.sync();
      }
      put(team, t, work, particles.resampled_at < 0 ? particles.E : particles.other);
    }
    if (particles.resampled_at >= 0) particles.take_offspring();
  }

  template <class Team>
  VIDA_FN Real sum_of_squares(Team team, const Weights<Real>& w) const {
    square_weights(team, w);
    team.sync();
    return total_of(tiles_of(w.members), w.partial);
  }

  /// False when the forecast or the analysis is not finite.
  template <class Team>
  VIDA_FN bool analyse(Team team, long item, const FilterRun<Real>& run, long j, const CycleData<Real>& cycle,
                       const Weights<Real>& w, const Work& work, Particles& particles) const {
    const FilterShape& s = launch.shape;
    const long slot = launch.slot(item, j);
    const Real* E = particles.E;
    const auto crps = [&](int i) {
      return weighted_crps(team, s.members, w.values, E + static_cast<long>(i) * s.ld, cycle.truth[i]);
    };
    work.moments.finish(team, factor_of(sum_of_squares(team, w)), work.mean, work.deviation);
    team.sync();
    work.proposal.add_noise_variance(team, work.deviation);
    if (launch.output.ranks) {
      int* ranks = launch.output.ranks + slot * s.n;
      if (Proposal::kNoiseFirst)
        weighted_ranks(team, s.n, s.members, cycle.truth, w.values, E, s.ld, ranks);
      else
        for (int i = team.rank(); i < s.n; i += team.size()) ranks[i] = -1;
    }
    team.sync();
    Assessment<Real> forecast = assessment(launch, item, j, false);
    forecast.with_crps = forecast.with_crps && Proposal::kNoiseFirst;
    if (!assess(team, s.n, cycle.truth, work.mean, work.deviation, work.score, forecast, crps)) return false;
    if (cycle.count > 0) {
      normalize(team, w);
      team.sync();
    }
    const Real squares = sum_of_squares(team, w);
    const bool resample = cycle.count > 0 && Real(1) / squares <= run.threshold * Real(s.members);
    const bool degenerate = resample && factor_of(squares) == Real(1);
    examine(team, w, factor_of(squares), E, work);
    team.sync();
    if (team.rank() == 0) launch.scores(item, j)[kChiSquare] = Real(NAN);
    if (!assess(team, s.n, cycle.truth, work.mean, work.deviation, work.score, assessment(launch, item, j, true), crps))
      return false;
    if (resample) {
      const Real narrow = pack_exp(-pack_log(Real(s.members)) / Real(s.n + 4));
      choose_parents(team, w, uniform_draw<Real>(draw_address(run, kResamplingStream, j)), run.jitter * narrow,
                     work.parents, work.share);
      if (degenerate) {
        set_equal(team, w);
        team.sync();
        examine(team, w, factor_of(Real(1) / Real(s.members)), E, work);
      }
      correlate(team, w, E, work);
      team.sync();
      work.factor.set(team, work.deviation, work.C, s.ldn);
      if (!degenerate) set_equal(team, w);
      particles.resampled_at = j;
    }
    return true;
  }

  /// work.mean, work.squares and work.deviation <- moments of E under the weights.
  template <class Team>
  VIDA_FN void examine(Team team, const Weights<Real>& w, Real factor, const Real* E, const Work& work) const {
    const FilterShape& s = launch.shape;
    for (int i = team.rank(); i < s.n; i += team.size()) {
      const Real* x = E + static_cast<long>(i) * s.ld;
      work.mean[i] = dot(team, s.members, w.values, x);
      work.squares[i] = weighted_squares(team, s.members, w.values, x, work.mean[i]);
      work.deviation[i] = std::sqrt(factor * work.squares[i]);
    }
  }

  /// work.C <- the correlations of E under the weights that work.mean and work.squares belong to.
  template <class Team>
  VIDA_FN void correlate(Team team, const Weights<Real>& w, const Real* E, const Work& work) const {
    const FilterShape& s = launch.shape;
    constexpr int kColumns = kTileColumns * static_cast<int>(sizeof(Real) / sizeof(float));
    static_assert(kColumns % Correlations::kParts == 0);
    float* S = reinterpret_cast<float*>(work.X);
    work.correlations.clear(team);
    for (int first = 0; first < s.members; first += kColumns) {
      const int columns = s.members - first < kColumns ? s.members - first : kColumns;
      const int whole = static_cast<int>(padded(columns, Correlations::kParts));
      for (int c = team.rank(); c < columns; c += team.size()) work.roots[c] = std::sqrt(w.values[first + c]);
      team.sync();
      for (int i = team.rank(); i < s.n; i += team.size()) {
        const Real* x = E + static_cast<long>(i) * s.ld + first;
        const Real center = work.mean[i];
        const Real inverse = work.squares[i] > Real(0) ? Real(1) / std::sqrt(work.squares[i]) : Real(0);
        float* to = S + static_cast<long>(i) * kColumns;
        for (int c = 0; c < columns; ++c) to[c] = static_cast<float>(work.roots[c] * inverse * (x[c] - center));
        for (int c = columns; c < whole; ++c) to[c] = 0.0f;
      }
      team.sync();
      work.correlations.add(team, whole, S, kColumns);
      team.sync();
    }
    work.correlations.finish(team, work.C, s.ldn);
  }
};

}  // namespace vida::kernels
