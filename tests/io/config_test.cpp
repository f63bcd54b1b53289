#include "io/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "vida/error.hpp"

namespace vida::io {
namespace {

using ::testing::HasSubstr;

Config load(const std::string& text, const std::vector<std::string>& overrides = {}) {
  const auto path =
      std::filesystem::path(::testing::TempDir()) / ("vida-config-test-" + std::to_string(::getpid()) + ".toml");
  std::ofstream(path) << text;
  return load_config(path, overrides);
}

TEST(Settings, EveryExampleHoldsItsDefaults) {
  for (const auto& job : job_names()) {
    const Config config = load(example_config(job));
    for (const Setting* setting : settings_of(job))
      if (const auto fallback = setting->fallback_of(job);
          fallback && setting->key != "job" && setting->of.empty() && section_of(setting->key) != kList) {
        EXPECT_EQ(config.at(setting->key), *fallback) << setting->key;
      }
    Config defaults(job);
    defaults.complete();
    EXPECT_EQ(config.to_toml(), defaults.to_toml());
  }
}

TEST(Config, AListOfTablesReplacesTheDefaultOneAndIsWrittenBack) {
  const Config config = load("job = 'assimilate'\n[[filters]]\n[[filters]]\nmembers = 7\nrotation = true\n");
  ASSERT_EQ(config.filters(), 2);
  EXPECT_EQ(config.integer("filters.0.members"), 40);
  EXPECT_EQ(config.integer("filters.1.members"), 7);
  EXPECT_FALSE(config.flag("filters.0.rotation"));
  EXPECT_TRUE(config.flag("filters.1.rotation"));
  EXPECT_EQ(load(config.to_toml()).to_toml(), config.to_toml());
  EXPECT_EQ(load("job = 'assimilate'").filters(), 1);
}

TEST(Config, OverridesReachEntriesOfAList) {
  const std::string text = "job = 'assimilate'\n[[filters]]\nmembers = 7\n";
  const Config changed = load(text, {"filters.0.inflation=2", "filters.1.members=9"});
  ASSERT_EQ(changed.filters(), 2);
  EXPECT_EQ(changed.integer("filters.0.members"), 7);
  EXPECT_EQ(changed.real("filters.0.inflation"), 2.0);
  EXPECT_EQ(changed.integer("filters.1.members"), 9);
  EXPECT_EQ(load(text, {"filters=[{members=3}]"}).integer("filters.0.members"), 3);
}

TEST(Config, AModelBringsItsOwnSettings) {
  const Config config = load("job = 'assimilate'\n[model]\nname = 'lorenz63'\n");
  EXPECT_EQ(config.integer("model.n"), 3);
  EXPECT_EQ(config.real("model.dt"), 0.01);
  EXPECT_EQ(config.real("model.rho"), 28.0);
  EXPECT_FALSE(config.has("model.forcing"));
  EXPECT_FALSE(load("job = 'assimilate'").has("model.rho"));
}

TEST(Settings, NearestKnowsItsNeighboursAndStaysSilentOtherwise) {
  EXPECT_EQ(nearest("lern-gain", job_names()), "learn-gain");
  EXPECT_EQ(nearest("zebra", job_names()), "");
}

TEST(Config, TheStepFollowsTheOptimizer) {
  EXPECT_EQ(load("job = 'learn-gain'").real("optimizer.step"), 1e-5);
  EXPECT_EQ(load("job = 'learn-gain'\n[optimizer]\nname = 'adam'").real("optimizer.step"), 0.02);
  EXPECT_EQ(load("job = 'learn-gain'", {"optimizer.name=adam", "optimizer.step=1"}).real("optimizer.step"), 1.0);
}

TEST(Config, OverridesTakeTomlValuesAndBareWords) {
  const Config config = load("job = 'learn-gain'", {"gain.structure=banded:3", "observations.noise=[1, 2]", "seed=7"});
  EXPECT_EQ(config.text("gain.structure"), "banded:3");
  EXPECT_EQ(std::get<std::vector<double>>(config.at("observations.noise")), (std::vector<double>{1, 2}));
  EXPECT_EQ(config.integer("seed"), 7);
  EXPECT_TRUE(config.given("seed"));
  EXPECT_FALSE(config.given("model.n"));
}

TEST(Config, AxesKeepTheOrderOfTheirLines) {
  const Config config =
      load("job = 'learn-gain'\n[batch]\n'seed' = [3, 1]\n'gain.initial' = [1, 0.5]\n'filter.dt' = [0.05]\n");
  ASSERT_EQ(config.axes().size(), 3U);
  EXPECT_EQ(config.axes()[0].key, "seed");
  EXPECT_EQ(config.axes()[1].key, "gain.initial");
  EXPECT_EQ(std::get<double>(config.axes()[1].values[0]), 1.0);
}

TEST(Config, WritesWhatItReads) {
  const std::string text =
      "job = 'learn-gain'\n[model]\nn = 12\nprocess_noise = [0.5, 1e-7]\n[batch]\n'seed' = [3, 1]\ntrajectories = 4\n";
  const Config config = load(text);
  EXPECT_EQ(load(config.to_toml()).to_toml(), config.to_toml());
  EXPECT_EQ(load(config.to_toml()).trajectories, 4);
}

TEST(Config, PathsStartAtTheFileThatNamesThem) {
  const auto folder = std::filesystem::path(::testing::TempDir());
  EXPECT_EQ(load("job = 'learn-gain'\n[observations]\nfile = 'obs.nc'").text("observations.file"),
            (folder / "obs.nc").lexically_normal().string());
  EXPECT_EQ(load("job = 'learn-gain'", {"observations.file=obs.nc"}).text("observations.file"), "obs.nc");
}

TEST(Config, ComponentsAreNumbersThatAnIndexCanHold) {
  for (const std::string text : {"[0, inf]", "[1e300]", "[2147483648]", "[nan]"}) {
    try {
      load("job = 'learn-gain'\nobservations.indices = " + text);
      ADD_FAILURE() << text;
    } catch (const InvalidArgument& error) {
      EXPECT_THAT(error.what(), HasSubstr("expected a list of components, from 0.")) << text;
    }
  }
}

TEST(Config, ATextWithAnyLetterIsWrittenBack) {
  const Config config = load("job = 'learn-gain'\ngain.file = \"a\\u007fb\\tc\\\\d\"");
  EXPECT_EQ(load(config.to_toml()).to_toml(), config.to_toml());
}

TEST(Config, AKeyOfAnyNumberOfPartsIsRefused) {
  std::string key = "a";
  for (int i = 0; i < 300000; ++i) key += ".a";
  const auto refusal = [&](const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
      load("job = 'learn-gain'\n" + text, overrides);
    } catch (const InvalidArgument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string reason = "a key has more than 100 parts; a setting has two or three, as in model.n.";
  EXPECT_THAT(refusal("\n" + key + " = 1"), HasSubstr(".toml:3: " + reason));
  EXPECT_THAT(refusal("[" + key + "]"), HasSubstr(".toml:2: " + reason));
  EXPECT_THAT(refusal("x = {" + key + " = 1}"), HasSubstr(reason));
  EXPECT_THAT(refusal("", {key + "=1"}), HasSubstr(reason));
  const std::string dots(200, '.');
  EXPECT_EQ(refusal("# " + dots + "\ngain.file = '" + dots + "' # " + dots), "");
}

TEST(Settings, AWordOfAnyLengthHasNoNearOneSoon) { EXPECT_EQ(nearest(std::string(1 << 20, 'x'), job_names()), ""); }

}  // namespace
}  // namespace vida::io
