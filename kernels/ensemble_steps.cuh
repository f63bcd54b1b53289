#pragma once

// The time loop of a Lorenz-96 ensemble: a lane kernel for numbers of variables known at compile time, and a team
// kernel for any other.

#include "lorenz96.cuh"

// Whole rings are unrolled: on the GPU the arrays become registers, on the CPU the window over the ring needs no moves.
#if defined(VIDA_CUDA_SOURCE) || defined(__CUDACC__)
#define VIDA_UNROLL_RING _Pragma("unroll")
#else
#define VIDA_UNROLL_RING _Pragma("GCC unroll 128")
#endif

namespace vida::kernels {

/// Advances one member per lane by `steps` Runge-Kutta steps. The state, the stage and the running sum stay in
/// compile-time arrays; those read by slopes have a halo of two components before and one after, so that no index is
/// taken modulo N. 19 floating-point instructions per component and step.
template <class RealType, int N>
struct EnsembleLanes {
  using Real = RealType;
  const Real* states;  // [N, stride], one member per column
  Real* results;       // the same; a second pointer, lest the compiler keep N addresses in registers through the loop
  long stride;
  long steps;
  Real dt, forcing;

  template <class Lanes>
  VIDA_FN void operator()(Lanes lanes) const {
    using Pack = typename Lanes::template Pack<Real>;
    const Real half = dt * Real(0.5), sixth = dt / Real(6), third = dt / Real(3);
    Pack v[N + 3], a[N + 3], b[N + 3], sum[N];
    const Real* from = states + lanes.first();
    VIDA_UNROLL_RING
    for (int c = 0; c < N; ++c, from += stride) v[c + 2] = load<Pack>(from);
    close(v);
    for (long step = 0; step < steps; ++step) {
      for_slopes(v, [&](int c, Pack k) {
        sum[c] = v[c + 2] + sixth * k;
        a[c + 2] = v[c + 2] + half * k;
      });
      close(a);
      for_slopes(a, [&](int c, Pack k) {
        sum[c] += third * k;
        b[c + 2] = v[c + 2] + half * k;
      });
      close(b);
      for_slopes(b, [&](int c, Pack k) {
        sum[c] += third * k;
        a[c + 2] = v[c + 2] + dt * k;
      });
      close(a);
      for_slopes(a, [&](int c, Pack k) { v[c + 2] = sum[c] + sixth * k; });
      close(v);
    }
    Real* to = results + lanes.first();
    VIDA_UNROLL_RING
    for (int c = 0; c < N; ++c, to += stride) store(to, v[c + 2]);
  }

 private:
  template <class Pack>
  VIDA_FN static void close(Pack* u) {
    u[0] = u[N];
    u[1] = u[N + 1];
    u[N + 2] = u[2];
  }

  /// finish(c, slope at component c) for each component, through a window of four that moves along the ring.
  template <class Pack, class Finish>
  VIDA_FN void for_slopes(const Pack* u, Finish finish) const {
    Pack far = u[0], behind = u[1], here = u[2];
    VIDA_UNROLL_RING
    for (int c = 0; c < N; ++c) {
      const Pack ahead = u[c + 3];
      finish(c, lorenz96_slope(far, behind, here, ahead, forcing));
      far = behind;
      behind = here;
      here = ahead;
    }
  }
};

/// The same for any n; item = member, its components spread over the team.
template <class Real>
struct EnsembleTeams {
  int n;
  Real* states;  // [n, stride]
  long stride;
  long steps;
  Real dt, forcing;

  VIDA_BOTH static std::size_t scratch_bytes(int n) {
    return sizeof(Real) * static_cast<std::size_t>(kHalo + 5 * ring_stride(n));  // four stages and the state
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    Real* memory = team.template scratch<Real>();
    const StepWork<Real> work(memory, n);
    Real* state = work.stage(4);
    for (int c = team.rank(); c < n; c += team.size()) state[c] = states[c * stride + item];
    for (long step = 0; step < steps; ++step) {
      runge_kutta_step(team, n, dt, forcing, state, work, state);
    }
    for (int c = team.rank(); c < n; c += team.size()) states[c * stride + item] = state[c];
  }
};

}  // namespace vida::kernels
