#pragma once

// One Runge-Kutta step of Lorenz-96 by a team, its Jacobian as cyclic diagonals, and the adjoint of both.
//
// Diagonal o of a matrix M on the ring is the vector M_o[i] = M[i, (i + o) mod n]. The slope's Jacobian D(u) has the
// diagonals -2 .. 1; every Runge-Kutta stage multiplies by it once more, so that the Jacobian of a step has -8 .. 4.
// Where n < 13 several diagonals meet in one entry of M and add up: all formulas below stay right.

#include "lorenz96_slope.cuh"
#include "team.cuh"

namespace vida::kernels {

inline constexpr int kHalo = 16;     // elements before and after a ring array that suit every backend
inline constexpr int kBandLow = -8;  // diagonals of the Jacobian of one step
inline constexpr int kBandHigh = 4;
inline constexpr int kBandSize = kBandHigh - kBandLow + 1;

/// Elements of a ring array of n components with its halo on both sides.
VIDA_BOTH constexpr int ring_stride(int n, int halo = kHalo) { return static_cast<int>(padded(n, halo)) + 2 * halo; }

/// x[-left .. -1] and x[n .. n + right - 1] become copies of the other end.
template <class Team, class Real>
VIDA_FN void close_ring(Team team, int n, Real* x, int left, int right) {
  for (int h = team.rank(); h < left + right; h += team.size()) {
    const int i = h < left ? h - left : n + h - left;
    x[i] = x[on_ring(i, n)];
  }
}

/// dv_i/dt at component i of a ring array u.
template <class Pack, class Real>
VIDA_FN Pack slope(const Real* u, int i, Real forcing) {
  return lorenz96_slope(load<Pack>(u + i - 2), load<Pack>(u + i - 1), load<Pack>(u + i), load<Pack>(u + i + 1),
                        forcing);
}

/// (D(u)' w)_i for ring arrays u and w with two components of halo.
template <class Pack, class Real>
VIDA_FN Pack slope_adjoint(const Real* u, const Real* w, int i) {
  return load<Pack>(u + i - 2) * load<Pack>(w + i - 1) - load<Pack>(u + i + 1) * load<Pack>(w + i + 2) +
         (load<Pack>(u + i + 2) - load<Pack>(u + i - 1)) * load<Pack>(w + i + 1) - load<Pack>(w + i);
}

/// Work area of a linearised step: stages u_1 .. u_4, the Jacobian, and the products I + c_s K_s of the first three
/// stages, which may lie elsewhere: only the adjoint needs them once the Jacobian is there. Ring arrays of ring_stride
/// elements; pointers stand at component 0.
template <class Real>
struct StepWork {
  Real *memory, *products;
  int stride;

  VIDA_BOTH static long kept_elements(int n, int halo) { return (4L + kBandSize) * ring_stride(n, halo); }
  VIDA_BOTH static long product_elements(int n, int halo) { return (4L + 7 + 10) * ring_stride(n, halo); }
  VIDA_BOTH static long elements(int n) { return kept_elements(n, kHalo) + product_elements(n, kHalo); }
  VIDA_FN StepWork(Real* kept, Real* products_, int n, int halo)
      : memory(kept + halo), products(products_ + halo), stride(ring_stride(n, halo)) {}
  VIDA_FN StepWork(Real* work, int n) : StepWork(work, work + kept_elements(n, kHalo), n, kHalo) {}

  VIDA_FN Real* stage(int s) const { return memory + s * stride; }                                   // s = 0 .. 3
  VIDA_FN Real* jacobian() const { return memory + 4 * stride; }                                     // diagonal -8
  VIDA_FN Real* product(int s) const { return products + (s == 0 ? 0 : s == 1 ? 4 : 11) * stride; }  // lowest diagonal
};

/// Stages of one step from v (no halo needed) into work.stage(0..3), and the result into `next`.
template <class Team, class Real>
VIDA_FN void runge_kutta_step(Team team, int n, Real dt, Real forcing, const Real* v, StepWork<Real> work, Real* next) {
  work.stride = team.fresh(work.stride);
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const Real ahead[3] = {dt * Real(0.5), dt * Real(0.5), dt};
  const Real weight[4] = {dt / Real(6), dt / Real(3), dt / Real(3), dt / Real(6)};
  for (int i = team.rank() * W; i < n; i += team.size() * W) {
    const Pack value = load<Pack>(v + i);
    store(work.stage(0) + i, value);
  }
  team.sync();
  for (int s = 0; s < 4; ++s) {
    close_ring(team, n, work.stage(s), 2, 2);
    team.sync();
    for (int i = team.rank() * W; i < n; i += team.size() * W) {
      const Pack k = slope<Pack>(work.stage(s), i, forcing);
      const Pack start = load<Pack>(work.stage(0) + i);
      if (s < 3) store(work.stage(s + 1) + i, start + ahead[s] * k);
      store(next + i, (s == 0 ? start : load<Pack>(next + i)) + weight[s] * k);
    }
    if (s < 3) team.sync();
  }
}

/// K_o[i] of K = D(u) M for a pack of rows, M's diagonals in ring arrays of the given stride, m[0] its diagonal Low.
template <int Low, int High, class Pack, class Real>
VIDA_FN Pack slope_times(const Real* u, const Real* m, int stride, int o, int i) {
  Pack sum = {};
  if (o - 1 >= Low && o - 1 <= High) sum += load<Pack>(u + i - 1) * load<Pack>(m + (o - 1 - Low) * stride + i + 1);
  if (o + 2 >= Low && o + 2 <= High) sum -= load<Pack>(u + i - 1) * load<Pack>(m + (o + 2 - Low) * stride + i - 2);
  if (o + 1 >= Low && o + 1 <= High)
    sum += (load<Pack>(u + i + 1) - load<Pack>(u + i - 2)) * load<Pack>(m + (o + 1 - Low) * stride + i - 1);
  if (o >= Low && o <= High) sum -= load<Pack>(m + (o - Low) * stride + i);
  return sum;
}

/// Diagonals of K = D(u) M (Low - 2 .. High + 1): product <- I + ahead K, and jacobian += weight K (or = when first,
/// with the identity). product may be null.
template <int Low, int High, class Team, class Real>
VIDA_FN void chain_stage(Team team, int n, const Real* u, const Real* m, int stride, Real ahead, Real weight,
                         bool first, Real* product, Real* jacobian) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int packs = (n + W - 1) / W;
  for_pairs(team, kBandSize, packs, [&](int diagonal, int pack) {
    const int o = diagonal + kBandLow;
    const int i = pack * W;
    Real* target = jacobian + diagonal * stride + i;
    const Pack identity = Pack{} + (o == 0 ? Real(1) : Real(0));
    if (o < Low - 2 || o > High + 1) {
      if (first) store(target, identity);
      return;
    }
    const Pack k = slope_times<Low, High, Pack>(u, m, stride, o, i);
    if (product) store(product + (o - (Low - 2)) * stride + i, identity + ahead * k);
    store(target, (first ? identity : load<Pack>(target)) + weight * k);
  });
}

/// The Jacobian's diagonals from the stages that runge_kutta_step left in `work`. `ones` is a ring array of ones with
/// halo.
template <class Team, class Real>
VIDA_FN void step_jacobian(Team team, int n, Real dt, const Real* ones, StepWork<Real> work) {
  const int stride = work.stride = team.fresh(work.stride);
  const Real half = dt * Real(0.5), sixth = dt / Real(6), third = dt / Real(3);
  const auto close = [&](Real* m, int diagonals) {
    for_pairs(team, diagonals, 3, [&](int o, int h) {
      const int i = h == 2 ? n : h - 2;
      m[o * stride + i] = m[o * stride + on_ring(i, n)];
    });
  };
  chain_stage<0, 0>(team, n, work.stage(0), ones, stride, half, sixth, true, work.product(0), work.jacobian());
  team.sync();
  close(work.product(0), 4);
  team.sync();
  chain_stage<-2, 1>(team, n, work.stage(1), work.product(0), stride, half, third, false, work.product(1),
                     work.jacobian());
  team.sync();
  close(work.product(1), 7);
  team.sync();
  chain_stage<-4, 2>(team, n, work.stage(2), work.product(1), stride, dt, third, false, work.product(2),
                     work.jacobian());
  team.sync();
  close(work.product(2), 10);
  team.sync();
  chain_stage<-6, 3>(team, n, work.stage(3), work.product(2), stride, Real(0), sixth, false,
                     static_cast<Real*>(nullptr), work.jacobian());
}

}  // namespace vida::kernels
