// A sweep whose runs are shared out to several processes: its files are, to the byte, those of one process alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "cli/sweep_jobs.hpp"
#include "ranks/on_ranks.hpp"

namespace vida::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string csv_of(const Workplace& place, const std::string& folder) { return place.read(folder + "/sweep.csv"); }

class OnRanks : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sweep, OnRanks, ::testing::Values(1, 2, 3, 4, 7));

TEST_P(OnRanks, LeavesTheFilesOfOneProcess) {
  const Workplace place;
  place.write("s.toml", kSweep);
  const std::vector<std::string> further = {"--set", "sweep.validate=2"};
  std::vector<std::string> words = {"run", "s.toml", "--out", "alone", "--threads", "1"};
  words.insert(words.end(), further.begin(), further.end());
  const auto alone = place.vida(words, {"PATH=/nowhere"});
  ASSERT_EQ(alone.code, 0) << alone.err;
  words[3] = "shared";
  const auto shared = on_ranks(place, GetParam(), words);
  ASSERT_EQ(shared.code, 0) << shared.err;
  EXPECT_EQ(place.read("shared/result.nc"), place.read("alone/result.nc"));
  EXPECT_EQ(csv_of(place, "shared"), csv_of(place, "alone"));
  EXPECT_EQ(place.read("shared/config.toml"), place.read("alone/config.toml"));
  const auto summary = nlohmann::json::parse(place.read("shared/summary.json"));
  EXPECT_EQ(summary["runs"], 18);
  EXPECT_EQ(summary.value("processes", 1), GetParam());
  // one process speaks for all of them
  EXPECT_EQ(shared.out.find("best setting"), shared.out.rfind("best setting"));
  EXPECT_THAT(shared.err, HasSubstr("run-cycles 1080/1080"));
}

TEST(Ranks, MoreThanThereAreRunsAreNoHarm) {
  const Workplace place;
  place.write("s.toml",
              "job = 'sweep'\n[model]\nn = 8\n[observations]\ncycles = 30\n[run]\nburn_in = 10\n"
              "[sweep]\ninflation = [1.0, 1.1]\n[[filters]]\nmethod = 'etkf'\nmembers = 6\n");
  ASSERT_EQ(place.vida({"run", "s.toml", "--out", "alone"}, {"PATH=/nowhere"}).code, 0);
  const auto shared = on_ranks(place, 5, {"run", "s.toml", "--out", "shared"});
  ASSERT_EQ(shared.code, 0) << shared.err;
  EXPECT_EQ(place.read("shared/result.nc"), place.read("alone/result.nc"));
}

TEST(Ranks, AWrongSettingIsSaidOnce) {
  const Workplace place;
  place.write("s.toml", kSweep);
  const auto answer = on_ranks(place, 3, {"run", "s.toml", "--set", "model.n=3"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("model.n"));
  EXPECT_EQ(answer.err.find("vida: "), answer.err.rfind("vida: ")) << answer.err;
}

TEST(Ranks, OfDifferentConfigurationsAreRefused) {
  const Workplace place;
  place.write("s.toml", kSweep);
  place.write("t.toml", kSweep);
  const auto answer =
      on_ranks(place, 2, {"run", "s.toml", ":", "-n", "1", VIDA_PROGRAM, "run", "t.toml", "--set", "model.forcing=7"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("rank 0 on "), HasSubstr(" has model.forcing = 8.0, but rank 2 on "),
                                HasSubstr(" has model.forcing = 7.0. All processes need one version")));
  EXPECT_THAT(place.files(), Not(::testing::Contains(HasSubstr("runs"))));
}

TEST(Ranks, OtherJobsAreRefused) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  const auto answer = on_ranks(place, 2, {"run", "small.toml"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("job \"learn-gain\" is work for one process, but a launcher started 2. Start it "
                                    "without mpirun"));
}

}  // namespace
}  // namespace vida::test
