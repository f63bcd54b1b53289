#include "philox.cuh"

#include <gtest/gtest.h>

#include "backend/host/team.hpp"

namespace vida::kernels {
namespace {

template <int Count>
void expect_the_bits_of_random123() {
  const std::uint64_t seed = 0xfedcba9876543210;
  const std::uint32_t first = 0x14000003, second = 0xfffffffd, third = 7, fourth = 0x80000001;  // the second wraps
  const PhiloxBlocks<host::Team, Count> blocks(seed, first, second, third, fourth);
  for (std::uint32_t c = 0; c < Count; ++c) {
    const r123::Philox4x32::ctr_type expected =
        r123::Philox4x32{}({{first, second + c, third, fourth}}, {{0x76543210, 0xfedcba98}});
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(blocks.words[i][c], expected[i]) << c << " " << i;
  }
}

TEST(PhiloxBlocks, HaveTheBitsOfRandom123) {
  expect_the_bits_of_random123<1>();
  expect_the_bits_of_random123<host::kPackBytes / 8>();
  expect_the_bits_of_random123<host::kPackBytes / 4>();
}

}  // namespace
}  // namespace vida::kernels
