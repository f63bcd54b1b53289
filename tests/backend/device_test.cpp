#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends.hpp"
#include "vida/vida.hpp"

namespace vida {
namespace {

using ::testing::HasSubstr;

template <class Failure>
std::string message_of(const DeviceOptions& options) {
  try {
    Device device(options);
  } catch (const Failure& error) {
    return error.what();
  }
  return "";
}

TEST(DeviceChoice, TakesTheCpuWithTheThreadsAskedFor) {
  const Device device = Device::cpu(3);
  EXPECT_EQ(device.name(), "cpu");
  EXPECT_EQ(device.threads(), 3);
  EXPECT_FALSE(device.is_cuda());
  EXPECT_GE(Device::cpu().threads(), 1);
  EXPECT_GT(device.memory_limit(), 0u);
}

class NamedDevice : public testing::OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(NamedDevice);

TEST_P(NamedDevice, SaysWhatItIsAndKeepsTheMemoryLimitAskedFor) {
  EXPECT_EQ(device().is_cuda(), on_cuda());
  EXPECT_EQ(device().name(), on_cuda() ? "cuda:0" : "cpu");
  EXPECT_EQ(device(3).threads(), on_cuda() ? 1 : 3);
  EXPECT_FALSE(device().description().empty());
  EXPECT_GT(device().memory_limit(), 0u);
  EXPECT_EQ(Device({.name = GetParam(), .memory_limit = 12345}).memory_limit(), 12345u);
}

TEST(DeviceChoice, AutoWorksEverywhere) {
  const Device device;
  EXPECT_EQ(device.is_cuda(), cuda_status().devices > 0);
}

TEST(DeviceChoice, RefusesNamesItDoesNotKnow) {
  for (const char* name : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cudax"})
    EXPECT_THAT(message_of<InvalidArgument>({.name = name}), HasSubstr("expected auto, cpu, cuda or cuda:K")) << name;
  EXPECT_THAT(message_of<InvalidArgument>({.name = "cpu", .threads = -1}), HasSubstr("--threads -1"));
}

TEST(DeviceChoice, SaysWhyThereIsNoGpu) {
  if (cuda_status().devices > 0) GTEST_SKIP() << "this machine has a GPU";
  const std::string message = message_of<DeviceError>({.name = "cuda"});
  EXPECT_THAT(message, HasSubstr("--device cuda"));
  EXPECT_THAT(message, HasSubstr("--device cpu"));
  EXPECT_FALSE(cuda_status().reason.empty());
}

}  // namespace
}  // namespace vida
