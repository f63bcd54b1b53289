#pragma once

#include <cuda_runtime.h>

#include <cstddef>

namespace vida::cuda {

/// A thread block as a team.
class Team {
 public:
  template <class Real>
  using Pack = Real;
  template <class Real>
  using Octet = Real;
  static constexpr bool kSingleLane = false;
  static constexpr int kTilePacks = 4;  // 4 x 4 outputs in the registers of one lane

  /// value, or x when k is 0: an Octet holds one element.
  template <class Real>
  __device__ static Real with_element(Real value, int k, Real x) {
    return k == 0 ? x : value;
  }

  __device__ explicit Team(std::byte* scratch) : scratch_(scratch) {}
  __device__ int rank() const { return static_cast<int>(threadIdx.x); }
  __device__ int size() const { return static_cast<int>(blockDim.x); }
  __device__ void sync() const { __syncthreads(); }
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
