// What only a shim can show of a sort: it runs later than its call, and what it reads and writes is checked.

#include "backend/sort.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "shim.hpp"
#include "vida/vida.hpp"

namespace vida {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SortOnShim : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override { cuda_shim::reset({.seed = GetParam()}); }
  Device device_{{.name = "cuda"}};
  Executor& executor_ = device_.executor();
};

TEST_P(SortOnShim, ItsMemoryMayBeReleasedBeforeItRuns) {
  const auto keys = uploaded(executor_, std::vector<double>{3, 1, 2});
  const auto values = uploaded(executor_, std::vector<std::int32_t>{0, 1, 2});
  sort_pairs(executor_, keys.data(), values.data(), 3);
  sort_pairs(executor_, keys.data(), values.data(), 3);
}

TEST_P(SortOnShim, IsOrderedWithWhatStandsAroundIt) {
  const auto keys = uploaded(executor_, std::vector<float>{3, 1, 2});
  const auto values = uploaded(executor_, std::vector<std::int32_t>{0, 1, 2});
  executor_.clear(keys.data(), sizeof(float));
  sort_pairs(executor_, keys.data(), values.data(), 3);
  executor_.clear(values.data() + 2, sizeof(std::int32_t));
  EXPECT_THAT(keys.download(), ElementsAre(0, 1, 2));
  EXPECT_THAT(values.download(), ElementsAre(0, 1, 0));
}

INSTANTIATE_TEST_SUITE_P(Seeds, SortOnShim, ::testing::Range<std::uint64_t>(1, 7));

/// The finding when `count` of three keys and three values are sorted.
std::string finding(long count, bool keys_are_written) {
  cuda_shim::reset();
  const Device device({.name = "cuda"});
  Executor& executor = device.executor();
  Buffer<double> keys(executor, 3);
  if (keys_are_written) keys.clear();
  const auto values = uploaded(executor, std::vector<std::int32_t>{0, 1, 2});
  EXPECT_THROW(
      {
        sort_pairs(executor, keys.data(), values.data(), count);
        executor.wait();
      },
      DeviceError);
  const auto reports = cuda_shim::take_reports();
  return reports.empty() ? "" : reports.front();
}

TEST(SortFindings, NameWhatIsWrong) {
  EXPECT_THAT(finding(4, true), HasSubstr("a sort reads keys of 32 bytes from byte 31 of device allocation"));
  EXPECT_THAT(finding(3, false), HasSubstr("a sort reads a key that is NaN"));
}

}  // namespace
}  // namespace vida
