#pragma once

// Twin experiments: a truth with process noise, and its observations.

#include "dense.cuh"
#include "lorenz96.cuh"
#include "random.cuh"

namespace vida::kernels {

/// item = twin. v_0 = m0 + C0^(1/2) z, then per cycle `steps` Runge-Kutta steps plus Q^(1/2) z, observed with R^(1/2)
/// z. All in float64. Factors are lower Cholesky factors; arrays are dense (not padded) but for a spare pack at the
/// end.
struct SimulateTwin {
  int n, p, steps;
  long cycles;
  const long* spin_up;           // [item]
  const std::uint64_t* seed;     // [item]
  const std::uint32_t* problem;  // [item]
  const int* system_of;          // [item]
  const double *dt, *forcing;    // [system]
  const double *m0, *C0, *Q, *R,
      *H;             // [system, n], [system, n, n] (factors of C0, Q), [system, p, p] (of R), [system, p, n]
  double *truth, *y;  // [item, cycles, n], [item, cycles, p]

  static std::size_t scratch_bytes(int n, int p) {
    return sizeof(double) *
           static_cast<std::size_t>(StepWork<double>::elements(n) + 3 * padded(n, 16) + padded(p, 16) + 32);
  }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    double* memory = team.template scratch<double>();
    const StepWork<double> work(memory, n);
    double* state = memory + StepWork<double>::elements(n);
    double* next = state + padded(n, 16) + 8;
    double* z = next + padded(n, 16) + 8;
    double* noise = z + padded(n, 16) + 8;
    const long k = system_of[item];
    const auto draw = [&](std::uint32_t stream, long step, int count, double* into) {
      for (int i = team.rank(); i < count; i += team.size())
        into[i] = standard_normal<double>(seed[item], stream, problem[item], static_cast<std::uint32_t>(step),
                                          static_cast<std::uint32_t>(i));
    };
    draw(3, 0, n, z);
    team.sync();
    for (int i = team.rank(); i < n; i += team.size()) state[i] = m0[k * n + i] + row(C0 + k * n * n, n, i, i + 1, z);
    const long total = spin_up[item] + cycles;
    for (long j = 0; j < total; ++j) {
      for (int step = 0; step < steps; ++step) {
        runge_kutta_step(team, n, dt[k], forcing[k], state, work, next);
        for (int i = team.rank(); i < n; i += team.size()) state[i] = next[i];
      }
      draw(1, j, n, z);
      team.sync();
      for (int i = team.rank(); i < n; i += team.size()) state[i] += row(Q + k * n * n, n, i, i + 1, z);
      const long kept = j - spin_up[item];
      if (kept >= 0) draw(2, j, p, noise);
      team.sync();
      if (kept >= 0) {
        for (int i = team.rank(); i < n; i += team.size()) truth[(item * cycles + kept) * n + i] = state[i];
        for (int i = team.rank(); i < p; i += team.size())
          y[(item * cycles + kept) * p + i] =
              row(H + k * p * n, n, i, n, state) + row(R + k * p * p, p, i, i + 1, noise);
      }
    }
  }

 private:
  /// sum_{c < count} A[r, c] x[c]
  VIDA_FN static double row(const double* A, int columns, int r, int count, const double* x) {
    double sum = 0;
    for (int c = 0; c < count; ++c) sum += A[static_cast<long>(r) * columns + c] * x[c];
    return sum;
  }
};

}  // namespace vida::kernels
