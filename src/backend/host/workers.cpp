#include "backend/host/workers.hpp"

namespace vida::host {
namespace {

constexpr int kSpins = 1000;  // about 50 microseconds: longer than the gap between two launches of a driver

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

/// Returns when `value` is no longer `old`.
void await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

Workers::Workers(int threads) {
  for (int index = 1; index < threads; ++index) threads_.emplace_back([this, index] { serve(index); });
}

Workers::~Workers() {
  stop_ = true;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(int count, const std::function<void(int)>& body) {
  if (count > 1) {
    body_ = &body;
    count_ = count;
    busy_.store(static_cast<std::uint32_t>(threads_.size()), std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }
  body(0);
  if (count <= 1) return;
  for (std::uint32_t left = busy_.load(std::memory_order_acquire); left; left = busy_.load(std::memory_order_acquire))
    await_change(busy_, left);
}

void Workers::serve(int index) {
  for (std::uint32_t seen = 0;;) {
    await_change(round_, seen);
    seen = round_.load(std::memory_order_acquire);
    if (stop_) return;
    if (index < count_) (*body_)(index);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

}  // namespace vida::host
