#pragma once

// Twin experiments: a truth with process noise, and its observations.

#include "dynamics/dynamics.cuh"
#include "filters/observation.cuh"
#include "random.cuh"

namespace vida::kernels {

/// item = twin. v_0 = m0 + C0^(1/2) z, then per cycle `steps` model steps plus Q^(1/2) z, observed through f(H v) with
/// R^(1/2) z. All in float64. Factors are lower Cholesky factors; arrays are dense (not padded) but for a spare pack at
/// the end.
struct SimulateTwin {
  int p, steps;
  long cycles;
  ModelShape model;
  ObservationKind observation;
  const long* spin_up;           // [item]
  const std::uint64_t* seed;     // [item]
  const std::uint32_t* problem;  // [item]
  const int* laplace;            // [item], whether the noise of observations is
  const int* system_of;          // [item]
  const double* parameters;      // [system, model.parameters]
  const double *m0, *C0, *Q, *R,
      *H;             // [system, n], [system, n, n] (factors of C0, Q), [system, p, p] (of R), [system, p, n]
  double *truth, *y;  // [item, cycles, n], [item, cycles, p]

  struct Work {
    Model<double>::Work model;
    double *state, *z, *noise;
    VIDA_BOTH Work(Pieces<double>& pieces, const ModelShape& s, int p)
        : model(pieces, s),
          state(pieces.take(padded(s.n, kTileRows) * s.group)),
          z(pieces.take(s.n + 16L)),
          noise(pieces.take(p + 16L)) {}
  };
  static std::size_t scratch_bytes(const ModelShape& model, int p) { return work_bytes<Work, double>(model, p); }

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    const int n = model.n, ld = model.group;
    Pieces<double> pieces{team.template scratch<double>()};
    const Work work(pieces, model, p);
    double *state = work.state, *z = work.z, *noise = work.noise;
    const long k = system_of[item];
    const auto draw = [&](std::uint32_t stream, long step, int count, bool heavy, double* into) {
      for (int i = team.rank(); i < count; i += team.size()) {
        const auto at = static_cast<std::uint32_t>(step), index = static_cast<std::uint32_t>(i);
        into[i] = heavy ? standard_laplace<double>(seed[item], stream, problem[item], at, index)
                        : standard_normal<double>(seed[item], stream, problem[item], at, index);
      }
    };
    draw(3, 0, n, false, z);
    for (int i = team.rank(); i < n * ld; i += team.size()) state[i] = 0;  // one column of the group is the truth
    team.sync();
    for (int i = team.rank(); i < n; i += team.size())
      state[i * ld] = m0[k * n + i] + row(C0 + k * n * n, n, i, i + 1, z, 1);
    const long total = spin_up[item] + cycles;
    for (long j = 0; j < total; ++j) {
      team.sync();
      Model<double>{model, parameters + k * model.parameters}.advance(team, state, ld, 1, steps, work.model);
      draw(1, j, n, false, z);
      team.sync();
      for (int i = team.rank(); i < n; i += team.size()) state[i * ld] += row(Q + k * n * n, n, i, i + 1, z, 1);
      const long kept = j - spin_up[item];
      if (kept >= 0) draw(2, j, p, laplace[item], noise);
      team.sync();
      if (kept >= 0) {
        for (int i = team.rank(); i < n; i += team.size()) truth[(item * cycles + kept) * n + i] = state[i * ld];
        for (int i = team.rank(); i < p; i += team.size())
          y[(item * cycles + kept) * p + i] = observe_value(observation, row(H + k * p * n, n, i, n, state, ld)) +
                                              row(R + k * p * p, p, i, i + 1, noise, 1);
      }
    }
  }

 private:
  /// sum_{c < count} A[r, c] x[c stride]
  VIDA_FN static double row(const double* A, int columns, int r, int count, const double* x, int stride) {
    double sum = 0;
    for (int c = 0; c < count; ++c) sum += A[static_cast<long>(r) * columns + c] * x[c * stride];
    return sum;
  }
};

}  // namespace vida::kernels
