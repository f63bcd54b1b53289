#pragma once

// Small kernels, most of them wrong in one way, with which the shim is tested.

#include <cuda_runtime_api.h>

namespace toy {

enum class Kind {
  sum,                  // out[0] = sum of in[0 .. lanes), through shared memory
  sum_without_barrier,  // the same with a barrier missing
  every_lane_writes,    // all lanes write out[0]
  every_block_writes,   // lane 0 of all blocks writes out[0]
  two_barriers,         // lanes 0 .. 2 wait at one barrier, the others at another
  early_return,         // lane 0 returns before the barrier
  first_of_shared,      // out[lane] = what shared memory holds at the start
  beyond_shared,        // writes one double beyond the shared memory
  beyond_device,        // writes one double beyond out's n
  reads_in,             // out[lane] = in[lane]
  order,                // out[lane] = how many lanes ran before in this phase: only right without a log
  twice,                // in two phases: out[lane] = in[lane], then out[lane] += in[(lane + 1) % lanes]
};

struct Arguments {
  Kind kind;
  const double* in;
  double* out;
  int n;
};

cudaError_t launch(const Arguments& arguments, int blocks, int lanes, std::size_t shared, cudaStream_t stream);
cudaError_t opt_in(std::size_t shared);

}  // namespace toy
