#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "io/settings.hpp"
#include "vida/device.hpp"
#include "vida/version.hpp"

namespace vida::test {
namespace {

using ::testing::HasSubstr;

TEST(Commands, InitPrintsConfigurationsThatRun) {
  for (const std::string job : {"learn-gain", "evaluate-gain", "ensemble", "gaussian-vi", "flow-vi", "amortized",
                                "assimilate", "sweep"}) {  // inpainting needs images: inpainting_job_test.cpp
    const Workplace place;
    const auto example = place.vida({"init", job});
    ASSERT_EQ(example.code, 0);
    EXPECT_THAT(example.out, HasSubstr("job = \"" + job + "\""));
    place.write("example.toml", example.out);
    std::vector<std::string> words = {"run", "example.toml"};
    if (job == "ensemble")
      words.insert(words.end(), {"--set", "ensemble.members=10", "--set", "ensemble.steps=10"});
    else if (job == "gaussian-vi")
      words.insert(words.end(), {"--set", "fit.steps=30", "--set", "diagnostics.draws=1000"});
    else if (job == "flow-vi" || job == "amortized")
      words.insert(words.end(), {"--set", "train.steps=10", "--set", "train.draws=16", "--set", "flow.hidden=8",
                                 "--set", "diagnostics.problems=0"});
    else
      words.insert(words.end(), {"--set", "model.n=8", "--set", "observations.cycles=10"});
    if (job == "assimilate" || job == "sweep") words.insert(words.end(), {"--set", "run.burn_in=5"});
    if (job == "amortized")
      words.insert(words.end(), {"--set", "diagnostics.joint_draws=50", "--set", "diagnostics.replications=15"});
    if (job == "learn-gain") words.insert(words.end(), {"--set", "test.cycles=10", "--set", "optimizer.iterations=1"});
    const auto answer = place.vida(words);
    EXPECT_EQ(answer.code, 0) << job << ": " << answer.err;
  }
}

TEST(Commands, ListAndInfoAndVersion) {
  const Workplace place;
  EXPECT_THAT(place.vida({"list"}).out, AllOf(HasSubstr("circulant"), HasSubstr("ensemble transform Kalman filter")));
  EXPECT_THAT(place.vida({"info"}).out, HasSubstr(kVersion));
  EXPECT_EQ(place.vida({"--version"}).out, std::string("vida ") + kVersion + "\n");
  for (const auto& words : {std::vector<std::string>{"--help"}, {"run", "--help"}}) {
    EXPECT_EQ(place.vida(words).code, 0);
    EXPECT_THAT(place.vida(words).out, HasSubstr("Exit codes"));
  }
}

TEST(Commands, SchemaHasEverySettingOfAJobWithWhatItAccepts) {
  const Workplace place;
  for (const auto& job : io::job_names()) {
    const auto json = nlohmann::json::parse(place.vida({"schema", job, "--json"}).out)["settings"];
    const auto page = place.vida({"schema", job}).out, words = place.vida({"schema", job, "--words"}).out;
    const auto settings = io::settings_of(job);
    ASSERT_EQ(json.size(), settings.size()) << job;
    for (std::size_t i = 0; i < settings.size(); ++i) {
      EXPECT_EQ(json[i]["key"], settings[i]->key);
      EXPECT_EQ(json[i]["default"].contains(job), settings[i]->fallback_of(job).has_value()) << settings[i]->key;
      EXPECT_THAT(page, HasSubstr("| `" + io::name_of(settings[i]->key) + "` | "));
    }
    EXPECT_THAT(words, HasSubstr("\nseed\n"));
  }
  const auto step = nlohmann::json::parse(place.vida({"schema", "flow-vi", "--json"}).out)["settings"];
  const auto found = std::find_if(step.begin(), step.end(), [](const auto& one) { return one["key"] == "train.step"; });
  ASSERT_NE(found, step.end());
  EXPECT_EQ((*found)["type"], "real");
  EXPECT_EQ((*found)["above"], 0.0);
  EXPECT_EQ((*found)["default"]["flow-vi"], 1e-3);
}

TEST(Commands, SchemaKnowsTheJobs) {
  const Workplace place;
  const auto answer = place.vida({"schema", "learn-gian"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(answer.err, "vida: 'learn-gian' is not a job; did you mean learn-gain?\n");
  EXPECT_EQ(place.vida({"shema"}).err, "vida: shema is not a command; did you mean schema?\n");
}

TEST(Commands, AutoSaysOnceThatThereIsNoGpuWhereTheBuildCouldUseOne) {
  const CudaStatus cuda = cuda_status();
  const Workplace place;
  place.write("small.toml", kSmallJob);
  const auto answer = place.vida({"run", "small.toml", "--quiet"}, {"VIDA_DEVICE=auto"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(answer.err, cuda.built && cuda.devices == 0 ? "vida: " + cuda.reason + "; running on the CPU.\n" : "");
}

}  // namespace
}  // namespace vida::test
