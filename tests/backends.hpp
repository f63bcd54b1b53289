#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vida/device.hpp"

namespace vida::testing {

/// A test that every backend of the build must pass: TEST_P(OnEveryBackend, ...) gives .../cpu and .../cuda. The latter
/// runs on a GPU, or on tests/cuda_shim in a build for it; without either it is skipped.
class OnEveryBackend : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (on_cuda() && cuda_status().devices == 0) GTEST_SKIP() << "no GPU: " << cuda_status().reason;
  }
  bool on_cuda() const { return GetParam() == "cuda"; }
  Device device(int threads = 2) const { return Device({.name = GetParam(), .threads = threads}); }
};

inline std::vector<std::string> backends() {
#if VIDA_HAS_CUDA
  return {"cpu", "cuda"};
#else
  return {"cpu"};
#endif
}

/// Names the instances of a fixture derived from OnEveryBackend.
#define VIDA_ON_EVERY_BACKEND(Suite)                                                         \
  INSTANTIATE_TEST_SUITE_P(Backend, Suite, ::testing::ValuesIn(::vida::testing::backends()), \
                           [](const auto& instance) { return instance.param; })

/// Whether the CUDA backend runs on tests/cuda_shim, some hundred times slower than a CPU: full-size tests shrink
/// there.
inline constexpr bool kOnShim = VIDA_CUDA_SHIM;

}  // namespace vida::testing
