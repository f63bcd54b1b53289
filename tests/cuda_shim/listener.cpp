// Linked into every test program of a shim build: a test fails when the shim found something, or when device memory
// that the test took is still there after it.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "shim.hpp"

namespace {

class Listener : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo&) override {
    cuda_shim::reset();
    before_ = cuda_shim::live_allocations();
  }
  void OnTestEnd(const ::testing::TestInfo& test) override {
    if (const char* path = std::getenv("VIDA_SHIM_SITES")) {
      std::ofstream file(path, std::ios::app);
      for (const std::string& site : cuda_shim::sites())
        file << site << '\t' << test.test_suite_name() << '.' << test.name() << '\n';
    }
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
