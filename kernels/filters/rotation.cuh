#pragma once

// Random rotations of an ensemble that leave its mean and covariance alone (Sakov and Oke 2008).

#include "filters/frame.cuh"

namespace vida::kernels {

template <class Real>
struct RotationWork {
  Real *vectors, *factors;  // Gaussian vectors [members, ld]; 2 / |v|^2 and the sign of each
  Real* rotation;           // [mrows, ld]

  VIDA_BOTH RotationWork(Pieces<Real>& pieces, const FilterShape& s)
      : vectors(pieces.take(s.square_elements())),
        factors(pieces.take(2L * s.members)),
        rotation(pieces.take(s.square_elements())) {}
};

/// rotation <- V diag(1, U) V, an orthogonal matrix that keeps the vector of ones, U a draw from the Haar measure in
/// N - 1 dimensions. V is the reflection between e_1 and that vector. U is the product of reflections by Gaussian
/// vectors of N - 1, N - 2, .. 2 dimensions and of signs: the Q of a Gaussian matrix whose R has a positive diagonal
/// (Stewart 1980). Columns of the result are independent of each other.
template <class Team, class Real>
VIDA_CALL void random_rotation(Team team, const FilterShape& s, const FilterRun<Real>& run, long cycle,
                               const RotationWork<Real>& work) {
  using Pack = typename Team::template Pack<Real>;
  constexpr int W = width<Pack, Real>;
  using std::sqrt;
  const int N = s.members, ld = s.ld;
  // row 0 is the vector of V, row k >= 1 that of the k-th reflection, in its elements k .. N - 1
  const DrawAddress address = draw_address(run, kRotationStream, cycle);
  for_pairs(team, (N + 1) / 2, (N + W - 1) / W, [&](int pair, int pack) {
    if ((pack + 1) * W > 2 * pair) normals_of_pair(team, address, pair, pack, N, work.vectors, ld);
  });
  team.sync();
  const Real ones = Real(1) / sqrt(Real(N));
  for (int k = team.rank(); k < N; k += team.size()) {
    Real* v = work.vectors + k * ld;
    if (k == 0) {
      for (int i = 0; i < N; ++i) v[i] = (i == 0 ? Real(1) : Real(0)) - ones;
      work.factors[0] = N > 1 ? Real(2) / dot(team, N, v, v) : Real(0);
    } else {
      const Real sign = v[k] < Real(0) ? Real(-1) : Real(1);
      const Real length = sqrt(dot(team, N - k, v + k, v + k));
      v[k] += sign * length;
      work.factors[2 * k] = Real(2) / dot(team, N - k, v + k, v + k);
      work.factors[2 * k + 1] = k == N - 1 ? sign : -sign;
    }
  }
  team.sync();
  const auto turn = [&](auto packs, int c) {  // some packs of columns, side by side since each is a chain of sums
    constexpr int kPacks = decltype(packs)::value;
    for (int i = 0; i < N; ++i) {
      const Real sign = i == 0 ? Real(1) : work.factors[2 * i + 1];
      const Real scale = sign * work.factors[0] * work.vectors[i];
      for (int b = 0; b < kPacks; ++b)
        store(work.rotation + i * ld + c + b * W, -scale * load<Pack>(work.vectors + c + b * W));
    }
    for (int i = c; i < c + kPacks * W && i < N; ++i)
      work.rotation[i * ld + i] += i == 0 ? Real(1) : work.factors[2 * i + 1];
    for (int k = N - 2; k >= 0; --k) {
      const Real* v = work.vectors + k * ld;
      Pack along[kPacks] = {};
      for (int i = k; i < N; ++i) {
        VIDA_UNROLL
        for (int b = 0; b < kPacks; ++b) along[b] += v[i] * load<Pack>(work.rotation + i * ld + c + b * W);
      }
      VIDA_UNROLL
      for (int b = 0; b < kPacks; ++b) along[b] *= work.factors[2 * k];
      for (int i = k; i < N; ++i) {
        VIDA_UNROLL
        for (int b = 0; b < kPacks; ++b) {
          Real* at = work.rotation + i * ld + c + b * W;
          store(at, load<Pack>(at) - v[i] * along[b]);
        }
      }
    }
  };
  constexpr int kTogether = Team::kSingleLane ? 3 : 1;
  int c = team.rank() * W;
  if constexpr (kTogether > 1)
    for (; c + (kTogether - 1) * W < N; c += kTogether * W) turn(std::integral_constant<int, kTogether>{}, c);
  for (; c < N; c += team.size() * W) turn(std::integral_constant<int, 1>{}, c);
}

}  // namespace vida::kernels
