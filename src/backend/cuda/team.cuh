#pragma once

#include <cuda_runtime.h>

#include <cstddef>

namespace vida::cuda {

/// A thread block as a team, with tiles of 4 x TilePacks outputs in the registers of one lane.
template <int TilePacks>
class BlockTeam {
 public:
  template <class Real>
  using Pack = Real;
  template <class Real>
  using Octet = Real;
  template <class Real>
  using Narrow = Real;
  static constexpr bool kSingleLane = false;
  static constexpr int kTilePacks = TilePacks;

  /// value, or x when k is 0: an Octet holds one element.
  template <class Real>
  __device__ static Real with_element(Real value, int k, Real x) {
    return k == 0 ? x : value;
  }

  __device__ int rank() const { return fresh(static_cast<int>(threadIdx.x)); }
  __device__ int size() const { return static_cast<int>(blockDim.x); }
  /// The value, opaque to the compiler, which would otherwise find what each of many loops makes of it once, before all
  /// of them, and keep the results in registers that there are not.
  __device__ static int fresh(int value) {
    asm volatile("" : "+r"(value));
    return value;
  }
  __device__ void sync() const { __syncthreads(); }
};

/// All shared memory of the backend is declared in this one place.
__device__ inline std::byte* shared_memory() {
  extern __shared__ double vida_shared_memory[];
  return reinterpret_cast<std::byte*>(vida_shared_memory);
}

/// Scratch in shared memory, which the compiler sees wherever the team goes: 4 x 4 outputs in the registers of a lane.
struct Team : BlockTeam<4> {
  template <class Real>
  __device__ Real* scratch() const {
    return reinterpret_cast<Real*>(shared_memory());
  }
};

/// Scratch in device memory, which is slow in any case: smaller tiles, which compile in a third of the time.
class SpilledTeam : public BlockTeam<1> {
 public:
  __device__ explicit SpilledTeam(std::byte* scratch) : scratch_(scratch) {}
  template <class Real>
  __device__ Real* scratch() const {
    return reinterpret_cast<Real*>(scratch_);
  }

 private:
  std::byte* scratch_;
};

/// A thread as one ensemble member.
class Lanes {
 public:
  template <class Real>
  using Pack = Real;

  __device__ explicit Lanes(long first) : first_(first) {}
  __device__ long first() const { return first_; }

 private:
  long first_;
};

}  // namespace vida::cuda
