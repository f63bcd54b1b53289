#pragma once

// Lorenz-96 applied to a batch of states: advance, Jacobian, tangent and adjoint; item = member.

#include "band.cuh"
#include "lorenz96_adjoint.cuh"

namespace vida::kernels {

enum class Lorenz96Map : int { advance, jacobian, tangent, adjoint };

template <class Real>
struct Lorenz96Maps {
  Lorenz96Map map;
  int n, ld;
  long steps;
  Real dt, forcing;
  const Real* ones;  // [ring_stride]
  Real* states;      // [item, ld], advanced in place
  Real* others;      // tangent, adjoint: the vector [item, ld]; jacobian: [item, ld, ld], set to the identity before

  static std::size_t scratch_bytes(int n, int ld, long steps, Lorenz96Map map) {
    long size = StepWork<Real>::elements(n) + AdjointWork<Real>::elements(n) + kBandSize * ring_stride(n) + 2 * ld;
    if (map == Lorenz96Map::jacobian) size += static_cast<long>(ld) * ld;
    if (map == Lorenz96Map::adjoint) size += steps * ld;
    return sizeof(Real) * static_cast<std::size_t>(size);
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    Real* memory = team.template scratch<Real>();
    const StepWork<Real> work(memory, n);
    const AdjointWork<Real> slopes(memory + StepWork<Real>::elements(n), n);
    Real* zero = memory + StepWork<Real>::elements(n) + AdjointWork<Real>::elements(n);
    Real* next = zero + kBandSize * ring_stride(n);
    Real* vector = next + ld;
    Real* more = vector + ld;  // jacobian: product; adjoint: the states before each step
    Real* state = states + item * ld;
    Real* other = others + item * (map == Lorenz96Map::jacobian ? static_cast<long>(ld) * ld : ld);

    for (long step = 0; step < steps; ++step) {
      if (map == Lorenz96Map::adjoint) copy(team, 1, ld, state, more + step * ld);
      runge_kutta_step(team, n, dt, forcing, state, work, next);
      if (map == Lorenz96Map::jacobian || map == Lorenz96Map::tangent) {
        step_jacobian(team, n, dt, ones, work);
        team.sync();
      }
      if (map == Lorenz96Map::jacobian) {
        band_times(team, n, Band<Real>{work.jacobian(), work.stride}, other, ld, more, ld);
        team.sync();
        copy(team, n, ld, more, other);
      }
      if (map == Lorenz96Map::tangent) {
        for (int i = team.rank(); i < n; i += team.size()) {
          Real sum = Real(0);
          for (int o = 0; o < kBandSize; ++o)
            sum += work.jacobian()[o * work.stride + i] * other[on_ring(i + o + kBandLow, n)];
          vector[i] = sum;
        }
        team.sync();
        copy(team, 1, ld, vector, other);
      }
      copy(team, 1, ld, next, state);
    }
    if (map != Lorenz96Map::adjoint) return;
    for (int e = team.rank(); e < kBandSize * ring_stride(n); e += team.size()) zero[e] = Real(0);
    for (long step = steps - 1; step >= 0; --step) {
      runge_kutta_step(team, n, dt, forcing, more + step * ld, work, next);
      step_jacobian(team, n, dt, ones, work);  // step_adjoint reads its stage matrices
      step_adjoint(team, n, dt, ones, work, zero, ring_stride(n), slopes, other);
    }
  }
};

}  // namespace vida::kernels
