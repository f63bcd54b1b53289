// Others take memory after a call has planned with it: the call goes on in smaller chunks, with the same bits.

#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "shim.hpp"
#include "vida/vida.hpp"

namespace {

using namespace vida;

template <class Range>
void append(std::vector<double>& to, const Range& values) {
  for (const auto value : values) to.push_back(static_cast<double>(value));
}

double scattered(long i) { return std::sin(12.9898 * static_cast<double>(i + 1)); }

/// Twins of Lorenz-96 with 8 variables, all observed.
std::vector<FilterProblem> twins(long count, long cycles) {
  constexpr int n = 8;
  const StateSpaceModel system{.model = Lorenz96{.n = n},
                               .process_noise = scaled_identity(n, 0.1),
                               .observation_operator = scaled_identity(n, 1),
                               .observation_noise = scaled_identity(n, 1),
                               .initial_mean = Vector({n}, 1.0),
                               .initial_covariance = scaled_identity(n, 1)};
  std::vector<FilterProblem> problems;
  for (long i = 0; i < count; ++i) {
    const TwinOptions twin{.cycles = cycles, .seed = static_cast<std::uint64_t>(i)};
    problems.push_back({.system = system, .data = simulate(Device::cpu(1), {&system, 1}, {&twin, 1})[0]});
    problems.back().number = static_cast<std::uint32_t>(i);
  }
  return problems;
}

std::vector<double> ensemble(const Device& device) {
  const auto statistics = integrate_ensemble(device, {.model = {.n = 8}, .members = 4000, .steps = 1});
  std::vector<double> numbers = statistics.mean;
  append(numbers, statistics.variance);
  return numbers;
}

std::vector<double> filters(const Device& device) {
  const auto problems = twins(1, 3);
  std::vector<AssimilationRun> runs;
  for (std::uint64_t seed = 0; seed < 9; ++seed)
    runs.push_back({.filter = {.method = "etkf", .members = 10}, .seed = seed});
  std::vector<double> numbers;
  for (const auto& result : assimilate(device, problems, runs, {.keep_means = true}))
    append(numbers, result.analysis_mean);
  return numbers;
}

std::vector<double> extended_kalman_filters(const Device& device) {
  std::vector<double> numbers;
  for (const auto& result : extended_kalman_filter(device, twins(8, 6))) append(numbers, result.analysis_mean);
  return numbers;
}

std::vector<double> gains(const Device& device, bool track_ekf) {
  const auto problems = twins(6, 4);
  std::vector<GainRun> runs;
  for (long i = 0; i < 6; ++i) runs.push_back({{i}, scaled_identity(8, 0.5), 1e-3});
  std::vector<double> numbers;
  for (const auto& run : learn_gain(device, problems, runs, {.iterations = 2, .track_ekf = track_ekf}).runs)
    append(numbers, run.gain);
  return numbers;
}

std::vector<double> gaussians(const Device& device) {
  const auto target = oxygen_demand();
  const Matrix y = simulate(Device::cpu(1), *target, 9, 5).y;
  std::vector<double> numbers;
  for (const auto& fit : fit_gaussian(device, *target, y, {.nodes = 3, .steps = 2})) append(numbers, fit.mean);
  return numbers;
}

std::vector<double> flow_fits(const Device& device) {
  const auto target = oxygen_demand();
  const Matrix y = simulate(Device::cpu(1), *target, 5, 5).y;
  FlowTrainingOptions options{.steps = 2, .draws = 30, .validate_every = 0};
  std::vector<double> numbers;
  for (const auto& fit : fit_flow(device, *target, y, {.dimension = 2, .layers = 2, .hidden = 6, .depth = 1}, options))
    append(numbers, fit.parameters);
  return numbers;
}

std::vector<double> flow_samples(const Device& device) {
  const FlowShape shape{.dimension = 6, .layers = 1, .hidden = 5, .depth = 1};
  Flow<double> flow(device, shape);
  flow.set_parameters(0, initial_flow_parameters(shape, 1, 0, false));
  std::vector<double> numbers;
  append(numbers, flow.sample({.seed = 3}, 2000).points);
  append(numbers, flow.log_density(flow.sample({.seed = 4}, 700).points));
  return numbers;
}

std::vector<double> mixture_flow(const Device& device) {
  const MixtureFlowShape shape{
      .dimension = 6, .moved = {{0, 1, 2}, {3, 4, 5}}, .hidden = 5, .depth = 1, .components = 2};
  MixtureFlow<double> flow(device, shape);
  flow.set_parameters(initial_flow_parameters(shape, 1));
  Array<double, 2> x({1500, 6});
  for (long i = 0; i < x.size(); ++i) x.data()[i] = scattered(i);
  const auto loss = flow.negative_log_likelihood(x, {});
  std::vector<double> numbers{loss.loss};
  append(numbers, loss.gradient);
  return numbers;
}

std::vector<double> evidences(const Device& device) {
  const auto target = oxygen_demand();
  std::vector<double> numbers;
  append(numbers, log_evidences(device, *target, simulate(Device::cpu(1), *target, 4, 5).y, {.tolerance = 1e-2}));
  return numbers;
}

struct Case {
  std::string name;
  std::function<std::vector<double>(const Device&)> run;
  friend std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }
};

class LessMemory : public ::testing::TestWithParam<Case> {};

TEST_P(LessMemory, IsMetBySmallerChunks) {
  const auto run = [] { return GetParam().run(Device({.name = "cuda", .memory_limit = std::size_t{1} << 30})); };
  cuda_shim::reset({.log = false});
  const auto expected = run();
  const std::size_t whole = cuda_shim::most_memory();
  const long allocations = cuda_shim::allocations();
  cuda_shim::reset({.log = false, .memory = whole * 2 / 3});
  EXPECT_EQ(run(), expected);
  EXPECT_GT(cuda_shim::allocations(), allocations) << "nothing was taken anew";
  cuda_shim::reset({.log = false, .memory = 64});
  EXPECT_THROW(run(), OutOfMemory);
}

INSTANTIATE_TEST_SUITE_P(Batches, LessMemory,
                         ::testing::Values(Case{"ensemble", ensemble}, Case{"filters", filters},
                                           Case{"extended_kalman_filters", extended_kalman_filters},
                                           Case{"gains", [](const Device& d) { return gains(d, false); }},
                                           Case{"gains_beside_the_ekf", [](const Device& d) { return gains(d, true); }},
                                           Case{"gaussians", gaussians}, Case{"flow_fits", flow_fits},
                                           Case{"flow_samples", flow_samples}, Case{"mixture_flow", mixture_flow},
                                           Case{"evidences", evidences}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
