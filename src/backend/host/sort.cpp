#include "backend/sort.hpp"

#include <algorithm>

#include "backend/host/launch.hpp"

// A merge sort: stretches of kStretch pairs are sorted side by side, then neighbours are merged until one is left. A
// stable order is unique, so the bits depend neither on the stretches nor on the threads.

namespace vida::host {
namespace {

constexpr long kStretch = 1 << 14;  // 256 KiB of pairs, which the second cache holds

template <class RealType>
struct Pair {
  using Real = RealType;
  Real key;
  std::int32_t value;
  friend bool operator<(const Pair& a, const Pair& b) { return a.key < b.key; }
};

/// Gathers and sorts one stretch. Item: stretch.
template <class Real>
struct SortStretch {
  const Real* keys;
  const std::int32_t* values;
  Pair<Real>* pairs;
  long count;

  void operator()(Team, long item) const {
    const long first = item * kStretch, last = std::min(count, first + kStretch);
    for (long i = first; i < last; ++i) pairs[i] = {keys[i], values[i]};
    std::stable_sort(pairs + first, pairs + last);
  }
};

/// Merges two neighbours of `length` pairs, the last of which may be shorter or missing. Item: couple of neighbours.
template <class Real>
struct MergeNeighbours {
  const Pair<Real>* from;
  Pair<Real>* to;
  long count, length;

  void operator()(Team, long item) const {
    const long first = item * 2 * length, middle = std::min(count, first + length);
    const long last = std::min(count, middle + length);
    std::merge(from + first, from + middle, from + middle, from + last, to + first);
  }
};

}  // namespace

template <class Real>
void sort_pairs(Executor& executor, Real* keys, std::int32_t* values, long count) {
  const Buffer<Pair<Real>> memory(executor, 2 * static_cast<std::size_t>(count));
  Pair<Real>*sorted = memory.data(), *other = sorted + count;
  const auto pieces = [&](long length) { return (count + length - 1) / length; };
  host::launch(executor, {.items = pieces(kStretch)}, SortStretch<Real>{keys, values, sorted, count});
  for (long length = kStretch; length < count; length *= 2) {
    host::launch(executor, {.items = pieces(2 * length)}, MergeNeighbours<Real>{sorted, other, count, length});
    std::swap(sorted, other);
  }
  for (long i = 0; i < count; ++i) {
    keys[i] = sorted[i].key;
    values[i] = sorted[i].value;
  }
}

template void sort_pairs(Executor&, float*, std::int32_t*, long);
template void sort_pairs(Executor&, double*, std::int32_t*, long);

}  // namespace vida::host
