// Linked into every test program of a shim build: a test fails when the shim found something, or when device memory
// that the test took is still there after it.

#include <gtest/gtest.h>

#include "shim.hpp"

namespace {

class Listener : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo&) override {
    cuda_shim::reset();
    before_ = cuda_shim::live_allocations();
  }
  void OnTestEnd(const ::testing::TestInfo&) override {
    for (const std::string& finding : cuda_shim::take_reports()) ADD_FAILURE() << "cuda_shim: " << finding;
    EXPECT_LE(cuda_shim::live_allocations(), before_) << "cuda_shim: device memory was not freed";
  }
  std::size_t before_ = 0;
};

[[maybe_unused]] const bool listening = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new Listener);
  return true;
}();

}  // namespace
