#pragma once

// One launch: its blocks one after the other, the lanes of a block as fibers that meet at barriers.

#include <cuda_runtime.h>

#include <string>

namespace cuda_shim {

struct Launch {
  std::string kernel;
  Call call;
  unsigned blocks = 1;
  int lanes = 1;
  std::size_t shared_bytes = 0;
  int device = 0;
};

/// False when a check stopped it.
bool run(const Launch& launch);

bool in_kernel();
std::string running_lane();  ///< "GainForward<double>: block 2, lane 31"

/// Ends the running block from within a lane. Does not return, and runs no destructor; access_log::finding() tells why.
[[noreturn]] void stop_block();

int running_block();
int running_lane_number();

}  // namespace cuda_shim
