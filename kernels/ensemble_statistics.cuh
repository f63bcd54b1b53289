#pragma once

// Initial states and statistics of an ensemble, in blocks of a fixed number of members: what a block yields does not
// depend on the chunk it is in, on threads or on memory limits.

#include <cstdint>

#include "random.cuh"

namespace vida::kernels {

inline constexpr int kEnsembleBlock = 1024;  // members whose statistics are one fixed tree

/// v_0 = mean + deviation z; item = block. Draw `component` of problem `member` in the initial-state stream, so a
/// member starts the same in every ensemble.
template <class Real>
struct EnsembleInitialStates {
  int n;
  Real* states;  // [n, stride]
  long stride;
  long members;       // in this chunk
  long first_member;  // of this chunk
  std::uint64_t seed;
  std::uint32_t stream;
  Real mean, deviation;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const long begin = item * kEnsembleBlock;
    const long count = members - begin < kEnsembleBlock ? members - begin : kEnsembleBlock;
    for (long e = team.rank(); e < n * count; e += team.size()) {
      const long component = e / count, member = begin + e % count;
      const Real z = standard_normal<Real>(seed, stream, static_cast<std::uint32_t>(first_member + member), 0,
                                           static_cast<std::uint32_t>(component));
      states[component * stride + member] = mean + deviation * z;
    }
  }
};

/// Statistics of one component over the finite members of one block.
template <class Real>
struct BlockStatistics {
  Real count, mean, squares, minimum, maximum;  // squares = sum of (v - mean)^2
};

/// item = block. A member counts when all its components are finite.
template <class Real>
struct EnsembleStatisticsOfBlocks {
  int n;
  const Real* states;  // [n, stride]
  long stride;
  long members;
  BlockStatistics<Real>* statistics;  // [block, n]

  static std::size_t scratch_bytes() { return 3 * kEnsembleBlock * sizeof(Real); }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const long begin = item * kEnsembleBlock;
    const int count = static_cast<int>(members - begin < kEnsembleBlock ? members - begin : kEnsembleBlock);
    Real* finite = team.template scratch<Real>();  // [block], 1 or 0
    Real* x = finite + kEnsembleBlock;
    Real* y = x + kEnsembleBlock;

    for (int i = team.rank(); i < kEnsembleBlock; i += team.size()) {
      Real excess = Real(0);  // NaN as soon as a component is not finite
      if (i < count)
        for (int c = 0; c < n; ++c) excess += Real(0) * states[c * stride + begin + i];
      finite[i] = i < count && excess == Real(0) ? Real(1) : Real(0);
      x[i] = finite[i];
    }
    team.sync();
    sum(team, x);
    const Real present = x[0];
    team.sync();
    for (int c = 0; c < n; ++c) {
      const Real* v = states + c * stride + begin;
      for (int i = team.rank(); i < kEnsembleBlock; i += team.size()) x[i] = finite[i] > Real(0) ? v[i] : Real(0);
      team.sync();
      sum(team, x);
      const Real mean = present > Real(0) ? x[0] / present : Real(0);
      team.sync();
      for (int i = team.rank(); i < kEnsembleBlock; i += team.size()) {
        const Real d = finite[i] > Real(0) ? v[i] - mean : Real(0);
        x[i] = d * d;
      }
      team.sync();
      sum(team, x);
      const Real squares = x[0];
      team.sync();
      for (int i = team.rank(); i < kEnsembleBlock; i += team.size()) {
        x[i] = finite[i] > Real(0) ? v[i] : Real(INFINITY);
        y[i] = finite[i] > Real(0) ? v[i] : Real(-INFINITY);
      }
      team.sync();
      extremes(team, x, y);
      if (team.rank() == 0) statistics[item * n + c] = {present, mean, squares, x[0], y[0]};
      team.sync();
    }
  }

 private:
  /// x[0] <- the sum of x, by halving: the same tree for every executor.
  template <class Team>
  VIDA_FN static void sum(Team team, Real* x) {
    for (int half = kEnsembleBlock / 2; half > 0; half /= 2) {
      for (int i = team.rank(); i < half; i += team.size()) x[i] += x[i + half];
      if (half > 1) team.sync();
    }
    team.sync();
  }

  /// x[0] <- the least of x, y[0] <- the greatest of y.
  template <class Team>
  VIDA_FN static void extremes(Team team, Real* x, Real* y) {
    for (int half = kEnsembleBlock / 2; half > 0; half /= 2) {
      for (int i = team.rank(); i < half; i += team.size()) {
        x[i] = x[i + half] < x[i] ? x[i + half] : x[i];
        y[i] = y[i + half] > y[i] ? y[i + half] : y[i];
      }
      if (half > 1) team.sync();
    }
  }
};

}  // namespace vida::kernels
