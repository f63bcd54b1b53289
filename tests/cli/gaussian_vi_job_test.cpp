// The gaussian-vi job, run as a user would.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cli/inference_jobs.hpp"

namespace vida::test {
namespace {

using io::NetcdfReader;
using ::testing::HasSubstr;

/// Runs a configuration of the job.
Answer run(const Workplace& place, const std::string& text, const std::vector<std::string>& more = {}) {
  place.write("g.toml", "job = 'gaussian-vi'\n" + text);
  std::vector<std::string> words = {"run", "g.toml", "--out", "o", "--force"};
  words.insert(words.end(), more.begin(), more.end());
  return place.vida(words);
}

TEST(GaussianViJob, ReachesThePublishedOptimumFromItsDefaults) {
  const Workplace place;
  const auto answer = run(place, "");
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("4.392499    4.877902   0.48540"));
  EXPECT_THAT(answer.err, HasSubstr("k-hat is "))
      << "a full Gaussian does not cover this posterior, and the job says so";
  const auto one = summary_of(place)["examined"][0];
  EXPECT_NEAR(one["true_log_evidence"], 4.877902, 1e-5);
  EXPECT_NEAR(one["log_evidence"], 4.877902, 0.3) << "its weights have hardly a variance (k-hat .7)";
  const NetcdfReader result(place.path("o/result.nc"));
  EXPECT_NEAR(result.values("mean")[0], -.55710, 1e-4);
  EXPECT_NEAR(result.values("true_mean")[1], .72449, 1e-4);
  EXPECT_EQ(result.shape("loss"), (std::vector<long>{1, 4000}));
  const auto files = place.files();
  for (const char* name : {"o/figures/posterior.svg", "o/figures/posterior.png", "o/figures/loss.svg"})
    EXPECT_TRUE(std::find(files.begin(), files.end(), name) != files.end() ||
                std::count_if(files.begin(), files.end(), [](const auto& file) { return file.ends_with(".dat"); }) > 0)
        << name;
}

TEST(GaussianViJob, FitsABatchFromAFileAndFromTheJointLaw) {
  const Workplace place;
  {
    io::NetcdfWriter file(place.path("y.nc"));
    Matrix y({2, 5});
    const double values[] = {.1615, .1868, .3949, .3728, .4177, .18, .32, .42, .49, .54};
    std::copy(std::begin(values), std::end(values), y.begin());
    file.put("y", {"problem", "obs"}, y, {"observations"});
    file.close();
  }
  auto answer = run(place, "[problem]\nfile = 'y.nc'\n[diagnostics]\ndraws = 1000\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
  const auto elbo = NetcdfReader(place.path("o/result.nc")).values("elbo");
  EXPECT_NEAR(elbo[0], 4.392499, 1e-4);
  EXPECT_NEAR(elbo[1], 8.592729, 1e-4);
  answer = run(place, "[problem]\nsimulate = 20\n[fit]\nsteps = 50\n[diagnostics]\nproblems = 1\ndraws = 1000\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(NetcdfReader(place.path("o/result.nc")).shape("mean"), (std::vector<long>{20, 2}));
  EXPECT_THAT(answer.out, HasSubstr("and 19 more problems in result.nc"));
}

TEST(GaussianViJob, IsExactForALinearGaussianProblem) {
  const Workplace place;
  write_linear(place);
  const auto answer = run(place, "[problem]\ntarget = 'linear-gaussian'\nfile = 'linear.nc'\nnoise_variance = 0.3\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
  const auto one = summary_of(place)["examined"][0];
  EXPECT_NEAR(one["kl"], 0, 1e-6);
  EXPECT_NEAR(one["elbo"], one["log_evidence"], 1e-6);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(one["mean"][k], one["true_mean"][k], 1e-4);
}

TEST(GaussianViJob, KnowsTheDensitiesWithoutData) {
  const Workplace place;
  for (const char* target : {"banana", "two-moons"}) {
    const auto answer = run(place, fmt::format("[problem]\ntarget = '{}'\n[diagnostics]\ndraws = 1000\n", target));
    ASSERT_EQ(answer.code, 0) << target << ": " << answer.err;
    EXPECT_GT(summary_of(place)["examined"][0]["kl"], 0) << target;
    const auto again = place.vida({"run", "o/config.toml", "--out", "again", "--force"}, {"PATH=/nowhere"});
    EXPECT_EQ(again.code, 0) << "the configuration that a run leaves: " << again.err;
  }
}

TEST(GaussianViJob, RefusesWhatItCannotUse) {
  const Workplace place;
  const auto refused = [&](const std::string& text) {
    const auto answer = run(place, text);
    EXPECT_EQ(answer.code, 2) << text;
    EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
    return answer.err;
  };
  EXPECT_THAT(refused("[problem]\nobservation = [1, 2]\n"),
              HasSubstr("problem.observation = [1, 2]: target oxygen-demand needs a list of 5 numbers."));
  EXPECT_THAT(refused("[problem]\nobservation = [1, 2, 3, 4, nan]\n"), HasSubstr("nan"));
  EXPECT_THAT(refused("[problem]\ntarget = 'linear-gaussian'\n"), HasSubstr("needs A [obs, state] in problem.file."));
  EXPECT_THAT(refused("[problem]\ntarget = 'banana'\nsimulate = 5\n"), HasSubstr("density without data"));
  EXPECT_THAT(refused("[problem]\ntarget = 'banana'\nobservation = [1, 2]\n"),
              HasSubstr("problem.target = \"banana\" has no such setting; it is one of oxygen-demand"));
  EXPECT_THAT(refused("[problem]\nfile = 'none.nc'\n"), HasSubstr("none.nc"));
  EXPECT_THAT(refused("[fit]\nfamily = 'fullest'\n"), HasSubstr("full"));
  EXPECT_THAT(refused("[batch]\n'seed' = [1, 2]\n"), HasSubstr("[batch] is not part of job \"gaussian-vi\""));
}

}  // namespace
}  // namespace vida::test
