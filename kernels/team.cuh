#pragma once

// The contract between kernels and backends. A kernel is a small, trivially copyable struct of pointers and numbers:
//
//   template <class Team> VIDA_FN void operator()(Team team, long item) const;
//
// One team works one item. Its lanes share a scratch area and meet at team.sync():
//
//   for (int i = team.rank(); i < n; i += team.size()) ...   // a lane loop; no barrier inside it
//   team.sync();                                             // reached by every lane of the team, always
//
// On the GPU a team is a thread block; on the CPU it is one thread, rank() is 0 and size() is 1 at compile time. A
// function never begins or ends with a barrier: its caller puts one between a write and another lane's access.
//
// team.fresh(value) is the value; a compiler short of registers shall derive from it here, not once for all loops.
//
// Team also names the vector types: Pack<Real> (the machine's width, a plain Real on the GPU), Octet<Real> (eight
// columns of a block on the CPU, one on the GPU) and Narrow<Real> (32 bytes on the CPU, a Real on the GPU). load, store
// and width work on all of them.

#include <cmath>
#include <cstddef>
#include <type_traits>

#if defined(__CUDACC__) || defined(VIDA_CUDA_SOURCE)
#define VIDA_FN __device__ inline
#define VIDA_CALL __device__ __attribute__((noinline))
#define VIDA_BOTH __host__ __device__ inline  // sizes, which drivers compute too
#define VIDA_UNROLL _Pragma("unroll")
#else
#define VIDA_FN inline
#define VIDA_CALL __attribute__((noinline))
#define VIDA_BOTH inline
#define VIDA_UNROLL _Pragma("GCC unroll 32")
#endif

// VIDA_CALL marks templates that are called and not inlined: large steps that many kernels share, which would otherwise
// be compiled into each of them.

namespace vida::kernels {

/// Elements in a Pack or Octet of Real.
template <class P, class Real>
inline constexpr int width = sizeof(P) / sizeof(Real);

template <class P, class Real>
VIDA_FN P load(const Real* from) {
  if constexpr (std::is_same_v<P, Real>) {
    return *from;
  } else {
    P value;
    __builtin_memcpy(&value, from, sizeof(P));
    return value;
  }
}

template <class P, class Real>
VIDA_FN void store(Real* to, P value) {
  if constexpr (std::is_same_v<P, Real>)
    *to = value;
  else
    __builtin_memcpy(to, &value, sizeof(P));
}

VIDA_BOTH constexpr long padded(long value, long multiple) { return (value + multiple - 1) / multiple * multiple; }

/// function(i, j) for all 0 <= i < outer, 0 <= j < inner: pairs are spread over the lanes, neighbours along j.
template <class Team, class Function>
VIDA_FN void for_pairs(Team team, int outer, int inner, Function function) {
  if constexpr (Team::kSingleLane) {  // spares the divisions
    for (int i = 0; i < outer; ++i)
      for (int j = 0; j < inner; ++j) function(i, j);
  } else {
    for (int e = team.rank(); e < outer * inner; e += team.size()) function(e / inner, e % inner);
  }
}

/// The same for (i, j, k), neighbours along k.
template <class Team, class Function>
VIDA_FN void for_triples(Team team, int outer, int middle, int inner, Function function) {
  if constexpr (Team::kSingleLane) {
    for (int i = 0; i < outer; ++i)
      for (int j = 0; j < middle; ++j)
        for (int k = 0; k < inner; ++k) function(i, j, k);
  } else {
    for (int e = team.rank(); e < outer * middle * inner; e += team.size())
      function(e / inner / middle, e / inner % middle, e % inner);
  }
}

/// i brought into 0 .. n-1 on a ring, for i at most a few turns away.
VIDA_FN int on_ring(int i, int n) {
  while (i < 0) i += n;
  while (i >= n) i -= n;
  return i;
}

}  // namespace vida::kernels
