// Every job, killed at random moments and resumed: the result is the one of a run that was left alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>

#include "cli/inpainting_jobs.hpp"
#include "cli/program.hpp"
#include "cli/sweep_jobs.hpp"

namespace vida::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// A job that takes some tenths of a second.
struct Job {
  std::string name, text;
  std::vector<std::string> files;  ///< besides result.nc
  friend void PrintTo(const Job& job, std::ostream* out) { *out << job.name; }
};

const std::vector<Job>& jobs() {
  static const std::vector<Job> list = {
      {"learn_gain",
       R"(job = "learn-gain"
[model]
n = 12
[observations]
cycles = 100
[optimizer]
iterations = 40
[test]
cycles = 50
[batch]
"gain.initial" = [0.1, 0.5]
)",
       {"gain.nc", "metrics.jsonl"}},
      {"evaluate_gain", "job = \"evaluate-gain\"\n[model]\nn = 40\n[observations]\ncycles = 200\n", {}},
      {"ensemble",
       R"(job = "ensemble"
[model]
n = 9
[ensemble]
members = 2500
steps = 1500
chunk = 1000
snapshot_every = 500
lyapunov_exponents = 3
)",
       {}},
      {"gaussian_vi",
       R"(job = "gaussian-vi"
[problem]
simulate = 300
[fit]
steps = 600
expectation = "monte-carlo"
[diagnostics]
problems = 1
draws = 1000
)",
       {"gaussian.safetensors"}},
      {"flow_vi",
       R"(job = "flow-vi"
[problem]
simulate = 6
[flow]
layers = 2
hidden = 16
[train]
steps = 200
draws = 32
validate_every = 50
validation_draws = 64
search = [1e-2, 1e-3]
search_steps = 50
[diagnostics]
problems = 1
draws = 1000
)",
       {"flow.safetensors"}},
      {"amortized",
       R"(job = "amortized"
[flow]
layers = 2
hidden = 16
[train]
steps = 400
draws = 64
validate_every = 100
validation_draws = 64
[diagnostics]
problems = 1
draws = 1000
joint_draws = 50
replications = 10
calibration_draws = 50
)",
       {"flow.safetensors"}},
      {"assimilate",
       R"(job = "assimilate"
[model]
n = 12
[observations]
cycles = 3000
[run]
seeds = 2
[[filters]]
method = "etkf"
members = 8
inflation = 1.1
[[filters]]
method = "ienks"
members = 10
[[filters]]
method = "ekf"
)",
       {}},
      {"sweep", kSweep, {"sweep.csv"}},
      {"inpainting",
       std::regex_replace(kInpainting, std::regex("epochs = [0-9]+"), "epochs = 5"),
       {"model.safetensors"}},
  };
  return list;
}

/// summary.json without what a clock says.
nlohmann::json summary_without_time(const Workplace& place, const std::string& folder) {
  auto summary = nlohmann::json::parse(place.read(folder + "/summary.json"));
  const std::regex of_time("seconds.*|.*_per_second|peak_memory_bytes");
  const std::function<void(nlohmann::json&)> strip = [&](nlohmann::json& part) {
    if (part.is_object())
      for (auto entry = part.begin(); entry != part.end();)
        entry = std::regex_match(entry.key(), of_time) ? part.erase(entry) : std::next(entry);
    for (auto& inner : part)
      if (inner.is_structured()) strip(inner);
  };
  strip(summary);
  return summary;
}

std::string without_seconds(const std::string& text) {
  return std::regex_replace(text, std::regex("\"seconds\":[^,}]*"), "");
}

int kills_wanted() {
  const char* text = std::getenv("VIDA_KILLS");
  return text ? std::atoi(text) : 3;
}

class Killed : public ::testing::TestWithParam<Job> {};
INSTANTIATE_TEST_SUITE_P(Every, Killed, ::testing::ValuesIn(jobs()),
                         [](const auto& instance) { return instance.param.name; });

TEST_P(Killed, JobGoesOnToTheSameResult) {
  const Job& job = GetParam();
  const Workplace place;
  if (job.name == "inpainting") write_pictures(place);
  place.write("c.toml", job.text);
  const std::vector<std::string> without_gnuplot = {"PATH=/nowhere"};
  const auto start = std::chrono::steady_clock::now();
  const auto whole = place.vida({"run", "c.toml", "--out", "whole", "--threads", "2"}, without_gnuplot);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_THAT(place.files(), Not(Contains(HasSubstr("checkpoint"))));

  std::mt19937 generator(1);
  std::vector<std::string> words = {"run", "c.toml", "--resume", "r", "--checkpoint-steps", "1", "--threads", "2"};
  Answer answer;
  int kills = 0, resumed = 0;
  for (const int wanted = kills_wanted(); kills < wanted;) {
    answer = place.vida_killed(words, seconds * generator() / 4294967296.0, without_gnuplot);
    resumed += answer.err.find("goes on after") != std::string::npos;
    if (answer.code == -SIGKILL) {
      ++kills;
      continue;
    }
    ASSERT_EQ(answer.code, 0) << answer.err;
    if (kills >= wanted) break;
    std::filesystem::remove_all(place.path("r"));  // it came to its end: once more
  }
  answer = place.vida(words, without_gnuplot);
  ASSERT_EQ(answer.code, 0) << answer.err;
  resumed += answer.err.find("goes on after") != std::string::npos;
  if (job.name != "evaluate_gain" && kills >= 50) {
    EXPECT_GT(resumed, 0);
  }

  EXPECT_EQ(place.read("r/result.nc"), place.read("whole/result.nc"));
  for (const auto& file : job.files)
    EXPECT_EQ(without_seconds(place.read("r/" + file)), without_seconds(place.read("whole/" + file))) << file;
  EXPECT_EQ(summary_without_time(place, "r"), summary_without_time(place, "whole"));
  EXPECT_EQ(place.read("r/config.toml"), place.read("whole/config.toml"));
  EXPECT_THAT(place.files(), Not(Contains(HasSubstr("checkpoint"))));
  EXPECT_THAT(place.files(), Not(Contains(HasSubstr(".tmp"))));
}

}  // namespace
}  // namespace vida::test
