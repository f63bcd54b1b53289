#pragma once

// Device memory: a range of addresses that only kernels and copies can touch. No address is used twice, so that a use
// after cudaFree is seen for what it is.

#include <cstdint>
#include <string>
#include <vector>

namespace cuda_shim {

/// Who touched four bytes last: within one phase of one block (lanes), and within one launch (blocks).
struct Cell {
  std::uint32_t phase = 0, launch = 0;
  std::int16_t writer = 0, reader = 0;              // lanes + 1; 0: none, -1: several
  std::int32_t block_writer = 0, block_reader = 0;  // blocks + 1; 0: none, -1: several
  std::uint32_t writer_place = 0, reader_place = 0;
};

struct Allocation {
  std::uintptr_t address = 0;
  std::size_t bytes = 0;
  int device = 0;
  long number = 0;
  bool live = true;
  std::vector<Cell> cells;  // one for four bytes, made when the log first needs them
};

namespace memory {

/// Null when the device has no room. Filled with NaN.
void* allocate(std::size_t bytes, int device);
/// False when nothing live starts there.
bool release(void* memory);
std::size_t live_bytes(int device);
std::size_t live_count();

bool contains(std::uintptr_t address);     ///< whether it lies in the range of device memory at all
Allocation* find(std::uintptr_t address);  ///< the one that holds the address or ends closest before it; null: none
std::string describe(std::uintptr_t address);

/// Reports when [address, address + bytes) is not inside one live allocation.
bool is_valid(const void* address, std::size_t bytes, const char* what);

/// Opens device memory while alive. Where it is wanted very often it stays open most of the time after a while: a call
/// to the system for each allocation, twice for each kernel, was two thirds of the time of long tests.
class Access {
 public:
  Access();
  ~Access();
};

/// The next accesses close device memory when they end.
void close_always();

/// Reports bytes changed between the end of an allocation and the end of its page.
void check_guards();

}  // namespace memory

/// Doubles and floats that read this are NaN; the double is a signalling one.
void fill_with_nan(void* memory, std::size_t bytes);

}  // namespace cuda_shim
