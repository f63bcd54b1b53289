// Kernels are strided: any block size gives the bits of the CPU. Fewer blocks than items work where scratch lies in
// device memory (executor_test.cpp).

#include <gtest/gtest.h>

#include <bit>

#include "shim.hpp"
#include "workloads.hpp"

namespace {

using workloads::Workload;

struct Case {
  const Workload* workload;
  int lanes;
};

class AnyBlockSize : public ::testing::TestWithParam<Case> {};

/// The bits, so that a NaN equals itself.
std::vector<std::uint64_t> bits(const std::vector<double>& numbers) {
  std::vector<std::uint64_t> result;
  for (const double number : numbers) result.push_back(std::bit_cast<std::uint64_t>(number));
  return result;
}

TEST_P(AnyBlockSize, GivesTheBitsOfTheCpu) {
  const auto& [workload, lanes] = GetParam();
  const auto expected = workload->run(vida::Device::cpu(1));
  cuda_shim::reset({.lanes = lanes});
  EXPECT_EQ(bits(workload->run(vida::Device({.name = "cuda"}))), bits(expected));
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const Workload& workload : workloads::all())
    for (const int lanes : {1, 3, 32, 33, 128}) list.push_back({&workload, lanes});
  return list;
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  return info.param.workload->name + "_" + std::to_string(info.param.lanes);
}

INSTANTIATE_TEST_SUITE_P(Kernels, AnyBlockSize, ::testing::ValuesIn(cases()), name_of);

}  // namespace
