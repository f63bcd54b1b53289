// Whatever CUDA call fails, the user gets one typed error, nothing leaks, and the next run is right.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "shim.hpp"
#include "workloads.hpp"

namespace {

using ::testing::HasSubstr;
using workloads::Workload;

/// "" when the workload succeeds; otherwise the kind of vida's error and its message.
std::string error_of(const Workload& workload, std::vector<double>* numbers = nullptr) {
  try {
    auto result = workload.run(vida::Device({.name = "cuda"}));
    if (numbers) *numbers = std::move(result);
    return "";
  } catch (const vida::OutOfMemory& error) {
    return std::string("OutOfMemory: ") + error.what();
  } catch (const vida::DeviceError& error) {
    return std::string("DeviceError: ") + error.what();
  }
}

bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

class Faults : public ::testing::TestWithParam<Workload> {
 protected:
  /// Fails the k-th call of a kind, for every k until the workload no longer makes so many.
  template <class Plant>
  void fail_each(Plant plant, const std::string& expected) {
    const std::size_t before = cuda_shim::live_allocations();
    long k = 1;
    for (;; ++k) {
      cuda_shim::Settings settings{.log = false};
      plant(settings, k);
      cuda_shim::reset(settings);
      const std::string error = error_of(GetParam());
      EXPECT_EQ(cuda_shim::live_allocations(), before) << "leak after failure " << k;
      EXPECT_THAT(cuda_shim::take_reports(), ::testing::IsEmpty());
      if (error.empty()) break;
      ASSERT_THAT(error, HasSubstr(expected)) << "failure " << k;
      ASSERT_LT(k, 1000);
    }
    EXPECT_GT(k, 1) << "nothing failed";
  }
};

/// The memory of a chunk that was refused is taken for a smaller one, with the same bits; everything else is an error.
TEST_P(Faults, OutOfMemoryAtAnyAllocation) {
  const std::size_t before = cuda_shim::live_allocations();
  cuda_shim::reset({.log = false});
  const auto expected = GetParam().run(vida::Device({.name = "cuda"}));
  const long count = cuda_shim::allocations();
  ASSERT_GT(count, 0);
  for (long k = 1; k <= count; k += 1 + count / 100) {
    cuda_shim::reset({.log = false, .failing_allocation = k});
    std::vector<double> numbers;
    const std::string error = error_of(GetParam(), &numbers);
    EXPECT_EQ(cuda_shim::live_allocations(), before) << "leak after failure " << k;
    EXPECT_THAT(cuda_shim::take_reports(), ::testing::IsEmpty());
    if (error.empty())
      EXPECT_TRUE(std::equal(numbers.begin(), numbers.end(), expected.begin(), expected.end(), same_number))
          << "failure " << k;
    else
      EXPECT_THAT(error, HasSubstr("OutOfMemory: allocating ")) << "failure " << k;
  }
}

TEST_P(Faults, FailureOfAnyLaunch) {
  fail_each([](auto& settings, long k) { settings.failing_launch = k; }, "DeviceError: launching a kernel");
}

TEST_P(Faults, FailureOfAnyCopy) {
  fail_each([](auto& settings, long k) { settings.failing_copy = k; }, "DeviceError: copying ");
}

TEST_P(Faults, LossOfTheDeviceAtAnyOperation) {
  fail_each([](auto& settings, long k) { settings.lost_at = k; }, "DeviceError: ");
}

TEST_P(Faults, LeaveNothingBehindForTheNextRun) {
  const auto expected = GetParam().run(vida::Device({.name = "cuda"}));
  cuda_shim::reset({.lost_at = 3});
  EXPECT_THAT(error_of(GetParam()), HasSubstr("DeviceError"));
  cuda_shim::reset();
  EXPECT_EQ(GetParam().run(vida::Device({.name = "cuda"})).size(), expected.size());
  EXPECT_EQ(error_of(GetParam()), "");
}

TEST_P(Faults, TooLittleDeviceMemory) {
  cuda_shim::reset({.memory = 256});
  EXPECT_THAT(error_of(GetParam()), HasSubstr("OutOfMemory"));
}

TEST(Limits, OfRegistersAreKept) {
  cuda_shim::reset({.lanes = 1024});
  EXPECT_THAT(error_of(workloads::all().front()), HasSubstr("too many resources requested for launch"));
  EXPECT_THAT(cuda_shim::take_reports(), ::testing::ElementsAre(HasSubstr("1024 lanes of ")));
}

/// Faults do not know the precision: where a workload has both, that of double is enough.
std::vector<Workload> of_one_precision() {
  std::vector<Workload> chosen = workloads::all();
  std::erase_if(chosen,
                [](const Workload& one) { return !one.with_faults || std::string(one.name).ends_with("_float32"); });
  return chosen;
}

INSTANTIATE_TEST_SUITE_P(Kernels, Faults, ::testing::ValuesIn(of_one_precision()),
                         [](const auto& info) { return info.param.name; });

TEST(NoGpu, IsOneClearMessage) {
  const Workload& any = workloads::all().front();
  cuda_shim::reset({.devices = -1});
  EXPECT_THAT(error_of(any), HasSubstr("no CUDA driver was found"));
  EXPECT_FALSE(vida::Device().is_cuda());
  cuda_shim::reset({.devices = 0});
  EXPECT_THAT(error_of(any), HasSubstr("no CUDA-capable device is detected"));
}

TEST(SeveralGpus, EachRunsOnItsOwn) {
  cuda_shim::reset({.devices = 2});
  const Workload& any = workloads::all().front();
  const auto expected = any.run(vida::Device({.name = "cuda:0"}));
  EXPECT_EQ(any.run(vida::Device({.name = "cuda:1"})).size(), expected.size());
  EXPECT_THROW(vida::Device({.name = "cuda:2"}), vida::DeviceError);
}

}  // namespace
