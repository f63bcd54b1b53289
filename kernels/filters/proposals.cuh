#pragma once

// How a particle filter moves and weighs the particles of a tile once the model has advanced them.

#include "filters/weights.cuh"
#include "inverse_root.cuh"

namespace vida::kernels {

/// One tile of particles, [n, kTileColumns], and work areas of the same kind.
template <class Real>
struct ParticleTile {
  FilterShape shape;  // with the tile's columns for members
  int first;          // of its particles
  Real* X;
  Real* z;      // [n, columns]
  Real *D, *Y;  // [prows, columns]
};

/// D <- R^-1/2 (y - h(X)) of the observations present.
template <class Team, class Real>
VIDA_FN void innovations(Team team, const ParticleTile<Real>& tile, const FilterData<Real>& d,
                         const CycleData<Real>& cycle) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const FilterShape& s = tile.shape;
  Real* apart = d.diagonal_noise ? tile.D : tile.Y;
  for_pairs(team, cycle.count, (s.members + W - 1) / W, [&](int row, int pack) {
    const int j = cycle.observed[row];
    const Pack innovation = cycle.y[j] - observed_pack<Pack>(s, d, cycle, j, pack * W, tile.X);
    store(apart + static_cast<long>(row) * s.ld + pack * W,
          d.diagonal_noise ? cycle.whitening[j] * innovation : innovation);
  });
  if (d.diagonal_noise) return;
  team.sync();
  gemm(team, cycle.count, s.members, cycle.count, cycle.whitening, s.lp, tile.Y, s.ld, Assign<Real>{tile.D, s.ld});
}

/// sum over rows of the squares of each column of A [rows, kTileColumns], a pack at `column`.
template <class Pack, class Real>
VIDA_FN Pack column_squares(int rows, const Real* A, int column) {
  Pack sum = {};
  for (int r = 0; r < rows; ++r) {
    const Pack value = load<Pack>(A + static_cast<long>(r) * kTileColumns + column);
    sum += value * value;
  }
  return sum;
}

/// The model's own transition: weights take the likelihood (Gordon, Salmond and Smith 1993).
template <class RealType>
struct BootstrapProposal {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"particle", "bootstrap particle filter, systematic resampling with jitter"};
  static constexpr bool kNoiseFirst = true;  // particles get model noise before they are weighed

  VIDA_BOTH BootstrapProposal(Pieces<Real>&, const FilterShape&) {}

  template <class Team>
  VIDA_FN void prepare(Team, const FilterShape&, const FilterData<Real>&, long, const CycleData<Real>&) const {}
  template <class Team>
  VIDA_FN void add_noise_variance(Team, Real*) const {}

  /// logs += log-likelihoods, up to a constant.
  template <class Team>
  VIDA_FN void weigh(Team team, const ParticleTile<Real>& tile, const FilterData<Real>& d, const CycleData<Real>& cycle,
                     Real* logs) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>, kTogether = Team::kSingleLane ? 4 : 1;  // sums that do not wait for each other
    static_assert(kTileColumns % (kTogether * W) == 0);
    if (!d.diagonal_noise) {
      innovations(team, tile, d, cycle);
      team.sync();
    }
    for (int c = team.rank() * kTogether * W; c < tile.shape.members; c += team.size() * kTogether * W) {
      Pack squares[kTogether] = {};
      for (int row = 0; row < cycle.count; ++row) {
        const int j = cycle.observed[row];
        VIDA_UNROLL
        for (int q = 0; q < kTogether; ++q) {
          const int column = c + q * W;
          const Pack whitened =
              d.diagonal_noise
                  ? cycle.whitening[j] * (cycle.y[j] - observed_pack<Pack>(tile.shape, d, cycle, j, column, tile.X))
                  : load<Pack>(tile.D + static_cast<long>(row) * kTileColumns + column);
          squares[q] += whitened * whitened;
        }
      }
      VIDA_UNROLL
      for (int q = 0; q < kTogether; ++q)
        if (c + q * W < tile.shape.members)
          store(logs + c + q * W, load<Pack>(logs + c + q * W) - Real(0.5) * squares[q]);
    }
  }
};

/// The transition given the observation, for h(v) = H v (Doucet, Godsill and Andrieu 2000): with Q = L L',
/// G = R^-1/2 H L, Z = (I + G'G)^-1/2 and d = R^-1/2 (y - H Psi), the particle is Psi + L Z (Z G' d + N(0, I)) and its
/// weight takes N(y; H Psi, H Q H' + R) = exp(-(d'd - |Z G' d|^2) / 2) up to a constant.
template <class RealType>
struct OptimalProposal {
  using Real = RealType;
  static constexpr FilterTraits kTraits{"optimal-particle",
                                        "particle filter that draws from the transition given the observation"};
  static constexpr bool kNoiseFirst = false;
  int n, ldn;
  Real *L, *M, *Z, *inverse, *move;   // [rows, ldn]; move = L Z
  Real *G, *seen, *spare, *residual;  // [prows, ldn]; seen = G Z; [lp]
  Real* T;                            // [rows, kTileColumns]
  InverseRootWork<Real> root;

  VIDA_BOTH OptimalProposal(Pieces<Real>& pieces, const FilterShape& s)
      : n(s.n),
        ldn(s.ldn),
        L(square(pieces, s)),
        M(square(pieces, s)),
        Z(square(pieces, s)),
        inverse(square(pieces, s)),
        move(square(pieces, s)),
        G(pieces.take(static_cast<long>(s.prows) * s.ldn)),
        seen(pieces.take(static_cast<long>(s.prows) * s.ldn)),
        spare(pieces.take(static_cast<long>(s.prows) * s.ldn)),
        residual(pieces.take(2L * s.lp)),
        T(pieces.take(static_cast<long>(s.rows) * kTileColumns)),
        root(pieces, s.n, s.ldn) {}

  /// Everything that depends on which observations are present.
  template <class Team>
  VIDA_FN void prepare(Team team, const FilterShape& s, const FilterData<Real>& d, long set,
                       const CycleData<Real>& cycle) const {
    using Pack = typename Team::template Pack<Real>;
    FilterShape columns = s;  // the columns of L observed like members
    columns.members = n, columns.ld = ldn;
    const Real* factor = d.noise_factor + set * s.covariance_elements(d.dense_noise);
    for_pairs(team, s.rows, ldn, [&](int i, int k) {
      const bool inside = i < n && k <= i;
      L[static_cast<long>(i) * ldn + k] = !inside         ? Real(0)
                                          : d.dense_noise ? factor[static_cast<long>(i) * ldn + k]
                                          : i == k        ? factor[i]
                                                          : Real(0);
    });
    for (int k = team.rank(); k < 2 * s.lp; k += team.size()) residual[k] = Real(0);
    team.sync();
    observe(team, columns, d, cycle, L, G);
    team.sync();
    whiten(team, columns, d, cycle, G, residual, spare, residual + s.lp);
    team.sync();
    gemm_tn(team, n, n, cycle.count, G, ldn, G, ldn, Assign<Real>{M, ldn});
    team.sync();
    for (int i = team.rank(); i < n; i += team.size()) M[static_cast<long>(i) * ldn + i] += Real(1);
    team.sync();
    inverse_root(team, n, ldn, M, Z, inverse, root);
    team.sync();
    gemm(team, cycle.count, n, n, G, ldn, Z, ldn, Assign<Real>{seen, ldn});
    gemm(team, n, n, n, L, ldn, Z, ldn, [&](int i, int j, Pack value) { store(move + i * ldn + j, value); });
  }

  /// deviation <- root of its square plus the diagonal of Q.
  template <class Team>
  VIDA_FN void add_noise_variance(Team team, Real* deviation) const {
    for (int i = team.rank(); i < n; i += team.size()) {
      const Real* row = L + static_cast<long>(i) * ldn;
      deviation[i] = std::sqrt(deviation[i] * deviation[i] + dot(team, n, row, row));
    }
  }

  template <class Team>
  VIDA_FN void weigh(Team team, const ParticleTile<Real>& tile, const FilterData<Real>& d, const CycleData<Real>& cycle,
                     Real* logs) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const int columns = tile.shape.members;
    innovations(team, tile, d, cycle);
    team.sync();
    gemm_tn(team, n, columns, cycle.count, seen, ldn, tile.D, kTileColumns, Assign<Real>{T, kTileColumns});
    team.sync();
    for (int c = team.rank() * W; c < columns; c += team.size() * W) {
      const Pack misfit = column_squares<Pack>(cycle.count, tile.D, c) - column_squares<Pack>(n, T, c);
      store(logs + c, load<Pack>(logs + c) - Real(0.5) * misfit);
    }
    team.sync();
    for_pairs(team, n, (columns + W - 1) / W, [&](int i, int pack) {
      Real* at = T + static_cast<long>(i) * kTileColumns + pack * W;
      store(at, load<Pack>(at) + load<Pack>(tile.z + static_cast<long>(i) * kTileColumns + pack * W));
    });
    team.sync();
    gemm(team, n, columns, n, move, ldn, T, kTileColumns, AddTo<Real>{tile.X, tile.X, kTileColumns});
  }

 private:
  VIDA_BOTH static Real* square(Pieces<Real>& pieces, const FilterShape& s) {
    return pieces.take(static_cast<long>(s.rows) * s.ldn);
  }
};

}  // namespace vida::kernels
