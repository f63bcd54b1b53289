#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vida/device.hpp"

namespace vida {

/// How a team kernel is spread: `items` independent problems, each worked by one team of `lanes` lanes (a CUDA block;
/// one thread on the CPU) with `scratch_bytes` of memory of its own.
struct Shape {
  long items = 0;
  int lanes = 128;
  std::size_t scratch_bytes = 0;
};

/// Launches that were recorded once and can be queued again as one.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void play() = 0;
};

/// The part of a backend that is not a template. host/ and cuda/ implement it; a Device owns one. Copies and launches
/// are ordered: each sees the results of the ones before it. Only download() and wait() return after the work is done.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void* allocate(std::size_t bytes) = 0;  ///< 64-byte aligned; throws OutOfMemory
  virtual void release(void* memory) noexcept = 0;
  virtual void upload(void* device, const void* host, std::size_t bytes) = 0;
  virtual void download(void* host, const void* device, std::size_t bytes) = 0;
  virtual void clear(void* device, std::size_t bytes) = 0;  ///< sets every byte to zero
  virtual void wait() = 0;
  /// `work` only launches and clears; it has run once before, so that nothing is set up in it, and what it refers to
  /// outlives the recording. A CUDA graph; on the CPU play() calls it.
  virtual std::unique_ptr<Recording> record(std::function<void()> work) = 0;
  virtual bool is_cuda() const = 0;
  virtual int threads() const = 0;
  virtual std::string name() const = 0;
  virtual std::string description() const = 0;
  virtual std::size_t memory_limit() const = 0;
  /// Ensemble members, and rows of matrices that do not ask for more, are padded to a multiple of this many elements.
  virtual int pack_width(std::size_t element_bytes) const = 0;
  /// From row to row of a matrix with so many columns: whole packs on the CPU; on the GPU an odd number, so that rows
  /// begin in different banks.
  virtual int leading_dimension(long columns, std::size_t element_bytes) const = 0;
  /// Elements before and after ring arrays.
  virtual int ring_halo() const = 0;
  /// How many teams work at once; more items than that wait their turn.
  virtual long concurrent_teams() const = 0;
};

namespace host {
template <class Kernel>
void launch(Executor& executor, Shape shape, const Kernel& kernel);
template <class Kernel>
void launch_lanes(Executor& executor, long members, const Kernel& kernel);
std::unique_ptr<Executor> make_executor(const DeviceOptions& options);
}  // namespace host

namespace cuda {
template <class Kernel>
void launch(Executor& executor, Shape shape, const Kernel& kernel);
template <class Kernel>
void launch_lanes(Executor& executor, long members, const Kernel& kernel);
std::unique_ptr<Executor> make_executor(const DeviceOptions& options, int index);
}  // namespace cuda

/// The only way into team kernels. Every kernel type is instantiated once per backend, see kernels/*.instances.
template <class Kernel>
void launch(Executor& executor, Shape shape, const Kernel& kernel) {
  if (shape.items == 0) return;
  if (executor.is_cuda()) return cuda::launch(executor, shape, kernel);
  host::launch(executor, shape, kernel);
}

/// The only way into lane kernels: one ensemble member per lane, `members` a multiple of Executor::pack_width.
template <class Kernel>
void launch_lanes(Executor& executor, long members, const Kernel& kernel) {
  if (members == 0) return;
  if (executor.is_cuda()) return cuda::launch_lanes(executor, members, kernel);
  host::launch_lanes(executor, members, kernel);
}

/// Device memory for `size` elements of T, released with its owner.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Executor& executor, std::size_t size) : executor_(&executor), size_(size) {
    if (size) data_ = static_cast<T*>(executor.allocate(size * sizeof(T)));
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (data_) executor_->release(data_);
  }

  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  void upload(const T* host, std::size_t count, std::size_t offset = 0) {
    if (count) executor_->upload(data_ + offset, host, count * sizeof(T));
  }
  void upload(const std::vector<T>& host) { upload(host.data(), host.size()); }
  void clear() {
    if (size_) executor_->clear(data_, size_ * sizeof(T));
  }
  void download(T* host, std::size_t count, std::size_t offset = 0) const {
    if (count) executor_->download(host, data_ + offset, count * sizeof(T));
  }
  std::vector<T> download() const {
    std::vector<T> host(size_);
    download(host.data(), size_);
    return host;
  }

 private:
  void swap(Buffer& other) {
    std::swap(executor_, other.executor_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  Executor* executor_ = nullptr;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

template <class T>
Buffer<T> uploaded(Executor& executor, const std::vector<T>& host) {
  Buffer<T> buffer(executor, host.size());
  buffer.upload(host);
  return buffer;
}

constexpr long round_up(long value, long multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace vida
