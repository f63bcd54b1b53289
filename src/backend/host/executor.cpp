#include "backend/host/executor.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "backend/host/team.hpp"
#include "vida/error.hpp"

namespace vida::host {
namespace {

int usable_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

std::size_t free_memory() {
  return static_cast<std::size_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void* aligned(std::size_t bytes) {
  void* memory = std::aligned_alloc(64, static_cast<std::size_t>(round_up(static_cast<long>(bytes), 64)));
  if (!memory)
    throw OutOfMemory(fmt::format("the host has no {} bytes ({:.1f} GiB) left. Use a smaller batch.", bytes,
                                  static_cast<double>(bytes) / (1 << 30)));
  return memory;
}

}  // namespace

HostExecutor::HostExecutor(const DeviceOptions& options)
    : threads_(options.threads > 0 ? options.threads : usable_cores()),
      memory_limit_(options.memory_limit ? options.memory_limit : free_memory() / 2),
      workers_(threads_) {}

HostExecutor::~HostExecutor() { std::free(scratch_); }

void* HostExecutor::allocate(std::size_t bytes) { return aligned(bytes); }
void HostExecutor::release(void* memory) noexcept { std::free(memory); }
void HostExecutor::upload(void* device, const void* host, std::size_t bytes) { std::memcpy(device, host, bytes); }
void HostExecutor::download(void* host, const void* device, std::size_t bytes) { std::memcpy(host, device, bytes); }
void HostExecutor::clear(void* device, std::size_t bytes) { std::memset(device, 0, bytes); }
std::string HostExecutor::description() const { return cpu_description(); }

int HostExecutor::pack_width(std::size_t element_bytes) const { return kPackBytes / static_cast<int>(element_bytes); }

void HostExecutor::reserve_scratch(std::size_t bytes) {
  bytes =
      static_cast<std::size_t>(round_up(static_cast<long>(bytes), 4096)) + 64;  // threads keep off each other's lines
  if (bytes <= scratch_bytes_) return;
  std::free(scratch_);
  scratch_ = nullptr;
  scratch_bytes_ = 0;
  scratch_ = static_cast<std::byte*>(aligned(bytes * static_cast<std::size_t>(threads_)));
  scratch_bytes_ = bytes;
}

std::byte* HostExecutor::scratch(int thread, std::size_t bytes) {
  return bytes ? scratch_ + static_cast<std::size_t>(thread) * scratch_bytes_ : nullptr;
}

std::unique_ptr<Recording> HostExecutor::record(std::function<void()> work) {
  struct Called final : Recording {
    explicit Called(std::function<void()> function) : work(std::move(function)) {}
    void play() override { work(); }
    std::function<void()> work;
  };
  return std::make_unique<Called>(std::move(work));
}

std::unique_ptr<Executor> make_executor(const DeviceOptions& options) {
  return std::make_unique<HostExecutor>(options);
}

}  // namespace vida::host
