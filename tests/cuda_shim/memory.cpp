#include "memory.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "grid.hpp"
#include "state.hpp"

namespace cuda_shim {
namespace {

constexpr std::size_t kRange = std::size_t{1} << 40;
constexpr std::size_t kPage = 4096;
constexpr std::uint64_t kNan = 0x7FF400007FA00000;

std::uintptr_t range() {
  static const auto start = reinterpret_cast<std::uintptr_t>(
      mmap(nullptr, kRange, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  return start;
}

std::map<std::uintptr_t, Allocation> live, freed;
std::size_t used = kPage;
int users = 0;      // of Access
bool open = false;  // device memory is accessible
long closings = 0;  // wanted since the last reset
constexpr long kEveryClosing = 1000, kFewClosings = 64;

std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

void protect(const Allocation& allocation, int protection) {
  mprotect(reinterpret_cast<void*>(allocation.address), whole_pages(allocation.bytes), protection);
}

void on_segmentation_fault(int, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  std::string text = fmt::format("{:#x} was touched", address);
  if (memory::contains(address))
    text = in_kernel() ? fmt::format("{} touched {}", running_lane(), memory::describe(address))
                       : fmt::format("host code touched {}", memory::describe(address));
  text = fmt::format("cuda_shim: segmentation fault: {} (seed {})\n", text, current.seed);
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) _exit(87);
  _exit(86);
}

}  // namespace

void fill_with_nan(void* memory, std::size_t bytes) {
  auto* to = static_cast<char*>(memory);
  for (std::size_t at = 0; at < bytes; at += sizeof(kNan))
    std::memcpy(to + at, &kNan, std::min(sizeof(kNan), bytes - at));
}

namespace memory {

void* allocate(std::size_t bytes, int device) {
  static const bool handling = [] {
    struct sigaction action {};
    action.sa_sigaction = on_segmentation_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    return sigaction(SIGSEGV, &action, nullptr) == 0;
  }();
  static long number = 0;
  const std::size_t pages = whole_pages(bytes);
  if (!handling || bytes == 0 || live_bytes(device) + bytes > current.memory || used + pages + kPage > kRange)
    return nullptr;
  const std::uintptr_t address = range() + used;
  used += pages + kPage;  // a page that nobody may touch stands between two allocations
  Allocation& allocation = live[address];
  allocation.address = address;
  allocation.bytes = bytes;
  allocation.device = device;
  allocation.number = ++number;
  protect(allocation, PROT_READ | PROT_WRITE);
  fill_with_nan(reinterpret_cast<void*>(address), pages);
  if (!open) protect(allocation, PROT_NONE);
  return reinterpret_cast<void*>(address);
}

bool release(void* memory) {
  auto node = live.extract(reinterpret_cast<std::uintptr_t>(memory));
  if (node.empty()) return false;
  Allocation& allocation = node.mapped();
  allocation.live = false;
  allocation.cells = {};
  madvise(memory, whole_pages(allocation.bytes), MADV_DONTNEED);
  protect(allocation, PROT_NONE);
  freed.insert(std::move(node));
  return true;
}

std::size_t live_bytes(int device) {
  std::size_t sum = 0;
  for (const auto& [address, allocation] : live)
    if (allocation.device == device) sum += allocation.bytes;
  return sum;
}

std::size_t live_count() { return live.size(); }

bool contains(std::uintptr_t address) { return address - range() < kRange; }

Allocation* find(std::uintptr_t address) {
  Allocation* found = nullptr;
  for (auto* map : {&live, &freed}) {
    const auto after = map->upper_bound(address);
    if (after == map->begin()) continue;
    Allocation* before = &std::prev(after)->second;
    if (!found || before->address > found->address) found = before;
  }
  return found;
}

std::string describe(std::uintptr_t address) {
  const Allocation* allocation = find(address);
  if (!allocation) return "device memory that was never allocated";
  const std::size_t offset = address - allocation->address;
  const std::string name = fmt::format("device allocation {} of {} bytes", allocation->number, allocation->bytes);
  if (!allocation->live) return fmt::format("byte {} of {}, which is freed", offset, name);
  if (offset < allocation->bytes) return fmt::format("byte {} of {}", offset, name);
  return fmt::format("byte {} of {}, which is {} beyond its end", offset, name, offset - allocation->bytes + 1);
}

bool is_valid(const void* address, std::size_t bytes, const char* what) {
  const auto start = reinterpret_cast<std::uintptr_t>(address);
  const Allocation* allocation = contains(start) ? find(start) : nullptr;
  if (!allocation) {
    report(fmt::format("{} {} bytes: the address is not one of device memory", what, bytes));
    return false;
  }
  if (allocation->live && start + bytes <= allocation->address + allocation->bytes) return true;
  report(
      fmt::format("{} {} bytes from {}", what, bytes, describe(allocation->live && bytes ? start + bytes - 1 : start)));
  return false;
}

Access::Access() {
  if (users++ > 0 || open) return;
  for (const auto& [address, allocation] : live) protect(allocation, PROT_READ | PROT_WRITE);
  open = true;
}

Access::~Access() {
  if (--users > 0) return;
  if (++closings > kEveryClosing && closings % kFewClosings != 0) return;
  for (const auto& [address, allocation] : live) protect(allocation, PROT_NONE);
  open = false;
}

void close_always() { closings = 0; }

void check_guards() {
  for (const auto& [address, allocation] : live) {
    const auto* start = reinterpret_cast<const unsigned char*>(address);
    for (std::size_t at = allocation.bytes; at < whole_pages(allocation.bytes); ++at) {
      const auto expected = static_cast<unsigned char>(kNan >> (at % sizeof(kNan) * 8));
      if (start[at] != expected) {
        report(fmt::format("a write without log hit {}", describe(address + at)));
        break;
      }
    }
  }
}

}  // namespace memory
}  // namespace cuda_shim
