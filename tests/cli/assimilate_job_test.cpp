// The job assimilate, run as a user would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "backends.hpp"
#include "cli/inference_jobs.hpp"
#include "near.hpp"
#include "vida/array.hpp"

namespace vida::test {
namespace {

using io::NetcdfReader;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// Two filters on three twins of Lorenz-96 with 8 variables, 120 cycles.
const char* const kTwoFilters = R"(job = "assimilate"
[model]
n = 8
[observations]
cycles = 120
[run]
seeds = 3
burn_in = 20
[[filters]]
method = "etkf"
members = 12
inflation = 1.05
[[filters]]
members = 10
rotation = true
)";

Answer run(const Workplace& place, std::vector<std::string> words = {}, const std::string& text = kTwoFilters) {
  place.write("a.toml", text);
  words.insert(words.begin(), {"run", "a.toml", "--out", "o", "--force"});
  return place.vida(words, {"PATH=/nowhere"});  // without gnuplot, which would take most of the time
}

void expect_refused(const std::vector<std::string>& settings, const std::string& message,
                    const std::string& text = kTwoFilters) {
  const Workplace place;
  std::vector<std::string> words;
  for (const auto& setting : settings) words.insert(words.end(), {"--set", setting});
  const auto answer = run(place, words, text);
  EXPECT_EQ(answer.code, 2) << ::testing::PrintToString(settings);
  EXPECT_THAT(answer.err, AllOf(StartsWith("vida: "), HasSubstr(message)));
  EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
  EXPECT_THAT(place.files(), ElementsAre("a.toml"));
}

TEST(AssimilateJob, LeavesATableAndEveryFile) {
  const Workplace place;
  place.write("a.toml", kTwoFilters);
  const auto answer = place.vida({"run", "a.toml", "--out", "o"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("RMSE a"), HasSubstr("etkf N 12, infl 1.05 "), HasSubstr("etkf N 10, rot "),
                                HasSubstr("medians over 3 data sets of 120 cycles")));
  const auto summary = summary_of(place);
  ASSERT_EQ(summary["filters"].size(), 2U);
  for (const auto& filter : summary["filters"]) {
    for (const char* key : {"rmse_analysis", "rmse_forecast", "spread_analysis", "spread_over_rmse", "chi_square_mean",
                            "crps_analysis", "cycles_per_second"})
      EXPECT_TRUE(filter[key].is_number()) << key;
    EXPECT_EQ(filter["runs"].size(), 3U);
    EXPECT_LT(filter["rmse_analysis"], 1.0);  // noise of variance 1: the filters track
  }
  EXPECT_EQ(summary["filters"][0]["settings"]["inflation"], 1.05);
  const NetcdfReader result(place.path("o/result.nc"));
  EXPECT_EQ(result.shape("analysis_error"), (std::vector<long>{6, 120}));
  EXPECT_EQ(result.shape("analysis_mean"), (std::vector<long>{6, 120, 8}));
  EXPECT_EQ(result.shape("truth"), (std::vector<long>{3, 120, 8}));
  EXPECT_EQ(result.values("filter"), (std::vector<double>{0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(result.values("data_set"), (std::vector<double>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(result.values("setting_members"), (std::vector<double>{12, 12, 12, 10, 10, 10}));
  EXPECT_NEAR(result.values("time")[0], 0.05, 1e-15);
}

TEST(AssimilateJob, ItsScoresAreThoseOfItsMeans) {
  const Workplace place;
  ASSERT_EQ(run(place).code, 0);
  const NetcdfReader result(place.path("o/result.nc"));
  const auto error = result.array<2>("analysis_error");
  const auto mean = result.array<3>("analysis_mean"), truth = result.array<3>("truth");
  for (const long j : {0L, 57L, 119L}) {
    double sum = 0;
    for (long i = 0; i < 8; ++i) sum += std::pow(mean(4, j, i) - truth(1, j, i), 2) / 8;
    EXPECT_NEAR(error(4, j), std::sqrt(sum), 1e-12);
  }
  double time_mean = 0;
  for (long j = 20; j < 120; ++j) time_mean += error(4, j) / 100;
  EXPECT_NEAR(result.values("rmse_analysis")[4], time_mean, 1e-12);
  double count = 0;
  for (const double ranks : result.values("rank_histogram_1")) count += ranks;
  EXPECT_EQ(count, 3 * 100 * 8);
}

TEST(AssimilateJob, TheTruthStartsFromTheInitialLawOfTheMembers) {
  const Workplace place;
  ASSERT_EQ(run(place, {"--set", "filter.initial_mean=[5, 0, 0, 0, 0, 0, 0, 0]", "--set", "model.dt=1e-6"}).code, 0);
  const auto truth = NetcdfReader(place.path("o/result.nc")).array<3>("truth");
  EXPECT_NEAR(truth(0, 0, 0), 5, 5 * std::sqrt(.001));  // five standard deviations, after a step of no length
  EXPECT_NEAR(truth(2, 0, 5), 0, 5 * std::sqrt(.001));
}

TEST(AssimilateJob, ReproducesItselfFromTheConfigurationItWrites) {
  const Workplace place;
  ASSERT_EQ(run(place, {"--set", "run.members=true"}).code, 0);
  ASSERT_EQ(place.vida({"run", "o/config.toml", "--out", "again"}).code, 0);
  EXPECT_EQ(place.read("o/config.toml"), place.read("again/config.toml"));
  const NetcdfReader first(place.path("o/result.nc")), again(place.path("again/result.nc"));
  EXPECT_EQ(first.values("analysis_mean"), again.values("analysis_mean"));
  EXPECT_EQ(first.shape("members_0"), (std::vector<long>{3, 12, 8}));
  EXPECT_EQ(first.values("members_1"), again.values("members_1"));
}

TEST(AssimilateJob, AFilterAloneGivesItsNumbersInTheList) {
  const Workplace place;
  ASSERT_EQ(run(place).code, 0);
  const auto together = summary_of(place)["filters"][1];
  ASSERT_EQ(run(place, {"--set", "filters=[{members=10, rotation=true}]", "--set", "run.seeds=2"}).code, 0);
  const auto alone = summary_of(place)["filters"];
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0]["runs"][1], together["runs"][1]);
}

TEST(AssimilateJob, OverridesChangeOneFilterOrAddOne) {
  const Workplace place;
  ASSERT_EQ(
      run(place, {"--set", "filters.0.members=9", "--set", "filters.2.members=7", "--set", "filters.2.relaxation=0.3"})
          .code,
      0);
  const auto filters = summary_of(place)["filters"];
  ASSERT_EQ(filters.size(), 3U);
  EXPECT_EQ(filters[0]["label"], "etkf N 9, infl 1.05");
  EXPECT_EQ(filters[2]["label"], "etkf N 7, RTPS 0.3");
}

TEST(AssimilateJob, ObservationsOfAFileMayComeWithoutATruth) {
  const Workplace place;
  ASSERT_EQ(run(place).code, 0);
  {
    const NetcdfReader twin(place.path("o/result.nc"));
    io::NetcdfWriter file(place.path("obs.nc"));
    file.put("y", {"set", "cycle", "obs"}, twin.array<3>("y"), {"observations"});
    file.close();
  }
  const auto answer =
      run(place, {"--set", "observations.file=obs.nc", "--set", "run.seeds=1", "--set", "observations.cycles=120"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("without a truth: scores that need it are left out"));
  const auto filter = summary_of(place)["filters"][0];
  EXPECT_TRUE(filter["rmse_analysis"].is_null());
  EXPECT_TRUE(filter["spread_analysis"].is_number());
  EXPECT_NEAR(filter["chi_square_mean"].get<double>(), 1, 0.3);  // 3 x 100 x 8 innovations, one member in ten short
  const NetcdfReader result(place.path("o/result.nc"));
  EXPECT_FALSE(result.has("truth"));
  EXPECT_FALSE(result.has("rank_histogram_0"));
}

TEST(AssimilateJob, LongRunsKeepNoMeansUnlessAsked) {
  const Workplace place;
  ASSERT_EQ(run(place, {"--set", "run.means=never", "--set", "run.diagnostics=false"}).code, 0);
  const NetcdfReader result(place.path("o/result.nc"));
  for (const char* name : {"analysis_mean", "truth", "y", "rank_histogram_0", "members_0"})
    EXPECT_FALSE(result.has(name)) << name;
  EXPECT_TRUE(result.has("analysis_error"));
}

TEST(AssimilateJob, OtherModelsAndObservations) {
  const Workplace place;
  const std::string lorenz63 =
      "job = 'assimilate'\n[model]\nname = 'lorenz63'\nsteps_per_cycle = 25\n[observations]\ncycles = 60\nnoise = 2\n"
      "[filter]\ninitial_mean = [1.509, -1.531, 25.46]\ninitial_variance = 2\n[run]\nburn_in = 10\n"
      "[[filters]]\nmembers = 10\ninflation = 1.02\n";
  auto answer = run(place, {}, lorenz63);
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_LT(summary_of(place)["filters"][0]["rmse_analysis"], 1.4);  // the noise has a deviation of 1.4
  EXPECT_THAT(place.read("o/config.toml"), AllOf(HasSubstr("n = 3\n"), HasSubstr("dt = 0.01\n"),
                                                 HasSubstr("rho = 28.0\n"), Not(HasSubstr("forcing"))));
  {
    io::NetcdfWriter file(place.path("rotation.nc"));
    Matrix F({2, 2});
    F(0, 0) = F(1, 1) = std::cos(0.3), F(0, 1) = std::sin(0.3), F(1, 0) = -F(0, 1);
    file.put("F", {"row", "column"}, F, {"linear model"});
    file.close();
  }
  answer = run(place, {},
               "job = 'assimilate'\n[model]\nname = 'linear'\nmatrix = 'rotation.nc'\nprocess_noise = 0.01\n"
               "[observations]\ncycles = 60\noperator = 'every:2'\nfunction = 'cube'\nlaw = 'laplace'\n"
               "[filter]\ninitial_mean = 1.0\n[run]\nburn_in = 10\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(NetcdfReader(place.path("o/result.nc")).shape("truth"), (std::vector<long>{1, 60, 2}));
  EXPECT_THAT(place.read("o/config.toml"), HasSubstr("n = 2\n"));
}

TEST(AssimilateJob, AFilterThatFailsIsFlaggedWithItsCycleAndTheOthersFinish) {
  const Workplace place;
  const auto answer = run(place, {"--set", "filters.1.inflation=1e30"});
  EXPECT_EQ(answer.code, 3) << answer.err;
  EXPECT_THAT(
      answer.err,
      HasSubstr("etkf N 10, infl 1e+30, rot: its numbers were not finite in 3 of 3 runs: data set 0 at cycle "));
  const auto filters = summary_of(place)["filters"];
  EXPECT_EQ(filters[0]["failed"], 0);
  EXPECT_EQ(filters[1]["failed"], 3);
  EXPECT_TRUE(filters[1]["rmse_analysis"].is_null());
  EXPECT_TRUE(filters[1]["runs"][0]["failed_at"].is_number());
}

TEST(AssimilateJob, LosingTheTruthIsCounted) {
  const Workplace place;
  const auto answer = run(place, {"--set", "filters.0.members=3", "--set", "filters.0.inflation=1.0"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("etkf N 3: it lost the truth in "));
  EXPECT_GT(summary_of(place)["filters"][0]["lost"], 0);
}

TEST(AssimilateJob, AnInterruptedRunWritesWhatItHas) {
  const Workplace place;
  place.write("a.toml", kTwoFilters);
  const auto answer =
      place.vida_interrupted({"run", "a.toml", "--set", "observations.cycles=200000", "--set", "run.seeds=1", "--set",
                              "run.means=never", "--set", "run.diagnostics=false", "--out", "results"},
                             SIGINT, "results");
  EXPECT_EQ(answer.code, 130) << answer.err;
  EXPECT_THAT(place.read("results/summary.json"), HasSubstr("\"interrupted\": true"));
  const auto error = NetcdfReader(place.path("results/result.nc")).array<2>("analysis_error");
  EXPECT_TRUE(std::isnan(error(0, 199999)) && std::isnan(error(1, 199999)));
}

TEST(AssimilateInput, SettingsOfTheListAreCheckedOneByOne) {
  expect_refused({"filters.0.membres=4"}, "filters.0.membres is not a setting; did you mean filters.0.members?");
  expect_refused({"filters.1.method=etkff"}, "filters.1.method = \"etkff\": expected ");
  expect_refused({"filters.1.method=etkff"}, "Did you mean \"etkf\"?");
  expect_refused({"filters.1.members=1"}, "filters.1.members = 1: expected a whole number of at least 2.");
  expect_refused({"filters.1.members=2.5"}, "filters.1.members = 2.5: expected a whole number of at least 2.");
  expect_refused({"filters.0.rotation=1"}, "filters.0.rotation = 1: expected true or false.");
  expect_refused({"filters.0.relaxation=2"}, "relaxation is 2, expected a number from 0 to 1");
  expect_refused({"filters.4.members=5"}, "filters.4.members: there are 2 entries in filters, counted from 0.");
  expect_refused({"filters.0.lag=2"}, "filters.0.lag = 2: filters.0.method = \"etkf\" has no such setting");
  expect_refused({"filters.members=5"}, "filters is a list; write [[filters]] above the settings of each");
  expect_refused({"filters=5"}, "filters is a list of tables; write [[filters]]");
  expect_refused({"filters=[]"}, "filters is a list of tables; write [[filters]]");
}

TEST(AssimilateInput, AMistakeInTheFileIsToldWithItsLine) {
  expect_refused({}, "a.toml:5: filters.1.inflatoin is not a setting; did you mean filters.1.inflation?",
                 "job = 'assimilate'\n[[filters]]\nmembers = 4\n[[filters]]\ninflatoin = 1\n");
}

TEST(AssimilateInput, CombinationsThatMeanNothing) {
  expect_refused({"run.burn_in=120"}, "run.burn_in = 120, but there are 120 cycles; leave some to average over.");
  expect_refused({"run.seeds=0"}, "run.seeds = 0: expected a whole number of at least 1.");
  expect_refused({"batch.seed=[1, 2]"}, "[batch] is not part of job \"assimilate\"");
  expect_refused({"model.sigma=10"},
                 "model.sigma = 10.0: model.name = \"lorenz96\" has no such setting; it is one of lorenz63.");
  expect_refused({"model.name=lorenz63"}, "model.n = 8, but this lorenz63 has 3 variables. Leave model.n out.");
  expect_refused({"model.name=lorens96"}, "Did you mean \"lorenz96\"?");
  expect_refused({"model.name=linear"}, "model.name = \"linear\" needs model.matrix");
  expect_refused({"filter.initial_mean=frist"}, "filter.initial_mean = \"frist\": expected a number or a list");
  expect_refused({"filter.initial_variance=0"}, "filter.initial_variance = 0: expected a number above 0");
  expect_refused({"model.n=3"}, "n");
  expect_refused({"gain.structure=full"}, "gain.structure is not a setting of job \"assimilate\".");
  const Workplace place;
  place.write("small.toml", kSmallJob);
  EXPECT_THAT(place.vida({"run", "small.toml", "--set", "model.name=lorenz63"}).err,
              HasSubstr("model.name = \"lorenz63\": expected \"lorenz96\"."));
  EXPECT_THAT(place.vida({"run", "small.toml", "--set", "filters.0.members=3"}).err,
              HasSubstr("filters.0.members is not a setting of job \"learn-gain\"."));
}

TEST(AssimilateInput, SettingsOfTheSimulationAndAFile) {
  const Workplace place;
  {
    io::NetcdfWriter file(place.path("obs.nc"));
    file.put("y", {"cycle", "obs"}, Matrix({120, 8}, 1.0), {"observations"});
    file.close();
  }
  EXPECT_THAT(run(place, {"--set", "observations.file=obs.nc"}).err,
              HasSubstr("run.seeds = 3 is for simulated observations; leave it out with observations.file."));
  EXPECT_THAT(
      run(place, {"--set", "observations.file=obs.nc", "--set", "run.seeds=1", "--set", "observations.law=laplace"})
          .err,
      HasSubstr("observations.law = \"laplace\" is for simulated observations"));
  EXPECT_THAT(run(place, {"--set", "model.name=linear", "--set", "model.matrix=obs.nc"}).err,
              HasSubstr("model.matrix: 'obs.nc' holds no F [state, state]."));
}

class AssimilateEverywhere : public vida::testing::OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(AssimilateEverywhere);

TEST_P(AssimilateEverywhere, GivesTheNumbersOfTheCpu) {
  const Workplace place;
  place.write("a.toml", kTwoFilters);
  std::vector<std::vector<double>> means;
  for (const std::string& name : {std::string(GetParam()), std::string("cpu")}) {
    const auto answer = place.vida({"run", "a.toml", "--device", name, "--quiet", "--out", "o", "--force", "--set",
                                    "observations.cycles=25", "--set", "run.burn_in=5"});
    ASSERT_EQ(answer.code, 0) << answer.err;
    EXPECT_THAT(answer.err, IsEmpty());
    means.push_back(NetcdfReader(place.path("o/result.nc")).values("analysis_mean"));
  }
  EXPECT_LE(vida::testing::relative_error(means[0], means[1]), 1e-8);  // 25 cycles of a chaotic model
}

}  // namespace
}  // namespace vida::test
