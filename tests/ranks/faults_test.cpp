// Ranks that die, wait, stop or have no memory: one message says which, and the run goes on from what had ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/sweep_jobs.hpp"
#include "ranks/on_ranks.hpp"

namespace vida::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// A sweep of 240 runs: a second of work.
const char* const kSecond = R"(job = "sweep"
[observations]
cycles = 600
[run]
seeds = 4
burn_in = 100
[sweep]
method = ["etkf", "denkf", "enkf"]
members = [20, 25, 30, 40]
inflation = [1.0, 1.02, 1.05, 1.1, 1.2]
[[filters]]
)";

/// Runs the sweep in `out` on so many ranks, of which `which` does `what` instead of starting vida like the others;
/// "$@" is the command.
Answer with_one(const Workplace& place, int ranks, int which, const std::string& what,
                const std::vector<std::string>& words) {
  place.write("one.sh", "#!/bin/sh\nif [ \"$OMPI_COMM_WORLD_RANK\" = " + std::to_string(which) + " ]; then\n" + what +
                            "\nelse exec \"$@\"; fi\n");
  std::vector<std::string> all = {"/bin/sh", "one.sh", VIDA_PROGRAM};
  all.insert(all.end(), words.begin(), words.end());
  return command_on_ranks(place, ranks, all);
}

class FaultsOfRanks : public ::testing::Test {
 protected:
  void SetUp() override {
    place.write("s.toml", kSecond);
    const auto alone = place.vida({"run", "s.toml", "--out", "alone"}, {"PATH=/nowhere"});
    ASSERT_EQ(alone.code, 0) << alone.err;
  }
  void expect_the_result_in(const std::string& folder) const {
    EXPECT_EQ(place.read(folder + "/result.nc"), place.read("alone/result.nc"));
    EXPECT_EQ(place.read(folder + "/sweep.csv"), place.read("alone/sweep.csv"));
  }
  Workplace place;
};

TEST_F(FaultsOfRanks, AKilledRankEndsTheJobAndAnyNumberOfRanksGoesOn) {
  const std::vector<std::string> words = {"run", "s.toml", "--resume", "o", "--checkpoint-steps", "1"};
  const auto killed = with_one(place, 3, 2, "/usr/bin/timeout -s KILL 0.5 \"$@\"", words);
  EXPECT_NE(killed.code, 0);
  EXPECT_THAT(place.files(), ::testing::Contains("o/checkpoint.safetensors"));
  EXPECT_THAT(place.files(), Not(::testing::Contains("o/result.nc")));
  const auto again = with_one(place, 4, 0, "/usr/bin/timeout -s KILL 0.5 \"$@\"", words);
  EXPECT_NE(again.code, 0);
  EXPECT_THAT(place.files(), ::testing::Contains("o/checkpoint.safetensors"));
  const auto rest = on_ranks(place, 2, words);
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_THAT(rest.err, HasSubstr("the run in o goes on after "));
  expect_the_result_in("o");
}

TEST_F(FaultsOfRanks, OneProcessGoesOnWhereSeveralWereAndBack) {
  std::vector<std::string> words = {"run", "s.toml", "--resume", "o", "--checkpoint-steps", "1"};
  const auto killed = with_one(place, 2, 1, "/usr/bin/timeout -s KILL 0.5 \"$@\"", words);
  EXPECT_NE(killed.code, 0);
  place.vida_killed(words, 0.1, {"PATH=/nowhere"});
  const auto rest = on_ranks(place, 3, words);
  ASSERT_EQ(rest.code, 0) << rest.err;
  expect_the_result_in("o");
}

TEST_F(FaultsOfRanks, ARankThatStandsStillHoldsUpItsChunkAlone) {
  const auto answer = with_one(place, 3, 1, "\"$@\" & sleep 0.4; kill -STOP $!; sleep 1.5; kill -CONT $!; wait $!",
                               {"run", "s.toml", "--out", "o"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  expect_the_result_in("o");
}

TEST_F(FaultsOfRanks, ARankThatFailsIsNamed) {
  const auto answer = with_one(place, 3, 1, "exec \"$@\" --device cuda:99", {"run", "s.toml", "--out", "o"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("vida: rank 1 of 3, on "), HasSubstr(": --device cuda:99: ")));
  EXPECT_EQ(answer.err.find("vida: "), answer.err.rfind("vida: ")) << answer.err;
}

TEST_F(FaultsOfRanks, AnInterruptOfOneRankStopsAllAndLeavesAState) {
  const auto answer =
      with_one(place, 3, 1, "/usr/bin/timeout -s INT 0.5 \"$@\"; exit 0", {"run", "s.toml", "--out", "o"});
  EXPECT_THAT(answer.err, HasSubstr("interrupted; the results so far are in o. 'vida run --resume o' goes on."));
  const auto rest = on_ranks(place, 2, {"run", "--resume", "o"});
  ASSERT_EQ(rest.code, 0) << rest.err;
  expect_the_result_in("o");
}

}  // namespace
}  // namespace vida::test
