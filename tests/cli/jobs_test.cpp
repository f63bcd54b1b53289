#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "backends.hpp"
#include "cli/program.hpp"
#include "io/netcdf.hpp"
#include "near.hpp"

namespace vida::test {
namespace {

using io::NetcdfReader;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using vida::testing::relative_error;

const std::string kData = VIDA_TEST_DATA;

nlohmann::json summary_of(const Workplace& place, const std::string& folder) {
  return nlohmann::json::parse(place.read(folder + "/summary.json"));
}

TEST(LearnGainJob, LeavesEveryFileAndTheTable) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  const auto answer = place.vida({"run", "small.toml"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("MSE, held-out data"));
  for (const char* name : {"result.nc", "summary.json", "metrics.jsonl", "gain.nc", "config.toml"})
    EXPECT_THAT(place.files(), Contains("runs/small/" + std::string(name)));
  const auto summary = summary_of(place, "runs/small");
  for (const char* key : {"cost_initial", "cost_final", "mse_initial", "mse_train", "mse_test", "mse_ekf_train",
                          "mse_ekf_test", "kl_to_ekf", "gain_distance_to_steady", "seconds_per_iteration"})
    EXPECT_TRUE(summary[key].is_number()) << key;
  EXPECT_LT(summary["cost_final"], summary["cost_initial"]);
  const std::string metrics = place.read("runs/small/metrics.jsonl");
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 4);  // K_0 and three steps
}

TEST(LearnGainJob, ReproducesItselfFromTheConfigurationItWrites) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  ASSERT_EQ(place.vida({"run", "small.toml", "--set", "gain.structure=banded:2", "--out", "a"}).code, 0);
  ASSERT_EQ(place.vida({"run", "a/config.toml", "--out", "b"}).code, 0);
  EXPECT_EQ(NetcdfReader(place.path("a/gain.nc")).values("K"), NetcdfReader(place.path("b/gain.nc")).values("K"));
  EXPECT_EQ(place.read("a/config.toml"), place.read("b/config.toml"));
}

TEST(LearnGainJob, ReadsTheReferenceObservations) {
  const Workplace place;
  place.write("golden.toml", "job = 'learn-gain'\n[observations]\nfile = '" + kData + "/learn_gain_l96.nc'\n" +
                                 "[optimizer]\niterations = 1\n[test]\ncycles = 0\n");
  const auto answer = place.vida({"run", "golden.toml", "--quiet", "--out", "o"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, IsEmpty());
  // The reference comes from an independent program; sums of 1000 cycles agree to rounding.
  EXPECT_NEAR(summary_of(place, "o")["cost_initial"].get<double>(), 66654.3120793278, 1e-9 * 66654);
  EXPECT_TRUE(summary_of(place, "o")["mse_test"].is_null());
}

TEST(LearnGainJob, ABatchIsTheProductOfItsAxesAndEachRunEqualsItselfAlone) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  const std::string axes = "[batch]\n\"seed\" = [0, 5]\n\"gain.initial\" = [0.2, 0.4, 0.6]\n";
  place.write("batch.toml", kSmallJob + axes);
  ASSERT_EQ(place.vida({"run", "batch.toml", "--out", "all"}).code, 0);
  ASSERT_EQ(place.vida({"run", "small.toml", "--set", "seed=5", "--set", "gain.initial=0.2", "--out", "one"}).code, 0);
  const auto runs = summary_of(place, "all")["runs"];
  ASSERT_EQ(runs.size(), 6U);
  EXPECT_EQ(runs[3]["seed"], 5);
  EXPECT_EQ(runs[3]["gain.initial"], 0.2);
  EXPECT_EQ(runs[3]["cost_final"], summary_of(place, "one")["cost_final"]);
  EXPECT_EQ(runs[3]["mse_test"], summary_of(place, "one")["mse_test"]);
  EXPECT_EQ(NetcdfReader(place.path("all/result.nc")).shape("gain"), (std::vector<long>{6, 8, 8}));
}

TEST(LearnGainJob, TrajectoriesShareOneGain) {
  const Workplace place;
  place.write("small.toml", kSmallJob + std::string("[batch]\ntrajectories = 3\n"));
  ASSERT_EQ(place.vida({"run", "small.toml", "--out", "o"}).code, 0);
  EXPECT_EQ(NetcdfReader(place.path("o/gain.nc")).shape("K"), (std::vector<long>{8, 8}));
  EXPECT_EQ(summary_of(place, "o")["trajectories"], 3);
}

TEST(LearnGainJob, TheTruthMayStartAsTheFilterDoes) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  ASSERT_EQ(place
                .vida({"run", "small.toml", "--out", "o", "--set", "observations.start=filter", "--set",
                       "filter.initial_mean=first", "--set", "filter.initial_variance=1e-12", "--set",
                       "model.process_noise=0", "--set", "filter.process_noise=0.1", "--set", "model.dt=1e-6"})
                .code,
            0);
  const auto truth = NetcdfReader(place.path("o/result.nc")).values("truth");  // [run, cycle, state], v_1 first
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(truth[i], i == 0 ? 1 : 0, 1e-4) << i;
}

TEST(LearnGainJob, AStepThatMakesTheCostInfiniteIsFlaggedAndTheOthersFinish) {
  const Workplace place;
  place.write("small.toml", kSmallJob + std::string("[batch]\n\"optimizer.step\" = [1e-5, 1e3]\n"));
  const auto answer = place.vida({"run", "small.toml", "--out", "o"});
  EXPECT_EQ(answer.code, 3) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("run 1 stopped: its cost was not finite at iteration 1"));
  const auto runs = summary_of(place, "o")["runs"];
  EXPECT_TRUE(runs[0]["converged"].get<bool>());
  EXPECT_EQ(runs[0]["iterations"], 3);
  EXPECT_EQ(runs[1]["flagged_at"], 1);
  EXPECT_EQ(runs[1]["cost_final"], runs[1]["cost_initial"]);
}

TEST(LearnGainJob, AnInterruptedRunWritesWhatItHas) {
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    const Workplace place;
    place.write("small.toml", kSmallJob);
    const auto answer = place.vida_interrupted(
        {"run", "small.toml", "--set", "optimizer.iterations=10000000", "--out", "o"}, signal, "metrics.jsonl");
    EXPECT_EQ(answer.code, code) << answer.err;
    EXPECT_TRUE(summary_of(place, "o")["interrupted"].get<bool>());
    EXPECT_THAT(place.files(), Contains("o/gain.nc"));
  }
}

TEST(EvaluateGainJob, EqualsTheReferenceOfAGeneralSystem) {
  for (const std::string name : {"filter_general_n12_p8.nc", "filter_general_n40_p30.nc"}) {
    const Workplace place;
    place.write("e.toml", "job = 'evaluate-gain'\n[observations]\nfile = '" + kData + "/" + name + "'\n");
    const auto answer = place.vida({"run", "e.toml", "--out", "o"});
    ASSERT_EQ(answer.code, 0) << answer.err;
    const NetcdfReader result(place.path("o/result.nc")), golden(kData + "/" + name);
    for (const char* variable :
         {"cost", "kl", "loglik", "gradient", "analysis_mean", "analysis_cov_last", "ekf_mean", "ekf_cov_last"}) {
      EXPECT_EQ(result.shape(variable), golden.shape(variable)) << variable;
      EXPECT_LT(relative_error(result.values(variable), golden.values(variable)), 1e-9) << variable;
    }
    // What the file told is in the configuration that the job writes.
    EXPECT_EQ(place.vida({"run", "o/config.toml", "--out", "again"}).code, 0);
  }
}

TEST(EvaluateGainJob, ReadsTheGainThatLearningWrote) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  place.write("e.toml",
              "job = 'evaluate-gain'\n[model]\nn = 8\n[observations]\ncycles = 30\n[gain]\nfile = 'l/gain.nc'\n");
  ASSERT_EQ(place.vida({"run", "small.toml", "--out", "l"}).code, 0);
  ASSERT_EQ(place.vida({"run", "e.toml", "--out", "e"}).code, 0);
  EXPECT_EQ(summary_of(place, "e")["cost"], summary_of(place, "l")["cost_final"]);
}

TEST(EnsembleJob, WritesStatisticsAndSnapshots) {
  const Workplace place;
  place.write("e.toml",
              "job = 'ensemble'\n[ensemble]\nmembers = 20\nsteps = 40\nsnapshot_every = 20\nsnapshot_members = 4\n");
  const auto answer = place.vida({"run", "e.toml", "--out", "o"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  const NetcdfReader result(place.path("o/result.nc"));
  EXPECT_EQ(result.shape("mean"), std::vector<long>{40});
  EXPECT_EQ(result.shape("snapshots")[1], 4);
  EXPECT_NEAR(result.scalar("time"), 2.0, 1e-12);  // 40 steps of .05
}

TEST(EnsembleJob, StartsFromTheStatesOfAFile) {
  const Workplace place;
  {
    io::NetcdfWriter file(place.path("start.nc"));
    Matrix states({3, 6}, 8.0);  // the fixed point v_i = F
    file.put("states", {"member", "state"}, states, {"initial states"});
    file.close();
  }
  place.write("e.toml", "job = 'ensemble'\n[ensemble]\nfile = 'start.nc'\nsteps = 5\n");
  ASSERT_EQ(place.vida({"run", "e.toml", "--out", "o"}).code, 0);
  EXPECT_EQ(summary_of(place, "o")["members"], 3);
  for (const double mean : NetcdfReader(place.path("o/result.nc")).values("mean")) EXPECT_NEAR(mean, 8.0, 1e-12);
}

class Job : public vida::testing::OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(Job);

TEST_P(Job, GivesTheNumbersOfTheCpu) {
  const Workplace place;
  place.write("learn.toml", kSmallJob);
  place.write("ensemble.toml", "job = 'ensemble'\n[ensemble]\nmembers = 20\nsteps = 5\n");
  for (const std::string job : {"learn", "ensemble"})
    for (const auto& [name, folder] : {std::pair{GetParam(), "/here"}, {std::string("cpu"), "/cpu"}}) {
      const auto answer = place.vida({"run", job + ".toml", "--device", name, "--quiet", "--out", job + folder});
      ASSERT_EQ(answer.code, 0) << answer.err;
      EXPECT_THAT(answer.err, IsEmpty());
    }
  EXPECT_EQ(summary_of(place, "learn/here")["device"], on_cuda() ? "cuda:0" : "cpu");
  const auto expect_near = [&](const char* file, const char* name) {
    const auto values = [&](const char* folder) {
      return NetcdfReader(place.path(file + std::string(folder) + "/result.nc")).values(name);
    };
    EXPECT_LE(relative_error(values("/here"), values("/cpu")), 1e-9) << name;  // 30 cycles, 3 steps: roundings
  };
  expect_near("learn", "gain");
  expect_near("ensemble", "mean");
  expect_near("ensemble", "variance");
}

}  // namespace
}  // namespace vida::test
