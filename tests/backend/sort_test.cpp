// A stable order is unique: whatever sorts, keys and values must be those of std::stable_sort, bit for bit.
#include "backend/sort.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "backends.hpp"

namespace vida {
namespace {

using namespace vida::testing;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// On either side of the warps, blocks and tiles of a GPU, and enough for several of each.
constexpr long kCounts[] = {0, 1, 2, 3, 31, 257, 4097, 200000};

template <class Real>
std::vector<Real> keys_of(long count, double (*key)(double)) {
  std::vector<Real> keys(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<Real>(key(static_cast<double>(i)));
  return keys;
}

/// Keys as integers, so that the zeros differ, and values.
template <class Real>
struct Sorted {
  using Bits = std::conditional_t<sizeof(Real) == 8, std::uint64_t, std::uint32_t>;
  std::vector<Bits> keys;
  std::vector<std::int32_t> values;
  bool operator==(const Sorted&) const = default;

  Sorted(const std::vector<Real>& real_keys, std::vector<std::int32_t> its_values) : values(std::move(its_values)) {
    for (const Real key : real_keys) keys.push_back(std::bit_cast<Bits>(key));
  }
};

std::vector<std::int32_t> positions(std::size_t count) {
  std::vector<std::int32_t> result(count);
  std::iota(result.begin(), result.end(), 0);
  return result;
}

template <class Real>
Sorted<Real> sorted_on(const Device& device, const std::vector<Real>& keys) {
  Executor& executor = device.executor();
  const auto on_device = uploaded(executor, keys);
  const auto values = uploaded(executor, positions(keys.size()));
  sort_pairs(executor, on_device.data(), values.data(), std::ssize(keys));
  return {on_device.download(), values.download()};
}

template <class Real>
Sorted<Real> expected(const std::vector<Real>& keys) {
  auto order = positions(keys.size());
  const auto key = [&](std::int32_t i) { return keys[static_cast<std::size_t>(i)]; };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return key(a) < key(b); });
  std::vector<Real> sorted;
  for (const std::int32_t i : order) sorted.push_back(key(i));
  return {sorted, order};
}

template <class Real>
void expect_stable_order(const Device& device, double (*key)(double)) {
  for (const long count : kCounts) {
    const auto keys = keys_of<Real>(count, key);
    EXPECT_TRUE(sorted_on(device, keys) == expected(keys)) << count << " keys of " << sizeof(Real) << " bytes";
  }
}

class SortPairs : public OnEveryBackend {
 protected:
  /// In both precisions, on one thread and on two.
  void expect_of(double (*key)(double)) const {
    for (const int threads : {1, 2}) {
      SCOPED_TRACE(threads);
      expect_stable_order<float>(device(threads), key);
      expect_stable_order<double>(device(threads), key);
    }
  }
};
VIDA_ON_EVERY_BACKEND(SortPairs);

TEST_P(SortPairs, GivesTheStableOrderOfKeysWithoutAnyOrder) {
  expect_of([](double i) { return 1e3 * std::sin(12.9898 * (i + 1)); });
}

TEST_P(SortPairs, GivesTheStableOrderOfKeysInOrder) {
  expect_of([](double i) { return i; });
  expect_of([](double i) { return -i; });
}

TEST_P(SortPairs, GivesTheStableOrderOfEqualKeys) {
  expect_of([](double) { return -2.5; });
  expect_of([](double i) { return std::floor(4 * std::sin(12.9898 * (i + 1))); });  // eight different ones
}

// Also subnormal numbers and the largest ones.
TEST_P(SortPairs, GivesTheStableOrderOfInfiniteKeysAndZerosOfEitherSign) {
  expect_of([](double i) {
    constexpr double kKeys[] = {0.0, -kInfinity, 1e-40, -0.0, kInfinity, -1e-40, 3e38, -3e38, -kInfinity};
    return kKeys[static_cast<int>(std::fmod(i * i + i / 3, 9.0))];
  });
}

TEST_P(SortPairs, TouchesNothingBeyondTheCount) {
  const Device on = device();
  const auto keys = uploaded(on.executor(), std::vector<double>{3, 2, 1, 0});
  const auto values = uploaded(on.executor(), std::vector<std::int32_t>{10, 11, 12, 13});
  sort_pairs(on.executor(), keys.data() + 1, values.data() + 1, 2);
  EXPECT_EQ(keys.download(), (std::vector<double>{3, 1, 2, 0}));
  EXPECT_EQ(values.download(), (std::vector<std::int32_t>{10, 12, 11, 13}));
}

}  // namespace
}  // namespace vida
