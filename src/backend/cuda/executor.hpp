#pragma once

#include <cuda_runtime_api.h>

#include "backend/executor.hpp"

namespace vida::cuda {

/// One GPU with a stream of its own. Kernels whose scratch exceeds a block's shared memory get it from device memory.
class CudaExecutor final : public Executor {
 public:
  CudaExecutor(const DeviceOptions& options, int index);
  ~CudaExecutor() override;
  void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  void upload(void* device, const void* host, std::size_t bytes) override;
  void download(void* host, const void* device, std::size_t bytes) override;
  void clear(void* device, std::size_t bytes) override;
  void wait() override;
  std::unique_ptr<Recording> record(std::function<void()> work) override;
  bool is_cuda() const override { return true; }
  int threads() const override { return 1; }
  std::string name() const override;
  std::string description() const override { return description_; }
  std::size_t memory_limit() const override { return memory_limit_; }
  int pack_width(std::size_t) const override { return 4; }
  int leading_dimension(long columns, std::size_t) const override { return static_cast<int>(round_up(columns, 4)) + 1; }
  int ring_halo() const override { return 8; }  // what the band reaches
  long concurrent_teams() const override { return 8L * multiprocessors_; }

  cudaStream_t stream() const { return stream_; }
  void make_current() const;
  std::size_t shared_limit() const { return shared_limit_; }
  /// Scratch in device memory for kernels that do not fit shared memory; grows, and is kept.
  std::byte* spill(std::size_t bytes);
  /// What a library keeps for this GPU and stream; released before the stream.
  std::shared_ptr<void>& library() { return library_; }

 private:
  int index_;
  int multiprocessors_ = 0;
  std::size_t shared_limit_ = 0;
  std::size_t memory_limit_ = 0;
  std::string description_;
  cudaStream_t stream_ = nullptr;
  std::shared_ptr<void> library_;
  std::byte* spill_ = nullptr;
  std::size_t spill_bytes_ = 0;
};

}  // namespace vida::cuda
