// The shim finds what it is there to find, and nothing else. Each test says which fault it plants.

#include "shim.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "toy_kernels.hpp"

namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using toy::Kind;

constexpr int kLanes = 8;
constexpr std::size_t kBytes = kLanes * sizeof(double);

class Shim : public ::testing::Test {
 protected:
  void SetUp() override { start({}); }
  void TearDown() override {
    cuda_shim::take_reports();
    cuda_shim::reset();
    if (in_) cudaFree(in_);
    if (out_) cudaFree(out_);
    cudaStreamDestroy(stream_);
  }
  void start(const cuda_shim::Settings& settings) {
    cuda_shim::reset(settings);
    if (!stream_) cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
    if (!in_) in_ = allocate();
    if (!out_) out_ = allocate();
    const std::vector<double> numbers{1, 2, 3, 4, 5, 6, 7, 8};
    ASSERT_EQ(cudaMemcpyAsync(in_, numbers.data(), kBytes, cudaMemcpyHostToDevice, stream_), cudaSuccess);
    ASSERT_EQ(wait(), cudaSuccess);
  }
  static double* allocate() {
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, kBytes), cudaSuccess);
    return static_cast<double*>(memory);
  }
  cudaError_t wait() { return cudaStreamSynchronize(stream_); }
  cudaError_t launch(Kind kind, int blocks = 1, int lanes = kLanes, std::size_t shared = kBytes) {
    return toy::launch({kind, in_, out_, kLanes}, blocks, lanes, shared, stream_);
  }
  cudaError_t run(Kind kind, int blocks = 1) {
    const cudaError_t error = launch(kind, blocks);
    return error == cudaSuccess ? wait() : error;
  }
  std::vector<double> result() {
    std::vector<double> host(kLanes, -1);
    EXPECT_EQ(cudaMemcpyAsync(host.data(), out_, kBytes, cudaMemcpyDeviceToHost, stream_), cudaSuccess);
    EXPECT_EQ(wait(), cudaSuccess);
    return host;
  }
  std::string finding() {
    const auto reports = cuda_shim::take_reports();
    EXPECT_EQ(reports.size(), 1u);
    return reports.empty() ? "" : reports.front();
  }

  cudaStream_t stream_ = nullptr;
  double *in_ = nullptr, *out_ = nullptr;
};

TEST_F(Shim, RunsAKernelThatIsRight) {
  EXPECT_EQ(run(Kind::sum), cudaSuccess);
  EXPECT_EQ(result()[0], 36);
  EXPECT_EQ(run(Kind::twice), cudaSuccess);
  EXPECT_THAT(result(), ElementsAre(3, 5, 7, 9, 11, 13, 15, 9));
  EXPECT_THAT(cuda_shim::take_reports(), IsEmpty());
}

TEST_F(Shim, FindsAMissingBarrier) {
  EXPECT_EQ(run(Kind::sum_without_barrier), cudaErrorLaunchFailure);
  EXPECT_THAT(finding(),
              AllOf(HasSubstr("toy::Arguments: block 0, lane "), HasSubstr("of shared memory at toy_kernels.cu:"),
                    HasSubstr("no barrier stands in between"), HasSubstr("(seed 1)")));
}

TEST_F(Shim, FindsLanesThatWriteToOnePlace) {
  EXPECT_EQ(run(Kind::every_lane_writes), cudaErrorLaunchFailure);
  EXPECT_THAT(finding(), AllOf(HasSubstr("writes byte 0 of device allocation"), HasSubstr("wrote at toy_kernels.cu:")));
}

TEST_F(Shim, FindsBlocksThatWriteToOnePlace) {
  EXPECT_EQ(run(Kind::every_block_writes, 2), cudaErrorLaunchFailure);
  EXPECT_THAT(finding(), HasSubstr("which block "));
}

TEST_F(Shim, FindsLanesAtDifferentBarriers) {
  EXPECT_EQ(run(Kind::two_barriers), cudaErrorLaunchFailure);
  EXPECT_THAT(finding(), AllOf(HasSubstr("lane 0, 1, 2 at toy_kernels.cu:"),
                               HasSubstr("lane 3, 4, 5, 6, ... (5 lanes) at toy_kernels.cu:")));
}

TEST_F(Shim, FindsALaneThatReturnedBeforeTheBarrier) {
  EXPECT_EQ(run(Kind::early_return), cudaErrorLaunchFailure);
  EXPECT_THAT(finding(), HasSubstr("lane 0 returned"));
}

TEST_F(Shim, FillsSharedAndDeviceMemoryWithNan) {
  for (const double value : result()) EXPECT_TRUE(std::isnan(value));
  EXPECT_EQ(run(Kind::first_of_shared), cudaSuccess);
  const auto values = result();
  std::uint64_t bits = 0;
  std::memcpy(&bits, &values[3], sizeof(bits));
  EXPECT_EQ(bits, 0x7FF400007FA00000u) << "a signalling NaN";
  float halves[2];
  std::memcpy(halves, &values[3], sizeof(halves));
  EXPECT_TRUE(std::isnan(halves[0]) && std::isnan(halves[1]));
}

TEST_F(Shim, FindsAccessBeyondAnEnd) {
  for (const bool log : {true, false}) {
    start({.log = log});
    EXPECT_EQ(run(Kind::beyond_shared), cudaErrorLaunchFailure);
    EXPECT_THAT(finding(), HasSubstr(log ? "byte 64 of 64 of shared memory" : "beyond its 64 bytes"));
    start({.log = log});
    run(Kind::beyond_device);
    EXPECT_THAT(finding(), HasSubstr("beyond its end"));
  }
}

TEST_F(Shim, FindsUseAfterFree) {
  double* const stale = std::exchange(in_, nullptr);
  cudaFree(stale);
  toy::launch({Kind::reads_in, stale, out_, kLanes}, 1, kLanes, 0, stream_);
  EXPECT_EQ(wait(), cudaErrorLaunchFailure);
  EXPECT_THAT(finding(), HasSubstr("which is freed"));
  cuda_shim::reset();
  double host[kLanes];
  cudaMemcpyAsync(host, stale, kBytes, cudaMemcpyDeviceToHost, stream_);
  EXPECT_EQ(wait(), cudaErrorIllegalAddress);
  EXPECT_THAT(finding(), AllOf(HasSubstr("a copy reads 64 bytes"), HasSubstr("which is freed")));
}

TEST_F(Shim, FindsAKernelThatReadsHostMemory) {
  const std::vector<double> host(kLanes);
  toy::launch({Kind::reads_in, host.data(), out_, kLanes}, 1, kLanes, 0, stream_);
  EXPECT_EQ(wait(), cudaErrorLaunchFailure);
  EXPECT_THAT(finding(), HasSubstr("reads host memory"));
}

using ShimDeathTest = Shim;
TEST_F(ShimDeathTest, StopsHostCodeThatTouchesDeviceMemory) {
  EXPECT_EXIT(*static_cast<volatile double*>(out_) = 1, ::testing::ExitedWithCode(86),
              "host code touched byte 0 of device allocation");
}

TEST_F(Shim, FindsWrongCopies) {
  double host[2 * kLanes] = {};
  EXPECT_EQ(cudaMemcpyAsync(host, in_, kBytes, cudaMemcpyHostToDevice, stream_), cudaErrorInvalidMemcpyDirection);
  EXPECT_THAT(finding(), HasSubstr("the other side"));
  cudaMemcpyAsync(host, in_, kBytes + 8, cudaMemcpyDeviceToHost, stream_);
  EXPECT_EQ(wait(), cudaErrorIllegalAddress);
  EXPECT_THAT(finding(), HasSubstr("8 beyond its end"));
  cuda_shim::reset();
  EXPECT_EQ(cudaFree(in_ + 1), cudaErrorInvalidValue);
  EXPECT_THAT(finding(), HasSubstr("not a live allocation"));
}

TEST_F(Shim, RunsWorkLaterThanTheCall) {
  std::set<double> seen;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    start({.seed = seed});
    double host = -1;
    cudaMemcpyAsync(&host, in_, sizeof(host), cudaMemcpyDeviceToHost, stream_);
    seen.insert(host);
    wait();
    EXPECT_EQ(host, 1);
  }
  EXPECT_THAT(seen, ElementsAre(-1, 1)) << "without waiting, either happens";
}

TEST_F(Shim, OrdersStreamsOnlyByEvents) {
  for (const bool with_event : {false, true}) {
    std::set<double> seen;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      start({.seed = seed});
      cudaStream_t other = nullptr;
      cudaEvent_t event = nullptr;
      ASSERT_EQ(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking), cudaSuccess);
      ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDefault), cudaSuccess);
      double host = -1;
      launch(Kind::sum);
      if (with_event) {
        cudaEventRecord(event, stream_);
        cudaStreamWaitEvent(other, event, 0);
      }
      cudaMemsetAsync(out_, 0, kBytes, other);
      cudaStreamSynchronize(other);
      wait();
      cudaMemcpyAsync(&host, out_, sizeof(host), cudaMemcpyDeviceToHost, stream_);
      wait();
      seen.insert(host);
      cudaEventDestroy(event);
      cudaStreamDestroy(other);
    }
    if (with_event)
      EXPECT_THAT(seen, ElementsAre(0));
    else
      EXPECT_THAT(seen, ElementsAre(0, 36));
  }
}

TEST_F(Shim, TimesEvents) {
  cudaEvent_t start_event = nullptr, end_event = nullptr;
  cudaEventCreateWithFlags(&start_event, cudaEventDefault);
  cudaEventCreateWithFlags(&end_event, cudaEventDefault);
  cudaEventRecord(start_event, stream_);
  launch(Kind::sum);
  cudaEventRecord(end_event, stream_);
  EXPECT_EQ(cudaEventSynchronize(end_event), cudaSuccess);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start_event, end_event), cudaSuccess);
  EXPECT_GT(milliseconds, 0);
  cudaEventDestroy(start_event);
  cudaEventDestroy(end_event);
}

TEST_F(Shim, ReplaysCapturedGraphs) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaMemsetAsync(out_, 0, kBytes, stream_), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
  launch(Kind::reads_in);
  cudaMemcpyAsync(in_, out_ + 1, kBytes - 8, cudaMemcpyDeviceToDevice, stream_);
  EXPECT_EQ(wait(), cudaErrorStreamCaptureUnsupported);
  EXPECT_THAT(finding(), HasSubstr("captures"));
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 8), cudaErrorStreamCaptureUnsupported);
  EXPECT_THAT(finding(), HasSubstr("captures"));
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  EXPECT_THAT(result(), ::testing::Each(0)) << "a captured stream computes nothing";
  EXPECT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  EXPECT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  EXPECT_THAT(result(), ElementsAre(2, 3, 4, 5, 6, 7, 8, 8));
  cudaGraphExecDestroy(executable);
  cudaGraphDestroy(graph);
}

TEST_F(Shim, KeepsTheLimitsOfADevice) {
  EXPECT_EQ(launch(Kind::sum, 1, 1025), cudaErrorInvalidConfiguration);
  EXPECT_THAT(finding(), HasSubstr("1025 lanes"));
  EXPECT_EQ(launch(Kind::sum, 0), cudaErrorInvalidConfiguration);
  EXPECT_THAT(finding(), HasSubstr("0 blocks"));
  EXPECT_EQ(launch(Kind::sum, 1, kLanes, 49 * 1024), cudaErrorInvalidValue);
  EXPECT_THAT(finding(), HasSubstr("49152 are allowed"));
  EXPECT_EQ(toy::opt_in(228 * 1024), cudaErrorInvalidValue);
  EXPECT_EQ(toy::opt_in(227 * 1024), cudaSuccess);
  EXPECT_EQ(launch(Kind::sum, 1, kLanes, 227 * 1024), cudaSuccess);
  EXPECT_EQ(wait(), cudaSuccess);
  EXPECT_EQ(toy::opt_in(48 * 1024), cudaSuccess);
  EXPECT_EQ(toy::launch({Kind::sum, in_, out_, kLanes}, 1, kLanes, kBytes, nullptr), cudaErrorInvalidResourceHandle);
  EXPECT_THAT(finding(), HasSubstr("default stream"));
  cudaStream_t blocking = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&blocking, 0), cudaErrorInvalidValue);
  EXPECT_THAT(finding(), HasSubstr("blocking stream"));
}

TEST_F(Shim, ForcesBlockSizes) {
  start({.lanes = 3, .blocks = 1});
  EXPECT_EQ(run(Kind::every_block_writes, 5), cudaSuccess) << "one block is left";
  cudaMemsetAsync(out_, 0, kBytes, stream_);
  EXPECT_EQ(run(Kind::reads_in), cudaSuccess);
  EXPECT_THAT(result(), ElementsAre(1, 2, 3, 0, 0, 0, 0, 0));
}

TEST_F(Shim, ShufflesLanesAnewAndRepeatably) {
  const auto order = [&](std::uint64_t seed) {
    start({.seed = seed, .log = false});
    EXPECT_EQ(run(Kind::order), cudaSuccess);
    return result();
  };
  const auto first = order(5);
  EXPECT_EQ(order(5), first);
  EXPECT_NE(order(6), first);
  EXPECT_THAT(first, ::testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST_F(Shim, FailsOnDemand) {
  start({.failing_allocation = 2});
  void *first = nullptr, *second = nullptr;
  EXPECT_EQ(cudaMalloc(&first, 8), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&second, 8), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&second, cuda_shim::settings().memory), cudaErrorMemoryAllocation) << "larger than what is free";
  EXPECT_EQ(cudaFree(first), cudaSuccess);
  start({.failing_launch = 2});
  EXPECT_EQ(run(Kind::sum), cudaSuccess);
  EXPECT_EQ(launch(Kind::sum), cudaErrorLaunchOutOfResources);
  start({.lost_at = 2});  // the first operation is the copy in start()
  EXPECT_EQ(run(Kind::sum), cudaErrorDevicesUnavailable);
  EXPECT_EQ(wait(), cudaErrorDevicesUnavailable) << "for good";
  cuda_shim::reset({.devices = -1});
  int count = 7;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  EXPECT_EQ(count, 0);
}

TEST_F(Shim, CountsWhatIsNotFreed) {
  const std::size_t before = cuda_shim::live_allocations();
  double* const memory = allocate();
  EXPECT_EQ(cuda_shim::live_allocations(), before + 1);
  cudaFree(memory);
  EXPECT_EQ(cuda_shim::live_allocations(), before);
}

TEST_F(Shim, TurnsOffOneSiteAsAMutant) {
  run(Kind::sum);
  EXPECT_THAT(cuda_shim::sites(), Contains("shared toy::Arguments"));
  EXPECT_THAT(cuda_shim::sites(), Contains(HasSubstr("wait 0x")));
  run(Kind::twice);
  int noticed = 0;
  for (const auto sites = cuda_shim::sites(); const std::string& site : sites) {
    if (site.rfind("barrier ", 0) != 0) continue;
    start({.mutant = site});
    if (run(Kind::sum) == cudaSuccess) continue;
    ++noticed;
    EXPECT_THAT(finding(), HasSubstr("no barrier stands in between"));
  }
  EXPECT_EQ(noticed, 1) << "of two barriers the kernel has one";
  start({.mutant = "shared toy::Arguments"});
  EXPECT_EQ(run(Kind::sum), cudaErrorLaunchFailure);
  EXPECT_THAT(finding(), HasSubstr("byte 56 of 56 of shared memory"));
}

}  // namespace
