#pragma once

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "vida/array.hpp"

/// What properties are tried on. A failing property prints the seed (RC_PARAMS) and the smallest case that fails.
namespace vida::testing {

inline long draw_long(long low, long high) { return *rc::gen::inRange(low, high + 1); }

/// Extents that each lie in low .. high.
template <int Rank>
Extents<Rank> draw_extents(long low, long high) {
  Extents<Rank> extents{};
  for (long& extent : extents) extent = draw_long(low, high);
  return extents;
}

/// Any finite number, with the odd ones among them.
inline double draw_number() {
  const double any = *rc::gen::element(0.0, -0.0, 1.0, -2.5, 1e-300, 1e300, std::numeric_limits<double>::denorm_min(),
                                       std::numeric_limits<double>::max(), 1.0 / 3);
  return *rc::gen::inRange(0, 2) ? any : static_cast<double>(*rc::gen::inRange(-1000000, 1000001)) / 1024;
}

template <int Rank>
Array<double, Rank> draw_array(const Extents<Rank>& extents) {
  Array<double, Rank> array(extents);
  for (double& value : array) value = draw_number();
  return array;
}

/// Letters, digits and some that formats treat in their own way.
inline std::string draw_text() {
  return *rc::gen::container<std::string>(rc::gen::elementOf(std::string("abcXYZ019 _-.#=[]{}'\"\\\n\t\x7f")));
}

}  // namespace vida::testing
