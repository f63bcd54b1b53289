#pragma once

// The Kuramoto-Sivashinsky equation u_t = -u u_x - u_xx - u_xxxx, periodic, by exponential time differencing of fourth
// order in Fourier space (Cox and Matthews 2002; Kassam and Trefethen 2005), without dealiasing. Columns are
// transformed side by side.

#include "dynamics/columns.cuh"

namespace vida::kernels {

/// Where the parameters of n points begin that do not fit the model's first few; each array has n / 2 + 1 elements.
template <class Real>
struct SpectralParameters {
  static constexpr int kArrays = 9;
  const Real *whole, *half, *weight, *first, *middle, *last;  // exp(h L), exp(h L / 2), Q, f1, f2, f3 of the method
  const Real* slope;                                          // -k / 2, 0 for the shortest wave
  const Real *cosine, *sine;                                  // of 2 pi k / n

  VIDA_BOTH static long elements(int n) { return kArrays * (n / 2 + 1L); }
  VIDA_FN SpectralParameters(const Real* from, int n)
      : whole(from),
        half(from + (n / 2 + 1)),
        weight(from + 2 * (n / 2 + 1)),
        first(from + 3 * (n / 2 + 1)),
        middle(from + 4 * (n / 2 + 1)),
        last(from + 5 * (n / 2 + 1)),
        slope(from + 6 * (n / 2 + 1)),
        cosine(from + 7 * (n / 2 + 1)),
        sine(from + 8 * (n / 2 + 1)) {}
};

/// Work area of one group: two arrays of points [n, group], and spectra [n / 2 + 1, 2, group] of real and imaginary
/// parts.
template <class Real>
struct SpectralWork {
  Real *points, *others;
  Real *state, *slope, *inner, *stage, *sum;

  /// n: 0 for models that need none.
  VIDA_BOTH SpectralWork(Pieces<Real>& pieces, int n, int group)
      : points(pieces.take(static_cast<long>(n) * group)),
        others(pieces.take(static_cast<long>(n) * group)),
        state(spectrum(pieces, n, group)),
        slope(spectrum(pieces, n, group)),
        inner(spectrum(pieces, n, group)),
        stage(spectrum(pieces, n, group)),
        sum(spectrum(pieces, n, group)) {}

 private:
  VIDA_BOTH static Real* spectrum(Pieces<Real>& pieces, int n, int group) {
    return pieces.take(n > 0 ? (n + 2L) * group : 0);
  }
};

/// The method for the packs of one group. Row 2 j of an array of points and row 2 j + 1 are the real and the imaginary
/// part of one point of a complex transform of half the length, from which that of the real points follows.
template <class Team, class Real>
struct SpectralColumns {
  using Pack = typename Team::template Pack<Real>;
  static constexpr int W = width<Pack, Real>;
  Team team;
  int n, packs, group;
  SpectralParameters<Real> p;
  SpectralWork<Real> work;

  VIDA_FN SpectralColumns(Team team_, int n_, int columns, int group_, const Real* parameters,
                          const SpectralWork<Real>& work_)
      : team(team_),
        n(n_),
        packs(Team::kSingleLane ? 1 : (columns + W - 1) / W),
        group(Team::kSingleLane ? W : group_),  // one lane has one pack
        p(parameters, n_),
        work(work_) {}

  VIDA_FN Real* row(Real* array, int i, int c) const { return array + i * group + c; }

  /// Complex transform of n / 2 points with exp(-sign 2 pi i j k / (n / 2)), by Stockham's radix-2 method, which needs
  /// no reordering. Both arrays are overwritten; returns the one with the result.
  VIDA_FN Real* transform(Real* from, Real* to, Real sign) const {
    const int m = n / 2;
    for (int stride = 1, shift = 0; stride < m; stride *= 2, ++shift) {
      if (stride > 1) team.sync();
      for_pairs(team, m / 2, packs, [&](int e, int pack) {
        const int c = pack * W, inner = e & (stride - 1), outer = e >> shift, turn = outer * stride * 2;
        const Pack ar = load<Pack>(row(from, 2 * e, c)), ai = load<Pack>(row(from, 2 * e + 1, c));
        const Pack br = load<Pack>(row(from, 2 * e + m, c)), bi = load<Pack>(row(from, 2 * e + m + 1, c));
        const Pack dr = ar - br, di = ai - bi;
        const Real wr = p.cosine[turn], wi = -sign * p.sine[turn];
        const int at = 2 * (inner + 2 * outer * stride);
        store(row(to, at, c), ar + br), store(row(to, at + 1, c), ai + bi);
        store(row(to, at + 2 * stride, c), dr * wr - di * wi),
            store(row(to, at + 2 * stride + 1, c), dr * wi + di * wr);
      });
      Real* result = to;
      to = from, from = result;
    }
    return from;
  }

  /// The spectrum of real points: epilogue(k, c, real part, imaginary part) for k = 0 .. n / 2.
  template <class Epilogue>
  VIDA_FN void forward(Real* points, Real* others, Epilogue epilogue) const {
    const int m = n / 2;
    Real* z = transform(points, others, Real(1));
    team.sync();
    for_pairs(team, m + 1, packs, [&](int k, int pack) {
      const int c = pack * W, here = 2 * (k & (m - 1)), there = 2 * ((m - k) & (m - 1));
      const Pack ar = load<Pack>(row(z, here, c)), ai = load<Pack>(row(z, here + 1, c));
      const Pack br = load<Pack>(row(z, there, c)), bi = -load<Pack>(row(z, there + 1, c));
      // even points give (a + b) / 2, odd ones -i (a - b) / 2, b the conjugate of the mirror image
      const Pack dr = ai - bi, di = br - ar;
      const Real wr = p.cosine[k], wi = -p.sine[k];
      epilogue(k, c, Real(0.5) * (ar + br + (dr * wr - di * wi)), Real(0.5) * (ai + bi + (dr * wi + di * wr)));
    });
  }

  /// Points of a spectrum; returns the array that holds them.
  VIDA_FN Real* inverse(Real* spectrum) const {
    const int m = n / 2;
    const Real scale = Real(1) / Real(n);
    for_pairs(team, m, packs, [&](int k, int pack) {
      const int c = pack * W;
      const Pack ar = load<Pack>(row(spectrum, 2 * k, c)), ai = load<Pack>(row(spectrum, 2 * k + 1, c));
      const Pack br = load<Pack>(row(spectrum, 2 * (m - k), c)), bi = -load<Pack>(row(spectrum, 2 * (m - k) + 1, c));
      const Pack dr = ar - br, di = ai - bi;
      const Real wr = p.cosine[k], wi = p.sine[k];
      store(row(work.points, 2 * k, c), scale * (ar + br - (dr * wi + di * wr)));
      store(row(work.points, 2 * k + 1, c), scale * (ai + bi + (dr * wr - di * wi)));
    });
    team.sync();
    return transform(work.points, work.others, Real(-1));
  }

  /// epilogue(k part, c, value) with the transform of -(q)_x / 2, q(stage, i, c, u) of the points of `spectrum`; part 0
  /// is the real, 1 the imaginary one.
  template <class Square, class Epilogue>
  VIDA_FN void nonlinear(int stage, Real* spectrum, Square q, Epilogue epilogue) const {
    Real* points = inverse(spectrum);
    team.sync();
    for_pairs(team, n, packs, [&](int i, int pack) {
      Real* at = row(points, i, pack * W);
      store(at, q(stage, i, pack * W, load<Pack>(at)));
    });
    team.sync();
    forward(points, points == work.points ? work.others : work.points, [&](int k, int c, Pack re, Pack im) {
      epilogue(k, 0, c, -p.slope[k] * im);
      epilogue(k, 1, c, p.slope[k] * re);
    });
  }

  /// work.state <- itself after one step. q(stage, i, c, u): u^2, or its derivative times a perturbation u.
  template <class Square>
  VIDA_FN void step(Square q) const {
    const auto at = [&](Real* spectrum, int k, int part, int c) { return row(spectrum, 2 * k + part, c); };
    nonlinear(0, work.state, q, [&](int k, int part, int c, Pack N) {
      const Pack v = load<Pack>(at(work.state, k, part, c));
      store(at(work.slope, k, part, c), N);
      store(at(work.inner, k, part, c), p.half[k] * v + p.weight[k] * N);
      store(at(work.sum, k, part, c), p.whole[k] * v + p.first[k] * N);
    });
    team.sync();
    nonlinear(1, work.inner, q, [&](int k, int part, int c, Pack N) {
      Real* sum = at(work.sum, k, part, c);
      store(at(work.stage, k, part, c), p.half[k] * load<Pack>(at(work.state, k, part, c)) + p.weight[k] * N);
      store(sum, load<Pack>(sum) + (Real(2) * p.middle[k]) * N);
    });
    team.sync();
    nonlinear(2, work.stage, q, [&](int k, int part, int c, Pack N) {
      Real* sum = at(work.sum, k, part, c);
      store(at(work.stage, k, part, c), p.half[k] * load<Pack>(at(work.inner, k, part, c)) +
                                            p.weight[k] * (Real(2) * N - load<Pack>(at(work.slope, k, part, c))));
      store(sum, load<Pack>(sum) + (Real(2) * p.middle[k]) * N);
    });
    team.sync();
    nonlinear(3, work.stage, q, [&](int k, int part, int c, Pack N) {
      store(at(work.state, k, part, c), load<Pack>(at(work.sum, k, part, c)) + p.last[k] * N);
    });
  }

  /// work.state <- the spectrum of points(i, c).
  template <class Points>
  VIDA_FN void begin(Points points) const {
    for_pairs(team, n, packs, [&](int i, int pack) { store(row(work.points, i, pack * W), points(i, pack * W)); });
    team.sync();
    forward(work.points, work.others, [&](int k, int c, Pack re, Pack im) {
      store(row(work.state, 2 * k, c), re);
      store(row(work.state, 2 * k + 1, c), im);
    });
  }

  /// put(i, c, value) of the points of work.state.
  template <class Put>
  VIDA_FN void end(Put put) const {
    Real* points = inverse(work.state);
    team.sync();
    for_pairs(team, n, packs, [&](int i, int pack) { put(i, pack * W, load<Pack>(row(points, i, pack * W))); });
  }
};

}  // namespace vida::kernels
