#pragma once

#include <algorithm>
#include <atomic>
#include <type_traits>

#include "backend/host/executor.hpp"
#include "backend/host/team.hpp"

namespace vida::host {

/// Items in index order, handed to whichever thread is free. What an item computes never depends on the thread.
template <class Kernel>
void launch(Executor& executor, Shape shape, const Kernel& kernel) {
  static_assert(std::is_trivially_copyable_v<Kernel>);
  auto& host = static_cast<HostExecutor&>(executor);
  host.reserve_scratch(shape.scratch_bytes);
  std::atomic<long> next{0};
  host.workers().run(static_cast<int>(std::min<long>(host.threads(), shape.items)), [&](int thread) {
    const Team team(host.scratch(thread, shape.scratch_bytes));
    for (long item = next.fetch_add(1); item < shape.items; item = next.fetch_add(1)) kernel(team, item);
  });
}

template <class Kernel>
void launch_lanes(Executor& executor, long members, const Kernel& kernel) {
  static_assert(std::is_trivially_copyable_v<Kernel>);
  auto& host = static_cast<HostExecutor&>(executor);
  const int width = kPackBytes / static_cast<int>(sizeof(typename Kernel::Real));
  const long packs = members / width;
  const int threads = static_cast<int>(std::min<long>(host.threads(), packs));
  const long share = std::max(1L, packs / (16L * threads));  // another process may hold up a thread
  std::atomic<long> next{0};
  host.workers().run(threads, [&](int) {
    for (long first = next.fetch_add(share); first < packs; first = next.fetch_add(share))
      for (long pack = first; pack < std::min(packs, first + share); ++pack) kernel(Lanes(pack * width));
  });
}

}  // namespace vida::host

#define VIDA_KERNEL(...) \
  template void vida::host::launch<__VA_ARGS__>(vida::Executor&, vida::Shape, const __VA_ARGS__&);
#define VIDA_LANE_KERNEL(...) \
  template void vida::host::launch_lanes<__VA_ARGS__>(vida::Executor&, long, const __VA_ARGS__&);
#define VIDA_HOST_KERNEL(...) VIDA_KERNEL(__VA_ARGS__)
