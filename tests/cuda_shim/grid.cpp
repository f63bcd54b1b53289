#include "grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <vector>

#include "access_log.hpp"
#include "fibers.hpp"
#include "memory.hpp"
#include "state.hpp"

// The one array of dynamic shared memory that the backend declares. One block runs at a time.
namespace vida::cuda {
alignas(128) extern double vida_shared_memory[];
alignas(128) double vida_shared_memory[(cuda_shim::kSharedLimit + 4096) / sizeof(double)];
}  // namespace vida::cuda

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_shim {

namespace {

enum class Lane { ready, at_barrier, done };

const Launch* active = nullptr;
std::vector<Lane> state;
std::vector<const void*> site;  // of the barrier where a lane waits
std::vector<int> passed;        // how many lanes further a lane takes itself to be
int step = 0;                   // added to that by a barrier which is turned off
int running = 0;                // whose code runs; threadIdx is what that code takes itself for
bool stopped = false;

void lane_body(int lane) {
  active->call.lane(active->call.function, active->call.parameters.get());
  state[static_cast<std::size_t>(lane)] = Lane::done;
}

template <class T>
void shuffle(std::vector<T>& order) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_below(i)]);
}

std::string join_some(const std::vector<int>& lanes) {
  std::string text;
  for (std::size_t i = 0; i < lanes.size() && i < 4; ++i) text += fmt::format("{}{}", i ? ", " : "", lanes[i]);
  return lanes.size() > 4 ? fmt::format("{}, ... ({} lanes)", text, lanes.size()) : text;
}

/// Reports when the lanes do not all stand at one barrier. The compiler may have copied a barrier into two branches, so
/// that addresses differ: then the places in the source decide.
bool meet() {
  std::map<const void*, std::vector<int>> waiting;
  std::vector<int> returned;
  for (std::size_t lane = 0; lane < state.size(); ++lane)
    (state[lane] == Lane::done ? returned : waiting[site[lane]]).push_back(static_cast<int>(lane));
  if (waiting.size() == 1 && returned.empty()) return true;
  std::map<std::string, std::vector<int>> places;
  for (auto& [address, lanes] : waiting) {
    auto& there = places[place_of(address)];
    there.insert(there.end(), lanes.begin(), lanes.end());
  }
  if (places.size() == 1 && returned.empty()) return true;
  std::string text =
      fmt::format("{}: block {}: the lanes do not meet at one barrier:", active->kernel, running_block());
  for (auto& [place, lanes] : places) text += fmt::format(" lane {} at {};", join_some(lanes), place);
  if (!returned.empty()) text += fmt::format(" lane {} returned;", join_some(returned));
  text.back() = '.';
  report(text);
  return false;
}

bool all(Lane wanted) {
  return std::all_of(state.begin(), state.end(), [&](Lane one) { return one == wanted; });
}

/// Up to the next barrier that counts. At one that is turned off the lane goes on, in half of the blocks as its
/// neighbour: behind a barrier the work may be spread over the lanes in any way, so what only happens to be the same
/// lane's on both sides needs the barrier, too.
void run_lane(int lane) {
  running = lane;
  const auto index = static_cast<std::size_t>(lane);
  for (;;) {
    threadIdx.x = static_cast<unsigned>((lane + passed[index]) % active->lanes);
    state[index] = Lane::ready;
    access_log::open(lane);
    fibers::resume(lane);
    access_log::close();
    if (stopped || state[index] != Lane::at_barrier || !is_mutated("barrier", site[index])) return;
    passed[index] += step;
  }
}

/// Lanes run one by one, in a new order each phase: what a missing barrier leaves to chance is left to chance here.
bool run_block() {
  const auto lanes = static_cast<std::size_t>(active->lanes);
  state.assign(lanes, Lane::ready);
  site.assign(lanes, nullptr);
  passed.assign(lanes, 0);
  step = static_cast<int>(random_below(2));
  auto* shared = reinterpret_cast<char*>(vida::cuda::vida_shared_memory);
  const std::size_t guarded = (active->shared_bytes + 7) / 8 * 8 + 1024;
  fill_with_nan(shared, guarded);
  fibers::prepare(active->lanes, lane_body);
  std::vector<int> order(lanes);
  std::iota(order.begin(), order.end(), 0);
  stopped = false;
  do {
    access_log::next_phase();
    shuffle(order);
    for (const int lane : order) {
      run_lane(lane);
      if (stopped) {
        report(fmt::format("{}: block {}, lane {}", active->kernel, running_block(), access_log::finding()));
        return false;
      }
    }
    if (all(Lane::done)) break;
  } while (meet());
  if (!all(Lane::done)) return false;
  std::vector<char> untouched(guarded);
  fill_with_nan(untouched.data(), guarded);
  if (std::memcmp(shared + active->shared_bytes, untouched.data() + active->shared_bytes,
                  guarded - active->shared_bytes) != 0) {
    report(fmt::format("{}: block {}: a write hit shared memory beyond its {} bytes", active->kernel, running_block(),
                       active->shared_bytes));
    return false;
  }
  return true;
}

}  // namespace

bool run(const Launch& launch) {
  active = &launch;
  gridDim.x = launch.blocks;
  blockDim.x = static_cast<unsigned>(launch.lanes);
  access_log::next_launch({.shared = vida::cuda::vida_shared_memory,
                           .shared_bytes = launch.shared_bytes,
                           .parameters = launch.call.parameters.get(),
                           .parameter_bytes = launch.call.parameter_bytes,
                           .device = launch.device});
  std::vector<unsigned> order(launch.blocks);
  std::iota(order.begin(), order.end(), 0u);
  shuffle(order);
  bool good = true;
  for (const unsigned block : order) {
    blockIdx.x = block;
    good = run_block();
    if (!good) break;
  }
  active = nullptr;
  return good;
}

bool in_kernel() { return active != nullptr; }
int running_block() { return static_cast<int>(blockIdx.x); }
int running_lane_number() { return running; }

std::string running_lane() {
  return fmt::format("{}: block {}, lane {}", active->kernel, running_block(), running_lane_number());
}

void stop_block() {
  stopped = true;
  fibers::leave();
  __builtin_unreachable();
}

}  // namespace cuda_shim

__attribute__((noinline)) void __syncthreads() {
  using namespace cuda_shim;
  const auto lane = static_cast<std::size_t>(running_lane_number());
  site[lane] = __builtin_return_address(0);
  state[lane] = Lane::at_barrier;
  fibers::leave();
}
