// The list of filters as filtering/filter_methods.cpp gives it, without the kernels that it launches.
#include "filters/all.cuh"
#include "vida/assimilation.hpp"

namespace vida {
namespace {

FilterMethod method_of(const kernels::FilterTraits& traits) {
  return {traits.name, traits.description, traits.ensemble(), traits.localised(), traits.linear};
}

}  // namespace

const std::vector<FilterMethod>& filter_methods() {
#define VIDA_REAL double
#define VIDA_KERNEL(...) method_of(__VA_ARGS__::kTraits),
  static const std::vector<FilterMethod> methods = {
#include "filters.instances"
  };
#undef VIDA_KERNEL
#undef VIDA_REAL
  return methods;
}

}  // namespace vida
