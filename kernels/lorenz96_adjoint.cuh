#pragma once

// The adjoint of one Runge-Kutta step and of its Jacobian: given the sensitivities of the next state and of the
// Jacobian's diagonals, the sensitivity of the state before the step.

#include "lorenz96.cuh"

namespace vida::kernels {

/// Work area of step_adjoint: sensitivities of K_s and of the stage matrices by diagonals, and of stages and slopes.
template <class Real>
struct AdjointWork {
  Real* memory;
  int stride;

  static constexpr int kMatrices = kBandSize + kBandSize - 3;  // K_4 has 13 diagonals, K_3 ten
  static constexpr int kArrays = kMatrices + 2 + 4 + 1;
  VIDA_BOTH static long elements(int n, int halo = kHalo) { return static_cast<long>(kArrays) * ring_stride(n, halo); }
  VIDA_FN AdjointWork(Real* work, int n, int halo = kHalo) : memory(work + halo), stride(ring_stride(n, halo)) {}

  VIDA_FN Real* slope_matrix(int s) const {
    return s % 2 ? memory : memory + kBandSize * stride;
  }                                                                                   // K_s, two alternate
  VIDA_FN Real* row_sums(int k) const { return memory + (kMatrices + k) * stride; }   // k = 0, 1
  VIDA_FN Real* stage(int s) const { return memory + (kMatrices + 2 + s) * stride; }  // s = 0 .. 3
  VIDA_FN Real* slope() const { return memory + (kMatrices + 6) * stride; }
};

/// First half for K = D(u) M with diagonals Low - 2 .. High + 1 and sensitivity kbar: the sums over diagonals from
/// which D's sensitivity to u is gathered,
///   s[i] = sum_o kbar_o[i] (M_{o-1}[i+1] - M_{o+2}[i-2]),  t[i] = sum_o kbar_o[i] M_{o+1}[i-1].
template <int Low, int High, class Team, class Real>
VIDA_FN void gather_slope(Team team, int n, const Real* kbar, const Real* m, int stride, Real* s, Real* t) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  for (int i = team.rank() * W; i < n; i += team.size() * W) {
    Pack s_sum = {}, t_sum = {};
    VIDA_UNROLL
    for (int o = Low - 2; o <= High + 1; ++o) {
      const Pack k = load<Pack>(kbar + (o - (Low - 2)) * stride + i);
      if (o - 1 >= Low && o - 1 <= High) s_sum += k * load<Pack>(m + (o - 1 - Low) * stride + i + 1);
      if (o + 2 >= Low && o + 2 <= High) s_sum -= k * load<Pack>(m + (o + 2 - Low) * stride + i - 2);
      if (o + 1 >= Low && o + 1 <= High) t_sum += k * load<Pack>(m + (o + 1 - Low) * stride + i - 1);
    }
    store(s + i, s_sum);
    store(t + i, t_sum);
  }
}

/// Second half: the sensitivity of the previous stage's K (diagonals Low .. High, where I + ahead K = M), from this
/// stage's kbar and the Jacobian's, target = weight jbar + ahead D' kbar.
template <int Low, int High, class Team, class Real>
VIDA_FN void slope_matrix_adjoint(Team team, int n, const Real* u, const Real* kbar, int stride, Real ahead,
                                  Real weight, const Real* jbar, int jbar_stride, Real* target) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int packs = (n + W - 1) / W;
  for_pairs(team, High - Low + 1, packs, [&](int diagonal, int pack) {
    const int q = diagonal + Low;
    const int r = pack * W;
    const Real* k = kbar + (q - (Low - 2)) * stride + r;
    const Pack sum = load<Pack>(u + r - 2) * load<Pack>(k + stride - 1) -
                     load<Pack>(u + r + 1) * load<Pack>(k - 2 * stride + 2) +
                     (load<Pack>(u + r + 2) - load<Pack>(u + r - 1)) * load<Pack>(k - stride + 1) - load<Pack>(k);
    store(target + (q - Low) * stride + r, weight * load<Pack>(jbar + (q - kBandLow) * jbar_stride + r) + ahead * sum);
  });
}

/// state_bar (in: sensitivity of the next state; out: of v) for the step that `step` holds, given jbar, the sensitivity
/// of the Jacobian's diagonals ([13, jbar_stride]).
template <class Team, class Real>
VIDA_FN void step_adjoint(Team team, int n, Real dt, const Real* ones, StepWork<Real> step, const Real* jbar,
                          int jbar_stride, AdjointWork<Real> work, Real* state_bar) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  const int stride = work.stride = step.stride = jbar_stride = team.fresh(work.stride);  // of all ring arrays
  const Real half = dt * Real(0.5), sixth = dt / Real(6), third = dt / Real(3);
  const auto close = [&](Real* m, int diagonals) {  // one component before, two after
    for_pairs(team, diagonals, 3, [&](int o, int h) {
      const int i = h == 2 ? -1 : n + h;
      m[o * stride + i] = m[o * stride + on_ring(i, n)];
    });
  };
  // u_s's sensitivity through D(u_s): s[i+1] + t[i-1] - t[i+2]
  const auto scatter = [&](int s) {
    close_ring(team, n, work.row_sums(0), 0, 1);
    close_ring(team, n, work.row_sums(1), 1, 2);
    team.sync();
    for (int i = team.rank() * W; i < n; i += team.size() * W)
      store(work.stage(s) + i, load<Pack>(work.row_sums(0) + i + 1) + load<Pack>(work.row_sums(1) + i - 1) -
                                   load<Pack>(work.row_sums(1) + i + 2));
  };

  Real* k4 = work.slope_matrix(1);
  for (int o = 0; o < kBandSize; ++o)
    for (int i = team.rank() * W; i < n; i += team.size() * W)
      store(k4 + o * stride + i, sixth * load<Pack>(jbar + o * jbar_stride + i));
  team.sync();
  close(k4, 13);
  gather_slope<-6, 3>(team, n, k4, step.product(2), stride, work.row_sums(0), work.row_sums(1));
  team.sync();
  Real* k3 = work.slope_matrix(0);
  slope_matrix_adjoint<-6, 3>(team, n, step.stage(3), k4, stride, dt, third, jbar, jbar_stride, k3);
  scatter(3);
  team.sync();
  close(k3, 10);
  gather_slope<-4, 2>(team, n, k3, step.product(1), stride, work.row_sums(0), work.row_sums(1));
  team.sync();
  Real* k2 = work.slope_matrix(1);
  slope_matrix_adjoint<-4, 2>(team, n, step.stage(2), k3, stride, half, third, jbar, jbar_stride, k2);
  scatter(2);
  team.sync();
  close(k2, 7);
  gather_slope<-2, 1>(team, n, k2, step.product(0), stride, work.row_sums(0), work.row_sums(1));
  team.sync();
  Real* k1 = work.slope_matrix(0);
  slope_matrix_adjoint<-2, 1>(team, n, step.stage(1), k2, stride, half, sixth, jbar, jbar_stride, k1);
  scatter(1);
  team.sync();
  gather_slope<0, 0>(team, n, k1, ones, stride, work.row_sums(0), work.row_sums(1));
  team.sync();
  scatter(0);

  // The step itself, from its last stage to its first: slope_bar is the sensitivity of k_s.
  const Real weight[4] = {sixth, third, third, sixth};
  const Real ahead[4] = {half, half, dt, Real(0)};
  for (int s = 3; s >= 0; --s) {
    for (int i = team.rank() * W; i < n; i += team.size() * W) {
      Pack bar = weight[s] * load<Pack>(state_bar + i);
      if (s < 3) bar += ahead[s] * load<Pack>(work.stage(s + 1) + i);
      store(work.slope() + i, bar);
    }
    team.sync();
    close_ring(team, n, work.slope(), 1, 2);
    team.sync();
    for (int i = team.rank() * W; i < n; i += team.size() * W)
      store(work.stage(s) + i, load<Pack>(work.stage(s) + i) + slope_adjoint<Pack>(step.stage(s), work.slope(), i));
    team.sync();
  }
  for (int i = team.rank() * W; i < n; i += team.size() * W) {
    Pack sum = load<Pack>(state_bar + i);
    for (int s = 3; s >= 0; --s) sum += load<Pack>(work.stage(s) + i);
    store(state_bar + i, sum);
  }
}

}  // namespace vida::kernels
