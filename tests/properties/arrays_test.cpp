#include "properties/draws.hpp"

namespace vida {
namespace {

using namespace vida::testing;

RC_GTEST_PROP(ArrayProperties, EveryIndexHasItsRowMajorPlace, ()) {
  const auto extents = draw_extents<3>(1, 5);
  Array<long, 3> array(extents);
  for (long e = 0; e < array.size(); ++e) array.data()[e] = e;
  long place = 0;
  for (long i = 0; i < extents[0]; ++i)
    for (long j = 0; j < extents[1]; ++j)
      for (long k = 0; k < extents[2]; ++k) RC_ASSERT(array(i, j, k) == place++);
  RC_ASSERT(place == element_count<3>(extents));
}

RC_GTEST_PROP(ArrayProperties, ASubarrayIsAWindowOntoItsWhole, ()) {
  const auto extents = draw_extents<3>(1, 5);
  auto array = draw_array<3>(extents);
  const long i = draw_long(0, extents[0] - 1), j = draw_long(0, extents[1] - 1), k = draw_long(0, extents[2] - 1);
  RC_ASSERT(&array[i](j, k) == &array(i, j, k));
  RC_ASSERT(&array[i][j][k] == &array(i, j, k));
  array[i][j][k] = 42;
  RC_ASSERT(array(i, j, k) == 42);
  RC_ASSERT(array[i].size() == extents[1] * extents[2]);
}

RC_GTEST_PROP(ArrayProperties, SubarraysInOrderAreTheWhole, ()) {
  const auto extents = draw_extents<2>(0, 6);
  const auto array = draw_array<2>(extents);
  std::vector<double> together;
  for (long i = 0; i < extents[0]; ++i) together.insert(together.end(), array[i].begin(), array[i].end());
  RC_ASSERT(together == std::vector<double>(array.begin(), array.end()));
}

RC_GTEST_PROP(ArrayProperties, ACopyIsEqualUntilOneOfItsNumbersChanges, ()) {
  const auto array = draw_array<2>(draw_extents<2>(1, 5));
  auto copy = array;
  RC_ASSERT(copy == array);
  double& changed = copy.data()[draw_long(0, copy.size() - 1)];
  changed = changed == 7 ? 8 : 7;
  RC_ASSERT(copy != array);
}

}  // namespace
}  // namespace vida
