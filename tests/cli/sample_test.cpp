// vida sample and vida density, run as a user would, on the flows of tests/data.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "backends.hpp"
#include "cli/program.hpp"
#include "golden.hpp"
#include "io/flow_file.hpp"
#include "near.hpp"

namespace vida::test {
namespace {

using io::NetcdfReader;
using ::testing::ElementsAre;
using testing::Golden;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::relative_error;
using Words = std::vector<std::string>;

const std::string kData = VIDA_TEST_DATA;
const std::string kPlane = kData + "/flow_d2.safetensors";     // d = 2, no context
const std::string kSeven = kData + "/flow_d7_c3.safetensors";  // d = 7, a context of 3

Flow<double> flow_of(const std::string& file) {
  const auto saved = io::read_flows(file);
  Flow<double> flow(Device::cpu(2), saved.shape);
  const auto row = saved.parameters[0];
  flow.set_parameters(0, {row.data(), static_cast<std::size_t>(row.size())});
  return flow;
}

Answer expect_success(const Workplace& place, const Words& words) {
  const auto answer = place.vida(words);
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, IsEmpty());
  return answer;
}

void write_points(const Workplace& place, const std::vector<long>& extents, const std::vector<double>& values) {
  io::NetcdfWriter file(place.path("points.nc"));
  const Words dims = extents.size() == 3 ? Words{"context", "point", "state"} : Words{"point", "state"};
  file.put("x", dims, extents, std::span<const double>(values), {"points"});
  file.close();
}

void write_contexts(const Workplace& place, const std::string& variable, const Matrix& contexts) {
  io::NetcdfWriter file(place.path("contexts.nc"));
  file.put(variable, {"row", "number"}, contexts, {"contexts"});
  file.close();
}

Matrix two_contexts() {
  Matrix contexts({2, 3});
  std::ranges::copy(std::array{0.5, -1.0, 0.25, 1.5, 0.0, -0.75}, contexts.begin());
  return contexts;
}

TEST(Sample, DrawsWhatTheFlowDraws) {
  const Workplace place;
  const auto answer =
      expect_success(place, {"sample", kPlane, "--count", "1500", "--seed", "5", "--precision", "float64"});
  EXPECT_EQ(answer.out, "1500 samples are in samples.nc\n");
  EXPECT_THAT(place.files(), ElementsAre("samples.nc"));
  const NetcdfReader file(place.path("samples.nc"));
  ASSERT_EQ(file.shape("x"), (std::vector<long>{1500, 2}));
  ASSERT_EQ(file.shape("log_density"), (std::vector<long>{1500}));
  EXPECT_FALSE(file.has("y"));
  auto flow = flow_of(kPlane);
  const auto expected = flow.sample({.seed = 5, .stream = Stream::filter}, 1500);
  EXPECT_LE(relative_error(file.values("x"), expected.points), 1e-14);
  EXPECT_LE(relative_error(file.values("log_density"), flow.log_density(expected.points)), 1e-12);
  EXPECT_EQ(file.text_attribute("", "title"), "draws of a flow");
  EXPECT_EQ(file.text_attribute("", "flow"), "flow_d2.safetensors");
  EXPECT_EQ(file.text_attribute("x", "long_name"), "draws of the flow");
}

TEST(Sample, TakesContextsFromAFileAndFromTheCommandLine) {
  const Workplace place;
  const Matrix contexts = two_contexts();
  auto flow = flow_of(kSeven);
  for (const std::string variable : {"context", "y"}) {
    write_contexts(place, variable, contexts);
    expect_success(place, {"sample", kSeven, "--count", "300", "--context", "contexts.nc", "--out", variable + ".nc",
                           "--precision", "float64"});
    const NetcdfReader file(place.path(variable + ".nc"));
    ASSERT_EQ(file.shape("x"), (std::vector<long>{2, 300, 7}));
    ASSERT_EQ(file.shape("log_density"), (std::vector<long>{2, 300}));
    EXPECT_EQ(file.array<2>("y"), contexts);
    for (long k = 0; k < 2; ++k) {
      Array<double, 3> context({1, 1, 3});
      std::ranges::copy(contexts[k], context.begin());
      const auto expected =
          flow.sample({.stream = Stream::filter, .first_problem = static_cast<std::uint32_t>(k)}, 300, context);
      EXPECT_LE(relative_error(file.slab("x", {k, 0, 0}, {1, 300, 7}), expected.points), 1e-14);
    }
  }
  expect_success(place, {"sample", kSeven, "--count", "300", "--context", "0.5,-1,0.25", "--precision", "float64"});
  const NetcdfReader one(place.path("samples.nc")), both(place.path("y.nc"));
  ASSERT_EQ(one.shape("x"), (std::vector<long>{1, 300, 7}));
  EXPECT_EQ(one.values("x"), both.slab("x", {0, 0, 0}, {1, 300, 7}));
  expect_success(place, {"sample", kSeven, "--count", "2", "--context", "-.5,-1,1e-3", "--force"});
}

TEST(Sample, TheFirstDrawsOfMoreAreTheSame) {
  const Workplace place;
  write_contexts(place, "y", two_contexts());
  const Words words = {"sample", kSeven, "--context", "contexts.nc", "--quiet"};
  for (const std::string count : {"1000", "2500"}) {
    Words all = words;
    all.insert(all.end(), {"--count", count, "--out", count + ".nc"});
    EXPECT_THAT(expect_success(place, all).out, IsEmpty());
  }
  const NetcdfReader less(place.path("1000.nc")), more(place.path("2500.nc"));
  EXPECT_EQ(less.values("x"), more.slab("x", {0, 0, 0}, {2, 1000, 7}));
  EXPECT_EQ(less.values("log_density"), more.slab("log_density", {0, 0}, {2, 1000}));
  const auto x = less.values("x");
  EXPECT_TRUE(std::ranges::all_of(x, [](double v) { return v == static_cast<float>(v); }));
  expect_success(place, {"sample", kSeven, "--context", "contexts.nc", "--count", "1000", "--seed", "1"});
  EXPECT_NE(NetcdfReader(place.path("samples.nc")).values("x"), x);
}

TEST(Density, IsThatOfPyTorch) {
  const Workplace place;
  expect_success(place, {"density", kPlane, kData + "/flow_d2.nc", "--precision", "float64"});
  const auto plane = NetcdfReader(place.path("density.nc")).values("log_density");
  EXPECT_LE(relative_error(plane, Golden("flow_d2.nc").vector("log_prob_of_x")), 1e-10);

  const Golden golden("flow_d7_c3.nc");  // each point has a context of its own
  const Matrix x = golden.matrix("x");
  write_points(place, {x.extent(0), 1, 7}, {x.begin(), x.end()});
  for (const std::string precision : {"float64", "float32"}) {
    expect_success(place, {"density", kSeven, "points.nc", "--context", kData + "/flow_d7_c3.nc", "--out", "seven.nc",
                           "--force", "--precision", precision});
    const NetcdfReader file(place.path("seven.nc"));
    ASSERT_EQ(file.shape("log_density"), (std::vector<long>{x.extent(0), 1}));
    EXPECT_LE(relative_error(file.values("log_density"), golden.vector("log_prob_of_x")),
              precision == "float64" ? 1e-10 : 1e-5);
  }
}

TEST(Density, ReadsTheSamplesAgain) {
  const Workplace place;
  write_contexts(place, "y", two_contexts());
  expect_success(place, {"sample", kSeven, "--count", "500", "--context", "contexts.nc"});
  expect_success(place, {"density", kSeven, "samples.nc", "--context", "samples.nc"});
  const NetcdfReader samples(place.path("samples.nc")), density(place.path("density.nc"));
  ASSERT_EQ(density.shape("log_density"), (std::vector<long>{2, 500}));
  EXPECT_LE(relative_error(density.values("log_density"), samples.values("log_density")), 1e-5);
  EXPECT_EQ(density.text_attribute("", "points"), "samples.nc");
}

TEST(Density, TakesPointsAtEveryContext) {
  const Workplace place;
  const Matrix contexts = two_contexts();
  write_contexts(place, "y", contexts);
  std::vector<double> points(3 * 7);
  for (std::size_t i = 0; i < points.size(); ++i) points[i] = std::cos(static_cast<double>(i));
  write_points(place, {3, 7}, points);
  expect_success(
      place, {"density", kSeven, "points.nc", "--context", "contexts.nc", "--precision", "float64", "--threads", "1"});
  const NetcdfReader file(place.path("density.nc"));
  ASSERT_EQ(file.shape("log_density"), (std::vector<long>{2, 3}));
  auto flow = flow_of(kSeven);
  for (long k = 0; k < 2; ++k) {
    Array<double, 3> context({1, 1, 3});
    std::ranges::copy(contexts[k], context.begin());
    const auto expected = flow.log_density(View<const double, 3>(points.data(), {1, 3, 7}), context);
    EXPECT_LE(relative_error(file.slab("log_density", {k, 0}, {1, 3}), expected), 1e-12);
  }
}

TEST(Density, SaysWhenItIsNotFinite) {
  const Workplace place;
  write_points(place, {3, 2}, {0, 0, NAN, 1, 0.5, 0.5});
  const auto answer = place.vida({"density", kPlane, "points.nc"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_THAT(answer.err, HasSubstr("1 of 3 log densities are not finite"));
  const auto values = NetcdfReader(place.path("density.nc")).values("log_density");
  EXPECT_TRUE(std::isfinite(values[0]) && std::isnan(values[1]) && std::isfinite(values[2]));
}

TEST(Sample, TakesOneProblemOfSeveral) {
  const Workplace place;
  const FlowShape shape = {.dimension = 2, .layers = 2, .hidden = 4};
  io::SavedFlows flows{shape, Matrix({3, flow_parameter_count(shape)}), {{"target", "banana"}}};
  for (long p = 0; p < 3; ++p) {
    const auto row = initial_flow_parameters(shape, 1, static_cast<std::uint32_t>(p), false);
    std::copy(row.begin(), row.end(), flows.parameters[p].begin());
  }
  io::write_flows(place.path("three.safetensors"), flows);
  expect_success(place, {"sample", "three.safetensors", "--count", "10", "--out", "default.nc"});
  for (long p = 0; p < 3; ++p) {
    io::SavedFlows one{shape, Matrix({1, flows.parameters.extent(1)}), {}};
    std::ranges::copy(flows.parameters[p], one.parameters.begin());
    io::write_flows(place.path("one.safetensors"), one);
    expect_success(place, {"sample", "one.safetensors", "--count", "10", "--out", "one.nc", "--force"});
    expect_success(place, {"sample", "three.safetensors", "--count", "10", "--out", "three.nc", "--force", "--problem",
                           std::to_string(p)});
    EXPECT_EQ(NetcdfReader(place.path("three.nc")).values("x"), NetcdfReader(place.path("one.nc")).values("x"));
    EXPECT_EQ(NetcdfReader(place.path("default.nc")).values("x") == NetcdfReader(place.path("one.nc")).values("x"),
              p == 0);
  }
  EXPECT_EQ(NetcdfReader(place.path("three.nc")).text_attribute("", "flow_target"), "banana");
  const auto refused = place.vida({"sample", "three.safetensors", "--count", "10", "--problem", "3"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--problem 3: 'three.safetensors' holds problems 0 to 2."));
}

TEST(Sample, AMillionDrawsTakeNoMoreMemoryThanAThousand) {
  if (testing::kOnShim) GTEST_SKIP() << "sanitizers keep memory for themselves";
  const Workplace place;
  const auto peak_after = [&](const std::string& count) {  // KiB, of the largest run so far
    expect_success(place, {"sample", kPlane, "--count", count, "--out", count + ".nc", "--threads", "2"});
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    return usage.ru_maxrss;
  };
  const long small = peak_after("1000"), large = peak_after("1000000");
  EXPECT_LE(large - small, 12 * 1024) << "the samples alone are 16 MB";
  EXPECT_EQ(NetcdfReader(place.path("1000000.nc")).slab("x", {0, 0}, {1000, 2}),
            NetcdfReader(place.path("1000.nc")).values("x"));
}

TEST(Sample, AnInterruptLeavesNothing) {
  const Workplace place;
  const auto answer = place.vida_interrupted({"sample", kPlane, "--count", "1000000000"}, SIGINT, "samples.nc");
  EXPECT_EQ(answer.code, 130);
  EXPECT_THAT(answer.err, HasSubstr("interrupted; nothing was written"));
  EXPECT_THAT(place.files(), IsEmpty());
}

TEST(Sample, AFullDiskLeavesNoPartialFile) {
  const Workplace place;
  const auto answer = place.vida_on_a_small_disk({"sample", kPlane, "--count", "100000"}, 20000);
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.err, ::testing::StartsWith("vida: '"));
  EXPECT_THAT(place.files(), IsEmpty());
}

TEST(Sample, AFileIsNotReplacedWithoutForce) {
  const Workplace place;
  place.write("samples.nc", "precious");
  const auto refused = place.vida({"sample", kPlane, "--count", "10"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.err,
            "vida: --out 'samples.nc' is there already. Add --force to replace it, or name another file.\n");
  EXPECT_EQ(place.read("samples.nc"), "precious");
  const auto failed = place.vida({"sample", kPlane, "--count", "10", "--force", "--context", "1"});
  EXPECT_EQ(failed.code, 2);
  EXPECT_EQ(place.read("samples.nc"), "precious");
  expect_success(place, {"sample", kPlane, "--count", "10", "--force"});
  EXPECT_EQ(NetcdfReader(place.path("samples.nc")).shape("x")[0], 10);
  expect_success(place, {"sample", kPlane, "--count", "10", "--out", "new/folder/x.nc"});
  EXPECT_THAT(place.files(), ElementsAre("new", "new/folder", "new/folder/x.nc", "samples.nc"));
}

/// One line, exit code 2, and nothing written.
void expect_refused(const Workplace& place, const Words& words, const std::string& message) {
  const auto before = place.files();
  const auto answer = place.vida(words);
  EXPECT_EQ(answer.code, 2) << ::testing::PrintToString(words);
  EXPECT_THAT(answer.err, ::testing::AllOf(::testing::StartsWith("vida: "), HasSubstr(message)));
  EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
  EXPECT_EQ(place.files(), before);
}

TEST(Sample, RefusesContextsThatDoNotFit) {
  const Workplace place;
  const auto at = [&](const std::string& context, const std::string& message) {
    expect_refused(place, {"sample", kSeven, "--count", "3", "--context", context}, message);
  };
  expect_refused(place, {"sample", kSeven, "--count", "3"},
                 "flow_d7_c3.safetensors' is a flow with a context of 3 numbers: give them with --context");
  expect_refused(place, {"sample", kPlane, "--count", "3", "--context", "1"},
                 "is a flow without context; leave it out");
  at("1,2", "--context 1,2 holds 2 numbers, but the context of this flow has 3.");
  at("1,nan,2", "--context 1,nan,2: number 1 is nan; finite numbers are needed.");
  at("1,two,3", "--context 1,two,3: 'two' is not a number");
  at("1,2,3,", "'' is not a number");
  at("none.nc", "--context: 'none.nc' does not exist.");
  at(kSeven, "cannot be read as NetCDF");
  at(kData + "/learn_gain_l96.nc", "holds y with shape [1000, 40], but the context of this flow has 3 numbers");
  at(kData + "/flow_d2.nc", "holds neither context nor y; one of them [context, 3] is needed.");
  Matrix contexts = two_contexts();
  contexts(1, 2) = NAN;
  write_contexts(place, "y", contexts);
  at("contexts.nc", "holds y = nan in row 1, number 2; finite numbers are needed.");
}

TEST(Sample, RefusesWordsThatMeanNothing) {
  const Workplace place;
  const auto with = [&](const Words& more, const std::string& message) {
    Words words = {"sample", kPlane, "--count", "3"};
    words.insert(words.end(), more.begin(), more.end());
    expect_refused(place, words, message);
  };
  with({"--problem", "1"}, "holds one flow, problem 0.");
  with({"--problem", "-1"}, "--problem -1: ");
  with({"--seed", "-1"}, "--seed -1: expected a whole number of at least 0.");
  with({"--precision", "half"}, "--precision half: expected float32 or float64.");
  with({"--out", "."}, "--out '.' is a folder; name a file.");
  with({"--threads", "-1"}, "--threads -1");
  with({"--device", "gpu"}, "--device gpu: expected auto, cpu, cuda or cuda:K");
  expect_refused(place, {"sample", kPlane, "--count", "0"}, "--count 0: expected a whole number from 1 to 2^32.");
  expect_refused(place, {"sample", kPlane, "--count", "5000000000"}, "--count 5000000000: expected");
  expect_refused(place, {"sample", "none.safetensors", "--count", "1"}, "'none.safetensors' does not exist.");
  expect_refused(place, {"sample", kData + "/flow_d2.nc", "--count", "1"}, "is not a safetensors file");
  EXPECT_THAT(place.vida({"sample", kPlane}).err, HasSubstr("'vida sample --help'"));
  EXPECT_EQ(place.vida({"sample", kPlane}).code, 2);
  EXPECT_THAT(place.vida({"smaple"}).err, HasSubstr("did you mean sample?"));
}

TEST(Density, RefusesPointsThatDoNotFit) {
  const Workplace place;
  const auto at = [&](const std::vector<long>& extents, const std::string& flow, const std::string& message) {
    long count = 1;
    for (const long extent : extents) count *= extent;
    write_points(place, extents, std::vector<double>(static_cast<std::size_t>(count)));
    Words words = {"density", flow, "points.nc"};
    if (flow == kSeven) words.insert(words.end(), {"--context", "1,2,3"});
    expect_refused(place, words, message);
  };
  at({4, 3}, kPlane, "'points.nc' holds x with shape [4, 3]; this flow needs [point, 2].");
  at({2, 4, 2}, kPlane, "'points.nc' holds x with shape [2, 4, 2]; this flow needs [point, 2].");
  at({4, 2}, kSeven, "'points.nc' holds x with shape [4, 2]; this flow needs [point, 7], or [context, point, 7].");
  at({2, 4, 7}, kSeven, "this flow needs [point, 7], or [1, point, 7], a block for each context of --context.");
  expect_refused(place, {"density", kPlane, "none.nc"}, "'none.nc' does not exist.");
  expect_refused(place, {"density", kPlane, kData + "/learn_gain_l96.nc"}, "holds no variable 'x'");
}

}  // namespace
}  // namespace vida::test
