// What the CUDA executor promises beyond a single kernel: memory may be released while queued work uses it, and kernels
// whose scratch exceeds a block's shared memory get it from device memory.

#include <gtest/gtest.h>

#include <bit>
#include <numeric>

#include "backend/executor.hpp"
#include "ekf.cuh"
#include "ensemble_steps.cuh"
#include "scratch_kernel.hpp"
#include "shim.hpp"
#include "vida/vida.hpp"

namespace vida {
namespace {

constexpr int kSize = 8;

/// Queues the inversion of `count` matrices, 2 I each, with at least `scratch` bytes for each team.
void queue_inverses(Executor& executor, Buffer<double>& matrices, Buffer<double>& log_determinants, long count,
                    std::size_t scratch = 0) {
  std::vector<double> host(static_cast<std::size_t>(count * kSize * kSize));
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = i % (kSize * kSize) % (kSize + 1) == 0 ? 2 : 0;
  matrices.upload(host);
  kernels::GainShape shape{};
  shape.n = shape.p = shape.ld = shape.lp = shape.rows = shape.prows = kSize;
  using Kernel = kernels::InvertCovariances<double>;
  launch(executor, {.items = count, .scratch_bytes = std::max(scratch, Kernel::scratch_bytes(shape))},
         Kernel{kSize, kSize, kSize, matrices.data(), log_determinants.data()});
}

std::size_t elements(long count) { return static_cast<std::size_t>(count * kSize * kSize); }

class OnShim : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override { cuda_shim::reset({.seed = GetParam()}); }
};

TEST_P(OnShim, MemoryMayBeReleasedBeforeItsWorkIsDone) {
  const Device device({.name = "cuda"});
  Buffer<double> matrices(device.executor(), elements(1)), log_determinants(device.executor(), 1);
  queue_inverses(device.executor(), matrices, log_determinants, 1);
}

TEST_P(OnShim, ScratchInDeviceMemoryGrowsBehindQueuedWork) {
  const Device device({.name = "cuda"});
  Buffer<double> matrices(device.executor(), elements(3)), log_determinants(device.executor(), 3);
  for (const std::size_t scratch : {300u << 10, 700u << 10, 300u << 10})
    queue_inverses(device.executor(), matrices, log_determinants, 3, scratch);
  for (const double inverse : matrices.download()) EXPECT_TRUE(inverse == 0.5 || inverse == 0);
  for (const double value : log_determinants.download()) EXPECT_NEAR(value, kSize * std::log(2.0), 1e-14);
}

TEST_P(OnShim, ATeamMayWorkSeveralItemsOneAfterTheOther) {
  cuda_shim::reset({.seed = GetParam(), .blocks = 1});
  const Device device({.name = "cuda"});
  Buffer<double> out(device.executor(), 3 * 128);
  cuda::launch(device.executor(), {.items = 3, .scratch_bytes = 300 << 10}, kernels::Neighbours{out.data()});
  const auto values = out.download();
  for (int item = 0; item < 3; ++item)
    for (int lane = 0; lane < 128; ++lane)
      EXPECT_EQ(values[static_cast<std::size_t>(item * 128 + lane)], item * 1000 + (lane + 1) % 128);
}

INSTANTIATE_TEST_SUITE_P(Seeds, OnShim, ::testing::Range<std::uint64_t>(1, 7));

/// Members advanced by a launch of one block whose lanes go through all of them.
TEST(LaneKernels, WorkAllMembersWithFewBlocks) {
  const auto advanced_on = [](const Device& device) {
    constexpr long kMembers = 512;
    std::vector<double> start(8 * kMembers);
    for (std::size_t i = 0; i < start.size(); ++i) start[i] = 8 * std::sin(static_cast<double>(i));
    Executor& executor = device.executor();
    const auto states = uploaded(executor, start);
    launch_lanes(executor, kMembers,
                 kernels::EnsembleLanes<double, 8>{states.data(), states.data(), kMembers, 3, 0.05, 8.0});
    return states.download();
  };
  const auto expected = advanced_on(Device::cpu(1));
  cuda_shim::reset({.lanes = 33, .blocks = 2});
  EXPECT_EQ(advanced_on(Device({.name = "cuda"})), expected);
}

/// So large that no kernel of the gain fits shared memory.
TEST(Spill, GivesTheBitsOfTheCpu) {
  const int n = 100;
  Vector mean({n});
  std::iota(mean.begin(), mean.end(), 0.0);
  for (double& value : mean) value = 3 * std::sin(value);
  const StateSpaceModel system{.model = Lorenz96{.n = n},
                               .steps_per_cycle = 1,
                               .process_noise = scaled_identity(n, 0.1),
                               .observation_operator = scaled_identity(n, 1.0),
                               .observation_noise = scaled_identity(n, 1.0),
                               .initial_mean = mean,
                               .initial_covariance = scaled_identity(n, 1.0)};
  const TwinOptions twins[]{{.cycles = 4}};
  const FilterProblem problem{.system = system, .data = simulate(Device::cpu(1), {&system, 1}, twins).front()};
  const Matrix gain = scaled_identity(n, 0.4);
  const auto gradient_on = [&](const Device& device) {
    return GainObjective(device, {&problem, 1}).evaluate({&gain, 1}).front();
  };
  const GainValue expected = gradient_on(Device::cpu(2));
  cuda_shim::reset({.blocks = 1});  // one block works every item: the loop over items is part of the test
  const GainValue value = gradient_on(Device({.name = "cuda"}));
  EXPECT_TRUE(std::isfinite(value.cost));
  EXPECT_EQ(value.cost, expected.cost);
  EXPECT_TRUE(std::equal(value.gradient.begin(), value.gradient.end(), expected.gradient.begin()));
}

}  // namespace
}  // namespace vida
