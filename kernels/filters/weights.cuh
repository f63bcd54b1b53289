#pragma once

// Importance weights of a particle filter: their normalisation in log space, running sums, systematic resampling, and
// weighted moments. Particles are cut into tiles of a fixed number of columns, so that the order of every sum is fixed.

#include "filters/frame.cuh"

namespace vida::kernels {

inline constexpr int kTileColumns = 64;

VIDA_BOTH constexpr int tiles_of(int members) { return (members + kTileColumns - 1) / kTileColumns; }
VIDA_BOTH constexpr int tile_columns(int members, int tile) {
  return members - tile * kTileColumns < kTileColumns ? members - tile * kTileColumns : kTileColumns;
}

/// The weights of one run, [ld] each.
template <class Real>
struct Weights {
  Real *logs, *values;  // the values sum to one
  Real* running;        // sums of the first weights, up to a common factor
  Real* partial;        // [tiles + 1]
  int members;

  VIDA_FN Real total() const { return running[members - 1]; }  // of `running`
};

template <class Team, class Real>
VIDA_FN void set_equal(Team team, const Weights<Real>& w) {
  const Real log_weight = -pack_log(Real(w.members));
  for (int k = team.rank(); k < w.members; k += team.size()) {
    w.logs[k] = log_weight;
    w.values[k] = Real(1) / Real(w.members);
  }
}

/// values <- exp(logs) / their sum, logs <- logarithms of those. The largest exponential is one, so that the sum cannot
/// vanish however small all of the likelihoods are; a NaN among the logarithms makes every weight NaN.
template <class Team, class Real>
VIDA_FN void normalize(Team team, const Weights<Real>& w) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int tiles = tiles_of(w.members), packs = (w.members + W - 1) / W;
  for (int t = team.rank(); t < tiles; t += team.size()) {
    const Real* logs = w.logs + t * kTileColumns;
    Real largest = logs[0];
    for (int k = 1; k < tile_columns(w.members, t); ++k) largest = logs[k] <= largest ? largest : logs[k];
    w.partial[t] = largest;
  }
  team.sync();
  Real largest = w.partial[0];
  for (int t = 1; t < tiles; ++t) largest = w.partial[t] <= largest ? largest : w.partial[t];
  for (int pack = team.rank(); pack < packs; pack += team.size())
    store(w.values + pack * W, pack_exp(load<Pack>(w.logs + pack * W) - largest));
  team.sync();
  for (int t = team.rank(); t < tiles; t += team.size()) {
    Real sum = Real(0);
    for (int k = t * kTileColumns; k < t * kTileColumns + tile_columns(w.members, t); ++k) {
      sum += w.values[k];
      w.running[k] = sum;
    }
    w.partial[t] = sum;
  }
  team.sync();
  if (team.rank() == 0) {
    Real before = Real(0);
    for (int t = 0; t < tiles; ++t) {
      const Real sum = w.partial[t];
      w.partial[t] = before;
      before += sum;
    }
    w.partial[tiles] = before;
  }
  team.sync();
  const Real total = w.partial[tiles], shift = largest + pack_log(total), inverse = Real(1) / total;
  for (int pack = team.rank(); pack < packs; pack += team.size()) {
    const int k = pack * W;
    store(w.running + k, load<Pack>(w.running + k) + w.partial[k / kTileColumns]);
    store(w.values + k, load<Pack>(w.values + k) * inverse);
    store(w.logs + k, load<Pack>(w.logs + k) - shift);
  }
}

/// partial[t] <- sum of squares of the weights of tile t; total_of(tiles, partial) after a barrier is sum w^2.
template <class Team, class Real>
VIDA_FN void square_weights(Team team, const Weights<Real>& w) {
  for (int t = team.rank(); t < tiles_of(w.members); t += team.size()) {
    const Real* values = w.values + t * kTileColumns;
    w.partial[t] = dot(team, tile_columns(w.members, t), values, values);
  }
}

/// How many of the points (offset + i) / N, i = 0, 1, .., N - 1 lie at or below sum k of the weights, 0 < offset < 1.
template <class Real>
VIDA_FN int points_below(const Weights<Real>& w, int k, Real offset) {
  if (k < 0) return 0;
  if (k == w.members - 1) return w.members;
  const int below = static_cast<int>(Real(w.members) * (w.running[k] / w.total()) - offset + Real(1));
  return below < w.members ? below : w.members;
}

/// Systematic resampling (Kitagawa 1996): parents[i], rising, of which particle k has floor or ceil of N w_k; share[i]
/// <- `shared` for particles that have a twin, 0 for others.
template <class Team, class Real>
VIDA_FN void choose_parents(Team team, const Weights<Real>& w, Real offset, Real shared, int* parents, Real* share) {
  for (int k = team.rank(); k < w.members; k += team.size()) {
    const int begin = points_below(w, k - 1, offset), end = points_below(w, k, offset);
    for (int i = begin; i < end; ++i) {
      parents[i] = k;
      share[i] = end - begin > 1 ? shared : Real(0);
    }
  }
}

/// sum_k w_k (x_k - center)^2 by the calling lane.
template <class Team, class Real>
VIDA_FN Real weighted_squares(Team, int n, const Real* w, const Real* x, Real center) {
  using Octet = typename Team::template Octet<Real>;
  EightSums<Real> sums;
  if constexpr (width<Octet, Real> == 8) {
    Octet running = {};
    int k = 0;
    for (; k + 8 <= n; k += 8) {
      const Octet apart = load<Octet>(x + k) - center;
      running += load<Octet>(w + k) * apart * apart;
    }
    store(sums.part, running);
    for (int r = 0; k + r < n; ++r) sums.part[r] += w[k + r] * (x[k + r] - center) * (x[k + r] - center);
  } else {
    sums.add(n, [&](int k) { return w[k] * (x[k] - center) * (x[k] - center); });
  }
  return sums.total();
}

/// Weighted moments, tile by tile, put together as those of disjoint samples (Chan, Golub and LeVeque 1983).
template <class Real>
struct TileMoments {
  Real *weight, *center, *squares;  // [tiles], [tiles, n]: sums of weights, means, sums of squares about them
  int tiles, n;

  VIDA_BOTH TileMoments(Pieces<Real>& pieces, int members, int n_)
      : weight(pieces.take(tiles_of(members))),
        center(pieces.take(static_cast<long>(tiles_of(members)) * n_)),
        squares(pieces.take(static_cast<long>(tiles_of(members)) * n_)),
        tiles(tiles_of(members)),
        n(n_) {}

  /// X: [n, ld], the tile's columns alone; w: their weights.
  template <class Team>
  VIDA_FN void add(Team team, int tile, int columns, const Real* w, const Real* X, int ld) const {
    const Real together = sum(team, columns, w);
    if (team.rank() == 0) weight[tile] = together;
    for (int i = team.rank(); i < n; i += team.size()) {
      const Real* x = X + static_cast<long>(i) * ld;
      // a tile whose weights are all zero has no mean and needs none
      const Real middle = together == Real(0) ? x[0] : dot(team, columns, w, x) / together;
      center[tile * n + i] = middle;
      squares[tile * n + i] = weighted_squares(team, columns, w, x, middle);
    }
  }

  /// deviation: with the factor 1 / (1 - sum w^2), under which equal weights give the sample's variance.
  template <class Team>
  VIDA_FN void finish(Team team, Real factor, Real* mean, Real* deviation) const {
    for (int i = team.rank(); i < n; i += team.size()) {
      EightSums<Real> first, second;
      first.add(tiles, [&](int t) { return weight[t] * center[t * n + i]; });
      const Real middle = first.total();
      second.add(tiles, [&](int t) {
        const Real apart = center[t * n + i] - middle;
        return squares[t * n + i] + weight[t] * apart * apart;
      });
      mean[i] = middle;
      deviation[i] = std::sqrt(factor * second.total());
    }
  }
};

/// Continuous ranked probability score of the particles x with weights w: E|X - truth| - E|X - X'| / 2. N^2 terms.
template <class Team, class Real>
VIDA_FN Real weighted_crps(Team, int members, const Real* w, const Real* x, Real truth) {
  EightSums<Real> to_truth;
  to_truth.add(members, [&](int k) { return w[k] * pack_abs(x[k] - truth); });
  Real apart = Real(0);
  for (int m = 0; m < members; ++m) {
    EightSums<Real> from;
    from.add(members, [&](int k) { return w[k] * pack_abs(x[k] - x[m]); });
    apart += w[m] * from.total();
  }
  return to_truth.total() - Real(0.5) * apart;
}

/// ranks[i] <- N times the weight of the particles below the truth, rounded: their number when weights are equal. -1
/// where the truth is unknown.
template <class Team, class Real>
VIDA_FN void weighted_ranks(Team team, int n, int members, const Real* truth, const Real* w, const Real* E, int ld,
                            int* ranks) {
  for (int i = team.rank(); i < n; i += team.size()) {
    const Real* x = E + static_cast<long>(i) * ld;
    EightSums<Real> below;
    below.add(members, [&](int k) { return x[k] < truth[i] ? w[k] : Real(0); });
    ranks[i] = truth[i] == truth[i] ? static_cast<int>(Real(members) * below.total() + Real(0.5)) : -1;
  }
}

}  // namespace vida::kernels
