#pragma once

#include <omp.h>

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
  const int threads = static_cast<int>(std::min<long>(host.threads(), shape.items));
  if (threads == 1) {
    for (long item = 0; item < shape.items; ++item) kernel(Team(host.scratch(0, shape.scratch_bytes)), item);
    return;
  }
  std::atomic<long> next{0};
#pragma omp parallel num_threads(threads)
  {
    const Team team(host.scratch(omp_get_thread_num(), shape.scratch_bytes));
    for (long item = next.fetch_add(1); item < shape.items; item = next.fetch_add(1)) kernel(team, item);
  }
}

template <class Kernel>
void launch_lanes(Executor& executor, long members, const Kernel& kernel) {
  static_assert(std::is_trivially_copyable_v<Kernel>);
  const int width = kPackBytes / static_cast<int>(sizeof(typename Kernel::Real));
  const long packs = members / width;
  const int threads = static_cast<int>(std::min<long>(executor.threads(), packs));
  const long share = std::max(1L, packs / (16L * std::max(threads, 1)));  // another process may hold up a thread
#pragma omp parallel for schedule(dynamic, share) num_threads(threads) if (threads > 1)
  for (long pack = 0; pack < packs; ++pack) kernel(Lanes(pack * width));
}

}  // namespace vida::host

#define VIDA_KERNEL(...) \
  template void vida::host::launch<__VA_ARGS__>(vida::Executor&, vida::Shape, const __VA_ARGS__&);
#define VIDA_LANE_KERNEL(...) \
  template void vida::host::launch_lanes<__VA_ARGS__>(vida::Executor&, long, const __VA_ARGS__&);
