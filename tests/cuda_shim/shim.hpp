#pragma once

// What a test can set and ask. README.md explains the checks.

#include <cstdint>
#include <string>
#include <vector>

namespace cuda_shim {

struct Settings {
  std::uint64_t seed = 1;  ///< fixes the order of lanes, blocks and streams (environment: VIDA_SHIM_SEED)
  bool log = true;         ///< check every access of every lane (VIDA_SHIM_LOG=0 turns it off)
  int lanes = 0;           ///< block size of every launch; 0: as launched
  long blocks = 0;         ///< most blocks of a launch; 0: as launched
  int devices = 1;         ///< 0: a driver without devices, -1: no driver
  std::size_t memory = std::size_t{4} << 30;  ///< of one device
  // Which call from now on fails, counted from 1; 0: none.
  long failing_allocation = 0;
  long failing_launch = 0;
  long failing_copy = 0;
  long lost_at = 0;      ///< the operation at which the device is lost for good
  std::string mutant{};  ///< a site of sites() to turn off; a barrier or wait may name several addresses
};

/// Forgets queued work, errors, reports and sites, and takes new settings. Allocations stay.
void reset(const Settings& settings = {});
Settings settings();  ///< those of the last reset

std::vector<std::string> take_reports();  ///< what the checks found since the last call
std::size_t live_allocations();           ///< cudaMalloc without cudaFree
// Since the last reset:
long operations();          ///< kernels, copies and fills that ran
long allocations();         ///< calls of cudaMalloc
std::size_t most_memory();  ///< bytes of device memory that were live at the same time

/// Every barrier ("barrier ADDRESS"), synchronisation ("wait ADDRESS") and kernel with shared memory ("shared KERNEL")
/// met since the last reset. Addresses count from the start of the program, as addr2line wants them plus one.
std::vector<std::string> sites();

}  // namespace cuda_shim
