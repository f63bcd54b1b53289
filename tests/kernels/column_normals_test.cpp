#include "column_normals.cuh"

#include <gtest/gtest.h>

#include <vector>

#include "backend/host/team.hpp"

namespace vida::kernels {
namespace {

template <class Real>
void compare_uniforms() {
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{0xfedcba9876543210}})
    for (const int index : {0, 3, 100'000})
      for (const int column : {0, 8, 1000}) {
        const DrawAddress address{seed, 18, 0xffffffff, 7};
        Real first[8], second[8];
        column_uniforms(address, index, column, first, second);
        for (int k = 0; k < 8; ++k) {
          Real one[1], other[1];
          column_uniforms(address, index, column + k, one, other);
          EXPECT_EQ(first[k], one[0]) << seed << " " << index << " " << column + k;
          EXPECT_EQ(second[k], other[0]) << seed << " " << index << " " << column + k;
        }
      }
}

TEST(ColumnUniforms, OfEightColumnsAreThoseOfEachByItself) {
  compare_uniforms<double>();
  compare_uniforms<float>();
}

TEST(ColumnNormals, DoNotDependOnHowManyThereAre) {
  const DrawAddress address{5, 18, 2, 9};
  constexpr int ld = 64;
  std::vector<double> many(12 * ld), few(12 * ld, -77);
  column_normals(host::Team(nullptr), 12, 50, address, many.data(), ld);
  column_normals(host::Team(nullptr), 7, 21, address, few.data(), ld);
  for (std::size_t row = 0; row < 7; ++row)
    for (std::size_t column = 0; column < 21; ++column) EXPECT_EQ(few[row * ld + column], many[row * ld + column]);
  EXPECT_EQ(few[7 * ld], -77);       // no row more than asked for
  EXPECT_EQ(few[6 * ld + 32], -77);  // and no column beyond the packs
}

}  // namespace
}  // namespace vida::kernels
