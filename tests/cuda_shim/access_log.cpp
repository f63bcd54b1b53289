#include "access_log.hpp"

#include <fmt/format.h>
#include <link.h>

#include <array>
#include <cstdint>
#include <vector>

#include "fibers.hpp"
#include "grid.hpp"
#include "memory.hpp"
#include "state.hpp"

// Compiled without sanitizers: every access of a kernel passes here.

extern "C" const char __executable_start;  // the linker's

namespace cuda_shim::access_log {
namespace {

bool logging = false;  // a lane's own code runs, and its accesses are checked
int lane = 0;
Area area;
std::uint32_t phase = 0, launch = 0;
std::vector<Cell> shared_cells(kSharedLimit / 4);
Allocation* recent = nullptr;

const void* address_of(std::uint32_t place) { return &__executable_start + place; }

/// Who was there before.
struct Other {
  const char* what;  // "lane" or "block"; null: the access itself is not possible
  int number;        // + 1; -1: several
  bool wrote;
  std::uint32_t place;
};

/// The access that stopped a lane. It is put into words later: lanes have small stacks, and leave nothing behind.
struct Stopped {
  std::uintptr_t address;
  std::size_t bytes;
  bool write;
  const void* caller;
  Other other;
} last;

/// Two lanes of a block may meet in four bytes within one phase only to read; so may two blocks within one launch.
void enter(Cell& cell, std::uintptr_t address, bool global, bool write, const void* caller) {
  const auto conflict = [&](const Other& other) {
    last = {address, 4, write, caller, other};
    stop_block();
  };
  const auto place = static_cast<std::uint32_t>(static_cast<const char*>(caller) - &__executable_start);
  const auto me = static_cast<std::int16_t>(lane + 1);
  if (cell.phase != phase) {
    cell.phase = phase;
    cell.writer = cell.reader = 0;
  }
  if (cell.writer != 0 && cell.writer != me) conflict({"lane", cell.writer, true, cell.writer_place});
  if (write && cell.reader != 0 && cell.reader != me) conflict({"lane", cell.reader, false, cell.reader_place});
  if (global) {
    const std::int32_t block = running_block() + 1;
    if (cell.launch != launch) {
      cell.launch = launch;
      cell.block_writer = cell.block_reader = 0;
    }
    if (cell.block_writer != 0 && cell.block_writer != block)
      conflict({"block", cell.block_writer, true, cell.writer_place});
    if (write && cell.block_reader != 0 && cell.block_reader != block)
      conflict({"block", cell.block_reader, false, cell.reader_place});
    if (write)
      cell.block_writer = block;
    else
      cell.block_reader = cell.block_reader == 0 || cell.block_reader == block ? block : -1;
  }
  if (write) {
    cell.writer = me;
    cell.writer_place = place;
  } else {
    cell.reader = cell.reader == 0 || cell.reader == me ? me : std::int16_t{-1};
    cell.reader_place = place;
  }
}

bool within(std::uintptr_t address, const void* start, std::size_t bytes) {
  return address - reinterpret_cast<std::uintptr_t>(start) < bytes;
}

[[noreturn]] void outside(std::uintptr_t address, std::size_t bytes, bool write, const void* caller) {
  last = {address, bytes, write, caller, {}};
  stop_block();
}

/// Constants of the program, which nvcc puts into constant memory.
bool is_constant(std::uintptr_t address) {
  static const auto ranges = [] {
    std::vector<std::array<std::uintptr_t, 2>> found;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* to) {
          for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& segment = info->dlpi_phdr[i];
            if (segment.p_type == PT_LOAD && !(segment.p_flags & PF_W))
              static_cast<decltype(found)*>(to)->push_back(
                  {info->dlpi_addr + segment.p_vaddr, info->dlpi_addr + segment.p_vaddr + segment.p_memsz});
          }
          return 0;
        },
        &found);
    return found;
  }();
  for (const auto& [start, end] : ranges)
    if (address >= start && address < end) return true;
  return false;
}

bool is_index(std::uintptr_t address) {
  for (const dim3* index : {&threadIdx, &blockIdx, &blockDim, &gridDim})
    if (within(address, index, sizeof(dim3))) return true;
  return false;
}

void check(const void* pointer, std::size_t bytes, bool write, const void* caller) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  if (fibers::on_stack(lane, pointer)) return;
  if (within(address, area.shared, area.shared_bytes)) {
    const std::size_t offset = address - reinterpret_cast<std::uintptr_t>(area.shared);
    if (offset + bytes > area.shared_bytes) outside(address, bytes, write, caller);
    for (std::size_t at = offset / 4; at <= (offset + bytes - 1) / 4; ++at)
      enter(shared_cells[at], address, false, write, caller);
    return;
  }
  if (memory::contains(address)) {
    if (!recent || !recent->live || !within(address, reinterpret_cast<void*>(recent->address), recent->bytes))
      recent = memory::find(address);
    if (!recent || !recent->live || recent->device != area.device || address + bytes > recent->address + recent->bytes)
      outside(address, bytes, write, caller);
    if (recent->cells.empty()) recent->cells.resize((recent->bytes + 3) / 4);
    const std::size_t offset = address - recent->address;
    for (std::size_t at = offset / 4; at <= (offset + bytes - 1) / 4; ++at)
      enter(recent->cells[at], address, true, write, caller);
    return;
  }
  if (!write && (within(address, area.parameters, area.parameter_bytes) || is_index(address) || is_constant(address)))
    return;
  outside(address, bytes, write, caller);
}

inline void access(const void* pointer, std::size_t bytes, bool write, const void* caller) {
  if (!logging) return;
  check(pointer, bytes, write, caller);
}

}  // namespace

void next_launch(const Area& of_launch) {
  area = of_launch;
  recent = nullptr;
  ++launch;
}

void next_phase() { ++phase; }

std::string finding() {
  std::string where = "host memory";
  if (memory::contains(last.address))
    where = memory::describe(last.address);
  else if (within(last.address, area.shared, kSharedLimit + 4096))
    where = fmt::format("byte {} of {} of shared memory", last.address - reinterpret_cast<std::uintptr_t>(area.shared),
                        area.shared_bytes);
  const std::string access =
      fmt::format("{} {} {} at {}", lane, last.write ? "writes" : "reads", where, place_of(last.caller));
  const Other& other = last.other;
  if (!other.what) return access + ", which it may not";
  const std::string who =
      other.number < 0 ? fmt::format("several {}s", other.what) : fmt::format("{} {}", other.what, other.number - 1);
  return fmt::format("{}, which {} {} at {}; no barrier stands in between", access, who, other.wrote ? "wrote" : "read",
                     place_of(address_of(other.place)));
}

void open(int running) {
  lane = running;
  logging = current.log;
}

void close() { logging = false; }

}  // namespace cuda_shim::access_log

// What g++ -fsanitize=thread calls. Lanes that stop in the middle of a check never come back to it.
using cuda_shim::access_log::access;
#define VIDA_ACCESS(bytes)                                                                                          \
  extern "C" void __tsan_read##bytes(void* at) { access(at, bytes, false, __builtin_return_address(0)); }           \
  extern "C" void __tsan_write##bytes(void* at) { access(at, bytes, true, __builtin_return_address(0)); }           \
  extern "C" void __tsan_unaligned_read##bytes(void* at) { access(at, bytes, false, __builtin_return_address(0)); } \
  extern "C" void __tsan_unaligned_write##bytes(void* at) { access(at, bytes, true, __builtin_return_address(0)); }
VIDA_ACCESS(1)
VIDA_ACCESS(2)
VIDA_ACCESS(4)
VIDA_ACCESS(8)
VIDA_ACCESS(16)
extern "C" void __tsan_read_range(void* at, std::size_t bytes) {
  access(at, bytes, false, __builtin_return_address(0));
}
extern "C" void __tsan_write_range(void* at, std::size_t bytes) {
  access(at, bytes, true, __builtin_return_address(0));
}
extern "C" int __tsan_atomic32_fetch_add(volatile int* at, int value, int order) {  // of the shared_ptr in a launch
  return __atomic_fetch_add(at, value, order);
}
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
extern "C" void __tsan_vptr_update(void**, void*) {}
extern "C" void __tsan_vptr_read(void**) {}
