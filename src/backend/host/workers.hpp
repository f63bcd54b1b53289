#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace vida::host {

/// The threads of one executor. Waiting threads spin for some microseconds, as kernels follow each other closely, and
/// then sleep. OpenMP's pool spins for many milliseconds: beside one other busy process that made a gradient ten times
/// slower, because a spinning thread kept the one it waited for off the core.
class Workers {
 public:
  explicit Workers(int threads);  ///< the calling thread is one of them
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// body(0) .. body(count - 1) side by side, body(0) on the calling thread; returns when all are done. count is at
  /// most the number of threads. Bodies must not throw. Not to be called by two threads at once.
  void run(int count, const std::function<void(int)>& body);

 private:
  void serve(int index);

  std::vector<std::thread> threads_;
  std::atomic<std::uint32_t> round_{0};  // a new value wakes the workers
  std::atomic<std::uint32_t> busy_{0};   // workers that have not finished this round
  const std::function<void(int)>* body_ = nullptr;
  int count_ = 0;
  bool stop_ = false;
};

}  // namespace vida::host
