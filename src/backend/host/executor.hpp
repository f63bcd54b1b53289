#pragma once

#include "backend/executor.hpp"
#include "backend/host/workers.hpp"

namespace vida::host {

/// Threads of this process. Scratch areas, one per thread, grow to the largest kernel and stay.
class HostExecutor final : public Executor {
 public:
  explicit HostExecutor(const DeviceOptions& options);
  ~HostExecutor() override;
  void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  void upload(void* device, const void* host, std::size_t bytes) override;
  void download(void* host, const void* device, std::size_t bytes) override;
  void clear(void* device, std::size_t bytes) override;
  std::unique_ptr<Recording> record(std::function<void()> work) override;
  void wait() override {}
  bool is_cuda() const override { return false; }
  int threads() const override { return threads_; }
  std::string name() const override { return "cpu"; }
  std::string description() const override;
  std::size_t memory_limit() const override { return memory_limit_; }
  int pack_width(std::size_t element_bytes) const override;
  int leading_dimension(long columns, std::size_t element_bytes) const override {
    return static_cast<int>(round_up(columns, pack_width(element_bytes)));
  }
  int ring_halo() const override { return 16; }  // one pack of any type
  long concurrent_teams() const override { return threads_; }

  Workers& workers() { return workers_; }
  /// The scratch area of every thread, at least `bytes` each.
  std::byte* scratch(int thread, std::size_t bytes);
  void reserve_scratch(std::size_t bytes);

 private:
  int threads_;
  std::size_t memory_limit_;
  Workers workers_;
  std::size_t scratch_bytes_ = 0;
  std::byte* scratch_ = nullptr;
};

}  // namespace vida::host
