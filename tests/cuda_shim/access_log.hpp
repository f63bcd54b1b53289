#pragma once

// The log of every read and write of a running kernel. Kernels are compiled with -fsanitize=thread, whose calls before
// each access end here instead of in the thread sanitizer.

#include <cstddef>
#include <string>

namespace cuda_shim::access_log {

struct Area {
  void* shared;
  std::size_t shared_bytes;
  const void* parameters;
  std::size_t parameter_bytes;
  int device;
};

void next_launch(const Area& area);
void next_phase();      ///< of a block: a barrier orders what lies before it and after it
void open(int lane);    ///< the lane's own code runs from now on
void close();           ///< the shim's code runs
std::string finding();  ///< "31 writes ... ": what stopped the lane

}  // namespace cuda_shim::access_log
