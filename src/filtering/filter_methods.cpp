#include "filtering/filter_methods.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "filters/all.cuh"
#include "vida/assimilation.hpp"

namespace vida {
namespace {

template <class Kernel>
FilterEntry<typename Kernel::Real> entry() {
  using Real = typename Kernel::Real;
  return {Kernel::kTraits,
          [](Executor& executor, long items, const kernels::FilterLaunch<Real>& launch_) {
            launch(executor, {.items = items, .scratch_bytes = Kernel::scratch_bytes(launch_.shape)}, Kernel{launch_});
          },
          &Kernel::scratch_bytes, &Kernel::state_elements};
}

template <class Real>
const std::vector<FilterEntry<Real>>& entries() {
#define VIDA_KERNEL(...) entry<__VA_ARGS__>(),
#define VIDA_REAL Real
  static const std::vector<FilterEntry<Real>> list = {
#include "filters.instances"
  };
#undef VIDA_REAL
#undef VIDA_KERNEL
  return list;
}

}  // namespace

template <class Real>
const FilterEntry<Real>& filter_entry(const std::string& method) {
  std::vector<std::string> names;
  for (const auto& one : entries<Real>()) {
    if (method == one.traits.name) return one;
    names.push_back(one.traits.name);
  }
  throw InvalidArgument(fmt::format("there is no filter \"{}\"; expected one of {}.", method, fmt::join(names, ", ")));
}

template const FilterEntry<float>& filter_entry<float>(const std::string&);
template const FilterEntry<double>& filter_entry<double>(const std::string&);

const std::vector<FilterMethod>& filter_methods() {
  static const std::vector<FilterMethod> methods = [] {
    std::vector<FilterMethod> list;
    for (const auto& one : entries<double>())
      list.push_back({one.traits.name, one.traits.description, one.traits.ensemble(), one.traits.localised(),
                      one.traits.linear});
    return list;
  }();
  return methods;
}

}  // namespace vida
