// vida check: the plan, the memory and the time of a job before it is done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <regex>

#include "cli/inpainting_jobs.hpp"
#include "cli/program.hpp"

namespace vida::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> with_settings(std::vector<std::string> words, const std::vector<std::string>& settings) {
  for (const auto& setting : settings) words.insert(words.end(), {"--set", setting});
  return words;
}

/// The number and unit behind `name`, in bytes.
double bytes_told(const std::string& text, const std::string& name) {
  std::smatch found;
  if (!std::regex_search(text, found, std::regex("\n" + name + " +([0-9.]+) ([KMGT]?i?B)"))) return std::nan("");
  const std::string units = "BKMGT";
  return std::stod(found[1]) * std::pow(1024.0, static_cast<double>(units.find(found[2].str()[0])));
}

/// Seconds that "time  about 1.2 s" tells.
double seconds_told(const std::string& text) {
  std::smatch found;
  if (!std::regex_search(text, found, std::regex("\ntime +about ([0-9.]+) s"))) return std::nan("");
  return std::stod(found[1]);
}

/// The memory that check tells is what a run takes: within a fifth, and what libraries take beside it.
void expect_memory(const Workplace& place, const std::string& config, const std::vector<std::string>& settings) {
#if VIDA_CUDA_SHIM
  GTEST_SKIP() << "the sanitizers take memory of their own";
#endif
  const auto told = place.vida(with_settings({"check", config}, settings));
  ASSERT_EQ(told.code, 0) << told.err;
  const auto ran =
      place.vida(with_settings({"run", config, "--out", "o", "--force", "--quiet"}, settings), {"PATH=/nowhere"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const double expected = bytes_told(told.out, "memory"), spare = 24.0 * (1 << 20);
  EXPECT_GT(expected, 0.8 * ran.peak_bytes - spare) << told.out << "the run took " << ran.peak_bytes;
  EXPECT_LT(expected, 1.25 * ran.peak_bytes + spare) << told.out << "the run took " << ran.peak_bytes;
}

std::string example(const Workplace& place, const std::string& job) {
  place.write("example.toml", place.vida({"init", job}).out);
  return "example.toml";
}

TEST(Check, TellsThePlanAndLeavesNothing) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  const auto answer = place.vida({"check", "small.toml", "--set", "batch={seed=[0,1,2]}"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, IsEmpty());
  for (const char* line :
       {"job                     learn-gain\n", "runs                    3\n", "cycles                  30\n",
        "iterations              3\n", "result.nc, summary.json, config.toml, gain.nc, metrics.jsonl, figures/\n"})
    EXPECT_THAT(answer.out, HasSubstr(line));
  EXPECT_THAT(place.files(), ::testing::ElementsAre("small.toml"));
}

TEST(Check, WritesItsTrialWhereTemporaryFilesGoAndTakesItAway) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  std::filesystem::create_directory(place.path("temporary"));
  const auto answer = place.vida({"check", "small.toml"}, {"TMPDIR=" + place.path("temporary").string()});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(place.files(), ::testing::ElementsAre("small.toml", "temporary"));
}

TEST(Check, TakesItsFilesAwayWhenItIsInterrupted) {
  const Workplace place;
  std::filesystem::create_directory(place.path("temporary"));
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before ? before : "/tmp";
  const std::string config = example(place, "learn-gain");
  ::setenv("TMPDIR", place.path("temporary").c_str(), 1);
  const auto answer = place.vida_interrupted({"check", config}, SIGINT, "vida-check");
  ::setenv("TMPDIR", kept.c_str(), 1);
  EXPECT_EQ(answer.code, 128 + SIGINT) << answer.err;
  EXPECT_THAT(place.files(), ::testing::ElementsAre("example.toml", "temporary"));
}

TEST(Check, EveryExampleHasATime) {
  for (const std::string job :
       {"evaluate-gain", "ensemble", "gaussian-vi", "flow-vi", "amortized", "assimilate", "sweep"}) {
    const Workplace place;
    std::vector<std::string> settings;
    if (job == "ensemble")
      settings = {"ensemble.members=100", "ensemble.steps=50", "ensemble.lyapunov_exponents=2"};
    else if (job == "gaussian-vi")
      settings = {"fit.steps=100", "diagnostics.draws=1000"};
    else if (job == "flow-vi" || job == "amortized")
      settings = {"train.steps=40", "train.draws=16", "flow.hidden=8", "diagnostics.draws=1000"};
    else
      settings = {"model.n=8", "observations.cycles=20"};
    if (job == "assimilate" || job == "sweep") settings.push_back("run.burn_in=5");
    if (job == "amortized")
      settings.insert(settings.end(), {"diagnostics.joint_draws=50", "diagnostics.replications=15"});
    const auto answer = place.vida(with_settings({"check", example(place, job)}, settings));
    EXPECT_EQ(answer.code, 0) << job << ": " << answer.err;
    EXPECT_TRUE(std::isfinite(seconds_told(answer.out))) << job << ":\n" << answer.out;
    EXPECT_THAT(answer.out, HasSubstr("result.nc"));
  }
}

TEST(Check, SaysWhatTheJobSaysToDataThatItCannotUse) {
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"learn-gain", {"observations.file=none.nc"}},
      {"assimilate", {"run.burn_in=9000"}},
      {"assimilate", {"filters.0.method=kalman"}},
      {"sweep", {"sweep.members=[1]"}},
      {"gaussian-vi", {"problem.observation=[1, 2]"}},
      {"gaussian-vi", {"problem.target=banana", "problem.simulate=3"}},
      {"flow-vi", {"train.steps=100000000", "train.draws=100"}},
      {"flow-vi", {"train.validate_every=0", "train.patience=2"}},
      {"amortized", {"problem.target=two-moons"}},
      {"ensemble", {"ensemble.lyapunov_exponents=50"}},
      {"inpainting", {"data=nowhere"}},
  };
  for (const auto& [job, settings] : cases) {
    const Workplace place;
    const std::string config = example(place, job);
    const auto told = place.vida(with_settings({"check", config}, settings));
    const auto ran = place.vida(with_settings({"run", config, "--quiet"}, settings));
    EXPECT_EQ(told.code, 2) << job << ": " << told.out;
    EXPECT_EQ(told.err, ran.err);
    EXPECT_EQ(told.code, ran.code);
  }
}

TEST(Check, RefusesWhatTheMemoryDoesNotHold) {
  const Workplace place;
  const std::string config = example(place, "ensemble");
  const auto large = place.vida(with_settings(
      {"check", config}, {"ensemble.members=100000", "ensemble.steps=1000000", "ensemble.snapshot_every=1",
                          "ensemble.snapshot_members=100000", "model.n=1000"}));
  EXPECT_EQ(large.code, 3) << large.out;
  EXPECT_THAT(large.err, HasSubstr("more memory than may be planned with"));
  EXPECT_TRUE(std::isnan(seconds_told(large.out)));
}

TEST(Check, TellsTheMemoryOfLearnGain) {
  const Workplace place;
  expect_memory(place, example(place, "learn-gain"),
                {"observations.cycles=1500", "optimizer.iterations=1", "batch={seed=[0,1,2]}"});
}

TEST(Check, TellsTheMemoryOfAssimilate) {
  const Workplace place;
  expect_memory(place, example(place, "assimilate"),
                {"observations.cycles=2000", "run.seeds=40", "run.means=always", "run.crps_every=0"});
}

TEST(Check, TellsTheMemoryOfEnsemble) {
  const Workplace place;
  expect_memory(place, example(place, "ensemble"),
                {"ensemble.members=400000", "ensemble.steps=20", "ensemble.chunk=400000", "ensemble.snapshot_every=1",
                 "ensemble.snapshot_members=5000"});
}

TEST(Check, TellsTheMemoryOfInpainting) {
  const Workplace place;
  write_pictures(place);
  place.write("i.toml", kInpainting);
  expect_memory(place, "i.toml",
                {"train.epochs=1", "classifier.epochs=1", "flow.hidden=512", "flow.components=8", "flow.layers=6",
                 "train.step=1e-4"});
}

}  // namespace
}  // namespace vida::test
