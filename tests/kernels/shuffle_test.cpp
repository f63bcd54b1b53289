#include "shuffle.cuh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace vida::kernels {
namespace {

std::vector<std::uint32_t> order(std::uint64_t seed, std::uint32_t epoch, std::uint32_t count) {
  std::vector<std::uint32_t> result;
  for (std::uint32_t i = 0; i < count; ++i) result.push_back(shuffled(seed, epoch, i, count));
  return result;
}

TEST(Shuffle, TakesEveryExampleOnce) {
  for (const std::uint32_t count : {1u, 2u, 3u, 4u, 5u, 16u, 17u, 1000u, 60000u, 65536u, 65537u}) {
    auto sorted = order(7, 3, count);
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::uint32_t> expected(count);
    std::iota(expected.begin(), expected.end(), 0u);
    EXPECT_EQ(sorted, expected) << count;
  }
}

TEST(Shuffle, EpochsAndSeedsHaveOrdersOfTheirOwn) {
  const auto first = order(1, 0, 1000);
  EXPECT_EQ(first, order(1, 0, 1000));
  for (const auto& other : {order(1, 1, 1000), order(2, 0, 1000)}) {
    int same = 0;
    for (std::size_t i = 0; i < 1000; ++i) same += first[i] == other[i];
    EXPECT_LT(same, 10);  // one is expected
  }
}

/// Every example is everywhere equally often: chi-square over the positions of one of them, and over those of
/// neighbours.
TEST(Shuffle, HasNoPreferredPlaces) {
  constexpr std::uint32_t kCount = 20;
  constexpr int kEpochs = 20000;
  std::vector<int> at(kCount), distance(kCount);
  for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    const std::uint32_t a = shuffled(5, epoch, 3, kCount), b = shuffled(5, epoch, 4, kCount);
    ++at[a], ++distance[(b + kCount - a) % kCount];
  }
  const auto chi_square = [&](const std::vector<int>& counts, std::size_t first) {
    const double expected = static_cast<double>(kEpochs) / static_cast<double>(counts.size() - first);
    double sum = 0;
    for (std::size_t i = first; i < counts.size(); ++i) sum += std::pow(counts[i] - expected, 2) / expected;
    return sum;
  };
  EXPECT_LT(chi_square(at, 0), 50);  // 19 degrees of freedom: 43.8 once in a thousand
  EXPECT_EQ(distance[0], 0);
  EXPECT_LT(chi_square(distance, 1), 48);  // 18: 42.3
}

}  // namespace
}  // namespace vida::kernels
