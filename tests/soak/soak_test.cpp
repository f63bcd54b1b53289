// Memory stays flat, over jobs in one process and over one long job. VIDA_SOAK_SECONDS is the time of each test, 10 by
// default; scripts/test --full --soak gives an hour.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "cli/program.hpp"
#include "cli/sweep_jobs.hpp"
#include "io/config.hpp"
#include "jobs/job.hpp"
#include "vida/device.hpp"

namespace vida::test {
namespace {

using Clock = std::chrono::steady_clock;

double soak_seconds() {
  const char* text = std::getenv("VIDA_SOAK_SECONDS");
  return text ? std::stod(text) : 10;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// VmRSS of a process in kB; 0 when it is no more.
long resident_memory(int process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string word; status >> word;)
    if (word == "VmRSS:" && status >> word) return std::stol(word);
  return 0;
}

long median(std::vector<long> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The median of the last third of the samples less that of the first. The allocator keeps a few pages here and there;
/// what is lost again and again adds up.
long growth(const std::vector<long>& samples) {
  const auto third = std::ssize(samples) / 3;
  return median({samples.end() - third, samples.end()}) - median({samples.begin(), samples.begin() + third});
}

constexpr long kTolerance = 4096;  // kB: the least that is seen among what the allocator does with freed blocks

/// Every job that needs no data, small.
std::vector<std::pair<std::string, std::string>> small_jobs() {
  const std::string flow = "[flow]\nhidden = 8\n[train]\nsteps = 10\ndraws = 16\n[diagnostics]\nproblems = 0\n";
  return {
      {"learn", kSmallJob},
      {"evaluate", "job = \"evaluate-gain\"\n[model]\nn = 8\n[observations]\ncycles = 10\n"},
      {"ensemble", "job = \"ensemble\"\n[model]\nn = 8\n[ensemble]\nmembers = 10\nsteps = 10\n"},
      {"gaussian", "job = \"gaussian-vi\"\n[fit]\nsteps = 30\n[diagnostics]\ndraws = 1000\n"},
      {"flow", "job = \"flow-vi\"\n" + flow},
      {"amortized", "job = \"amortized\"\n" + flow + "joint_draws = 50\nreplications = 15\n"},
      {"assimilate", "job = \"assimilate\"\n[model]\nn = 8\n[observations]\ncycles = 10\n[run]\nburn_in = 5\n"},
      {"sweep", kSweep},
  };
}

TEST(Soak, JobsInOneProcessKeepMemoryFlat) {
  const Workplace place;
  for (const auto& [name, text] : small_jobs()) place.write(name + ".toml", text);
  std::vector<long> samples;
  for (const auto start = Clock::now(); samples.size() < 9 || seconds_since(start) < soak_seconds();) {
    for (const auto& job : small_jobs()) {
      const Device device({.name = "cpu", .threads = 2});
      io::OutputFolder folder(place.path(job.first), true);
      const auto config = io::load_config(place.path(job.first + ".toml"));
      jobs::JobCheckpoint forgotten;
      const auto outcome = jobs::run_job(
          device, config, folder, [](const jobs::Status&) { return true; }, forgotten, *ranks::sole());
      ASSERT_TRUE(outcome.usable) << job.first;
      folder.commit();
    }
    samples.push_back(resident_memory(::getpid()));
  }
  samples.erase(samples.begin(), samples.begin() + std::ssize(samples) / 4);  // the first rounds fill caches
  ::testing::Test::RecordProperty("growth_kB", std::to_string(growth(samples)));
  EXPECT_LE(growth(samples), kTolerance) << "kB over " << samples.size()
                                         << " rounds of every job: " << ::testing::PrintToString(samples);
}

TEST(Soak, ALongJobKeepsMemoryFlat) {
  const Workplace place;
  place.write("long.toml",
              "job = \"learn-gain\"\n[observations]\ncycles = 500\n[optimizer]\niterations = 1000000000\n");
  std::vector<long> samples;
  const Answer answer = place.vida_watched({"run", "long.toml", "--out", "out"}, [&](int process) {
    for (const auto start = Clock::now(); seconds_since(start) < soak_seconds();) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      if (seconds_since(start) > soak_seconds() / 4) samples.push_back(resident_memory(process));
    }
  });
  EXPECT_EQ(answer.code, 130) << answer.err;
  const std::string metrics = place.read("out/metrics.jsonl");
  const auto iterations = std::count(metrics.begin(), metrics.end(), '\n');
  EXPECT_GT(iterations, 0);
  ASSERT_GE(samples.size(), 9U);
  ::testing::Test::RecordProperty("growth_kB", std::to_string(growth(samples)));
  // of each iteration a few numbers are kept, in vectors that double
  EXPECT_LE(growth(samples), kTolerance + iterations * 128 / 1024)
      << "kB over " << iterations << " iterations: " << ::testing::PrintToString(samples);
}

}  // namespace
}  // namespace vida::test
