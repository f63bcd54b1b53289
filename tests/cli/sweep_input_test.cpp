// What the job sweep refuses, and what it says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cli/inference_jobs.hpp"
#include "cli/sweep_jobs.hpp"

namespace vida::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void expect_refused(const std::vector<std::string>& settings, const std::string& message) {
  const Workplace place;
  std::vector<std::string> words;
  for (const auto& setting : settings) words.insert(words.end(), {"--set", setting});
  const auto answer = run_sweep_job(place, words);
  EXPECT_EQ(answer.code, 2) << ::testing::PrintToString(settings);
  EXPECT_THAT(answer.err, AllOf(StartsWith("vida: "), HasSubstr(message)));
  EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
  EXPECT_THAT(place.files(), ElementsAre("s.toml"));
}

TEST(SweepInput, AxesAreCheckedValueByValue) {
  expect_refused({"sweep.inflatoin=[1]"}, "sweep.inflatoin is not a setting; did you mean sweep.inflation?");
  expect_refused({"sweep.inflation=[]"}, "sweep.inflation = []: give at least one value.");
  expect_refused({"sweep.inflation=1.1"}, "sweep.inflation: expected a list with the values of this axis, as in ");
  expect_refused({"sweep.inflation=[1.1, -1]"}, "sweep.inflation = -1: expected a number above 0.");
  expect_refused({"sweep.inflation=[1.1, inf]"}, "sweep.inflation = inf: expected a number above 0.");
  expect_refused({"sweep.members=[20, 20]"}, "sweep.members holds 20 twice; give each value once.");
  expect_refused({"sweep.method=['etkf', 'serail']"}, "Did you mean \"serial\"?");
  expect_refused({"sweep.rotation=[1]"}, "sweep.rotation = 1: expected true or false.");
  expect_refused({"sweep.operator=['evry:2']"}, "sweep.operator = \"evry:2\": expected one of ");
  expect_refused({"sweep.validate=-1"}, "sweep.validate = -1: expected a whole number of at least 0.");
  expect_refused({"sweep.relaxation=[0.5, 2]"}, "relaxation is 2, expected a number from 0 to 1");
}

TEST(SweepInput, CombinationsThatMeanNothing) {
  expect_refused({"sweep.lag=[1, 2]"}, "sweep.lag: etkf, serial have no such setting; it is one of ienks.");
  expect_refused({"filters.0.lag=2"},
                 "filters.0.lag = 2: no method of sweep.method has any such setting; it is one of ienks.");
  expect_refused({"model.name=lorenz63", "model.n=3", "sweep.forcing=[7, 8]"},
                 "sweep.forcing: lorenz63 has no such setting; it is one of lorenz96.");
  expect_refused({"batch.seed=[1, 2]"}, "[batch] is not part of job \"sweep\"; list values in [sweep].");
  expect_refused({"run.means=always"}, "run.means is not a setting of job \"sweep\".");
  expect_refused({"run.burn_in=60"}, "run.burn_in = 60, but there are 60 cycles; leave some to average over.");
  const Workplace place;
  EXPECT_THAT(run_sweep_job(place, {}, "job = 'sweep'\n[[filters]]\nmethod = 'etkf'\n").err,
              HasSubstr("a sweep needs an axis: write a list in [sweep]"));
  EXPECT_THAT(run_sweep_job(place, {}, "job = 'assimilate'\n[sweep]\nmembers = [4]\n").err,
              HasSubstr("sweep.members is not a setting of job \"assimilate\"."));
}

TEST(SweepInput, ObservationsOfAFileNeedTheirTruth) {
  const Workplace place;
  {
    io::NetcdfWriter file(place.path("obs.nc"));
    Matrix y({60, 8});
    for (long i = 0; i < y.size(); ++i) y.data()[i] = std::sin(static_cast<double>(i));
    file.put("y", {"cycle", "obs"}, y, {"observations"});
    file.close();
  }
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"--set", "observations.file=obs.nc", "--set", "run.seeds=4"});
    return run_sweep_job(place, words).err;
  };
  EXPECT_THAT(with({}), HasSubstr("'obs.nc' holds no truth, and a sweep ranks settings by their error."));
  EXPECT_THAT(with({"--set", "sweep.noise=[1, 2]"}), HasSubstr("sweep.noise is an axis of simulated data"));
}

}  // namespace
}  // namespace vida::test
