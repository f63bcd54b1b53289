#include "vida/random.hpp"

#include "random.cuh"

namespace vida {

double standard_normal(const DrawKey& key, std::uint32_t index) {
  return kernels::standard_normal<double>(key.seed, static_cast<std::uint32_t>(key.stream), key.problem, key.step,
                                          index);
}

}  // namespace vida
