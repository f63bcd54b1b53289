#include "column_normals.cuh"

#include <gtest/gtest.h>

#include <vector>

#include "backend/host/team.hpp"

namespace vida::kernels {
namespace {

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
