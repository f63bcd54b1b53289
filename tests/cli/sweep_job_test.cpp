// The job sweep, run as a user would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <sstream>
#include <tuple>

#include "backend/archive.hpp"
#include "cli/inference_jobs.hpp"
#include "cli/sweep_jobs.hpp"
#include "jobs/sweep_plan.hpp"
#include "jobs/sweep_runs.hpp"
#include "vida/vida.hpp"

namespace vida::test {
namespace {

using io::NetcdfReader;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::vector<std::string>> csv_of(const Workplace& place) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(place.read("o/sweep.csv"));
  for (std::string line; std::getline(lines, line);) {
    rows.emplace_back();
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(cell);
  }
  return rows;
}

TEST(SweepJob, LeavesATableOfTheBestAndEveryFile) {
  const Workplace place;
  place.write("s.toml", kSweep);
  const auto answer = place.vida({"run", "s.toml", "--out", "o"}, {"PATH=/nowhere"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("best setting"), HasSubstr("\netkf N 10"), HasSubstr("\nserial N 10"),
                                HasSubstr("best of 9 points by the median over 2 data sets of 60 cycles, the first 20"),
                                HasSubstr("18 runs in "), HasSubstr(" runs/s\n")));
  EXPECT_THAT(answer.err, AllOf(HasSubstr("vida: etkf does not use radius: it runs once for all values."),
                                HasSubstr("run-cycles 1080/1080"), HasSubstr("/s  0 s left")));
  EXPECT_THAT(place.files(),
              ::testing::IsSupersetOf({"o/config.toml", "o/result.nc", "o/summary.json", "o/sweep.csv"}));
  const auto summary = summary_of(place);
  EXPECT_EQ(summary["axes"]["radius"], nlohmann::json({2.0, "inf"}));
  EXPECT_EQ(summary["axes"]["method"], nlohmann::json({"etkf", "serial"}));
  EXPECT_EQ(summary["points"], 9);
  EXPECT_EQ(summary["runs"], 18);
  EXPECT_GT(summary["runs_per_second"], 0);
  ASSERT_EQ(summary["best"].size(), 2U);
  EXPECT_FALSE(summary["best"][0]["at"].contains("radius"));
  EXPECT_TRUE(summary["best"][1]["at"].contains("radius"));
}

TEST(SweepJob, TheSpreadsheetHasARowForEachPoint) {
  const Workplace place;
  ASSERT_EQ(run_sweep_job(place).code, 0);
  const auto rows = csv_of(place);
  ASSERT_EQ(rows.size(), 1U + 3 + 6);
  EXPECT_THAT(std::vector<std::string>(rows[0].begin(), rows[0].begin() + 5),
              ElementsAre("method", "radius", "inflation", "rmse_analysis", "rmse_analysis_error_bar"));
  EXPECT_THAT(std::vector<std::string>(rows[2].begin(), rows[2].begin() + 3), ElementsAre("etkf", "", "1.05"));
  EXPECT_THAT(std::vector<std::string>(rows[9].begin(), rows[9].begin() + 3), ElementsAre("serial", "inf", "1.2"));
  for (std::size_t i = 1; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i].size(), rows[0].size());
    EXPECT_GT(std::stod(rows[i][3]), 0) << i;
    EXPECT_EQ(rows[i].back(), "2");
  }
  double least = INFINITY;
  for (std::size_t i = 4; i < rows.size(); ++i) least = std::min(least, std::stod(rows[i][3]));
  EXPECT_EQ(summary_of(place)["best"][1]["rmse_analysis"].get<double>(), least);
}

TEST(SweepJob, TheResultHasADimensionForEachAxisAndTheSeedsLast) {
  const Workplace place;
  ASSERT_EQ(run_sweep_job(place).code, 0);
  const NetcdfReader result(place.path("o/result.nc"));
  for (const char* name :
       {"rmse_analysis", "spread_analysis", "spread_over_rmse", "chi_square_mean", "lost_at", "failed_at"})
    EXPECT_EQ(result.shape(name), (std::vector<long>{2, 2, 3, 2})) << name;
  EXPECT_EQ(result.values("inflation"), (std::vector<double>{1, 1.05, 1.2}));
  EXPECT_EQ(result.values("radius"), (std::vector<double>{2, INFINITY}));
  EXPECT_EQ(result.text_attribute("", "method_1"), "serial");
  const auto error = result.array<4>("rmse_analysis");
  const auto median = result.array<3>("rmse_analysis_median");
  for (long i = 0; i < 3; ++i) {
    EXPECT_EQ(error(0, 0, i, 1), error(0, 1, i, 1));  // the etkf has no radius
    EXPECT_NE(error(1, 0, i, 1), error(1, 1, i, 1));
    EXPECT_NEAR(median(1, 0, i), (error(1, 0, i, 0) + error(1, 0, i, 1)) / 2, 1e-15);
  }
  EXPECT_THAT(result.values("failed_at"), Each(-1));
}

TEST(SweepJob, ARunGivesTheSameBitsInAnySweepAndInAssimilate) {
  const Workplace place;
  ASSERT_EQ(run_sweep_job(place).code, 0);
  const auto all = NetcdfReader(place.path("o/result.nc")).array<4>("rmse_analysis");
  ASSERT_EQ(run_sweep_job(place, {"--set", "sweep.method=['serial']", "--set", "sweep.radius=[2]", "--set",
                                  "sweep.inflation=[1.05]", "--set", "run.seeds=1"})
                .code,
            0);
  const auto alone = NetcdfReader(place.path("o/result.nc")).array<4>("rmse_analysis");
  EXPECT_EQ(alone.extents(), (Extents<4>{1, 1, 1, 1}));
  EXPECT_EQ(alone(0, 0, 0, 0), all(1, 0, 1, 0));
  const std::string text =
      "job = 'assimilate'\n[model]\nn = 8\n[observations]\ncycles = 60\n[run]\nseeds = 2\nburn_in = 20\n[[filters]]\n"
      "method = 'serial'\nmembers = 10\nradius = 2\ninflation = 1.05\n[[filters]]\nmembers = 10\ninflation = 1.2\n";
  ASSERT_EQ(run_sweep_job(place, {}, text).code, 0);
  const auto filters = NetcdfReader(place.path("o/result.nc")).values("rmse_analysis");
  EXPECT_EQ(filters, (std::vector<double>{all(1, 0, 1, 0), all(1, 0, 1, 1), all(0, 0, 2, 0), all(0, 0, 2, 1)}));
}

TEST(SweepJob, NoResultDependsOnTheChunks) {
  const Workplace place;
  place.write("s.toml", kSweep);
  const Device device = Device::cpu();
  const auto plan = jobs::make_sweep_plan(device, io::load_config(place.path("s.toml")));
  const std::size_t one_run = 60 * kCycleScores * sizeof(double);
  long heard = 0;
  const jobs::Monitor monitor = [&](const jobs::Status& status) {
    EXPECT_EQ(status.total, 18 * 60);
    EXPECT_GT(status.done, heard);
    heard = status.done;
    return true;
  };
  NoCheckpoints none;
  const auto alone = ranks::sole();
  const auto whole = jobs::run_sweep(device, plan, monitor, none, *alone);
  heard = 0;
  const auto pieces = jobs::run_sweep(device, plan, monitor, none, *alone, 5 * one_run);
  EXPECT_EQ(heard, 18 * 60);
  ASSERT_EQ(whole.points.size(), 9U);
  EXPECT_EQ(whole.best, pieces.best);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(whole.points[i].median.analysis_error, pieces.points[i].median.analysis_error);
    EXPECT_EQ(whole.points[i].error_bar, pieces.points[i].error_bar);
  }
}

TEST(SweepJob, ReproducesItselfFromTheConfigurationItWrites) {
  const Workplace place;
  ASSERT_EQ(run_sweep_job(place).code, 0);
  ASSERT_EQ(place.vida({"run", "o/config.toml", "--out", "again"}, {"PATH=/nowhere"}).code, 0);
  EXPECT_EQ(place.read("o/config.toml"), place.read("again/config.toml"));
  EXPECT_THAT(place.read("o/config.toml"), HasSubstr("radius = [2.0, inf]\ninflation = [1.0, 1.05, 1.2]\n"));
  EXPECT_EQ(place.read("o/sweep.csv"), place.read("again/sweep.csv"));
}

TEST(SweepJob, ARunThatDivergesIsFlaggedWithItsCycleAndTheOthersAreUntouched) {
  const Workplace place;
  ASSERT_EQ(run_sweep_job(place).code, 0);
  const auto before = NetcdfReader(place.path("o/result.nc")).array<4>("rmse_analysis");
  const auto answer = run_sweep_job(place, {"--set", "sweep.inflation=[1.0, 1e30, 1.2]"});
  EXPECT_EQ(answer.code, 3) << answer.err;
  EXPECT_THAT(answer.err,
              AllOf(HasSubstr("the numbers of 6 of 18 runs were not finite: etkf N 10, infl 1e+30 in 2 of 2 "
                              "data sets, the first at cycle "),
                    HasSubstr("; serial N 10, infl 1e+30, radius inf in 2 of 2 data sets")));
  const NetcdfReader result(place.path("o/result.nc"));
  const auto after = result.array<4>("rmse_analysis"), failed = result.array<4>("failed_at");
  for (long m = 0; m < 2; ++m)
    for (long r = 0; r < 2; ++r)
      for (long k = 0; k < 2; ++k) {
        EXPECT_EQ(before(m, r, 0, k), after(m, r, 0, k));
        EXPECT_EQ(before(m, r, 2, k), after(m, r, 2, k));
        EXPECT_EQ(failed(m, r, 0, k), -1);
        EXPECT_GE(failed(m, r, 1, k), 0);
      }
  EXPECT_TRUE(std::isinf(result.array<3>("rmse_analysis_median")(0, 0, 1)));
  EXPECT_EQ(csv_of(place)[2][3], "inf");
  EXPECT_NE(summary_of(place)["best"][0]["at"]["inflation"], 1e30);
}

TEST(SweepJob, LosingTheTruthIsToldWithItsCycle) {
  const Workplace place;
  const auto answer =
      run_sweep_job(place, {},
                    "job = 'sweep'\n[model]\nn = 8\n[observations]\ncycles = 120\n[run]\nseeds = 3\nburn_in = 20\n"
                    "[sweep]\nmembers = [3, 10]\n[[filters]]\nmethod = 'etkf'\n");
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("runs lost the truth: etkf N 3 in "));
  EXPECT_EQ(summary_of(place)["best"][0]["at"]["members"], 10);
  const auto lost = NetcdfReader(place.path("o/result.nc")).array<2>("lost_at");
  EXPECT_GE(std::max({lost(0, 0), lost(0, 1), lost(0, 2)}), 20);
}

TEST(SweepJob, TheBestSettingsAreRunAgainOnFurtherTwins) {
  const Workplace place;
  const auto answer = run_sweep_job(place, {"--set", "sweep.validate=3"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("held out"), HasSubstr("the same settings on 3 further twins")));
  const auto best = summary_of(place)["best"][1];
  ASSERT_EQ(best["held_out"]["runs"].size(), 3U);
  for (const auto& run : best["held_out"]["runs"])
    for (const auto& known : best["runs"]) EXPECT_NE(run["rmse_analysis"], known["rmse_analysis"]);
  // the further twins stay the same when there are more seeds
  const std::string radius = best["at"]["radius"].is_string() ? "inf" : best["at"]["radius"].dump();
  ASSERT_EQ(run_sweep_job(place, {"--set", "sweep.validate=3", "--set", "run.seeds=5", "--set",
                                  "sweep.method=['serial']", "--set", "sweep.radius=[" + radius + "]", "--set",
                                  "sweep.inflation=[" + best["at"]["inflation"].dump() + "]"})
                .code,
            0);
  EXPECT_EQ(summary_of(place)["best"][0]["held_out"], best["held_out"]);
}

TEST(SweepJob, TheBestIsChosenForEachKindOfData) {
  const Workplace place;
  const auto answer =
      run_sweep_job(place, {"--set", "sweep.noise=[0.25, 1]", "--set", "sweep.operator=['identity', 'every:2']",
                            "--set", "sweep.method=['serial']", "--set", "sweep.radius=[2]"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("noise 0.25, operator every:2 "));
  const auto best = summary_of(place)["best"];
  ASSERT_EQ(best.size(), 4U);
  EXPECT_LT(best[0]["rmse_analysis"], best[2]["rmse_analysis"]);  // less noise
  EXPECT_LT(best[0]["rmse_analysis"], best[1]["rmse_analysis"]);  // more observations
  const NetcdfReader result(place.path("o/result.nc"));
  EXPECT_EQ(result.text_attribute("", "axes"), "method radius inflation noise operator");
  EXPECT_EQ(result.text_attribute("", "axes_of_data"), "noise operator");
  EXPECT_EQ(result.shape("rmse_analysis"), (std::vector<long>{1, 1, 3, 2, 2, 2}));
}

TEST(SweepJob, AxesOfTheModelAreThoseOfAssimilate) {
  const Workplace place;
  ASSERT_EQ(
      run_sweep_job(place, {"--set", "sweep.forcing=[8, 6]", "--set", "sweep.steps_per_cycle=[1, 3]", "--set",
                            "sweep.radius=[2]", "--set", "sweep.inflation=[1.05]", "--set", "sweep.method=['serial']"})
          .code,
      0);
  const auto values = NetcdfReader(place.path("o/result.nc")).values("rmse_analysis");
  ASSERT_EQ(values.size(), 8U);
  ASSERT_EQ(
      run_sweep_job(
          place, {},
          "job = 'assimilate'\n[model]\nn = 8\nforcing = 6\nsteps_per_cycle = 3\n[observations]\ncycles = 60\n[run]\n"
          "seeds = 2\nburn_in = 20\n[[filters]]\nmethod = 'serial'\nmembers = 10\nradius = 2\ninflation = 1.05\n")
          .code,
      0);
  EXPECT_EQ(NetcdfReader(place.path("o/result.nc")).values("rmse_analysis"),
            std::vector<double>(values.end() - 2, values.end()));
}

TEST(SweepJob, SeveralEntriesAreAnAxisOfTheirOwn) {
  const Workplace place;
  ASSERT_EQ(run_sweep_job(
                place, {},
                "job = 'sweep'\n[model]\nn = 8\n[observations]\ncycles = 40\n[run]\nseeds = 1\nburn_in = 10\n[sweep]\n"
                "members = [8, 12]\nrotation = [false, true]\n[[filters]]\nmethod = 'etkf'\n[[filters]]\nmethod = "
                "'ekf'\ninflation = 4\n")
                .code,
            0);
  const NetcdfReader result(place.path("o/result.nc"));
  EXPECT_EQ(result.text_attribute("", "axes"), "filter members rotation");
  EXPECT_EQ(result.shape("rmse_analysis"), (std::vector<long>{2, 2, 2, 1}));
  EXPECT_EQ(result.text_attribute("", "rotation_1"), "true");
  EXPECT_EQ(csv_of(place).size(), 1U + 4 + 1);
  EXPECT_EQ(csv_of(place)[5][0], "ekf");
}

/// Two gains 0.1 I and 0.4 I, as K [run, state, obs] and each in a file.
void write_gains(const Workplace& place) {
  Array<double, 3> both({2, 8, 8});
  for (const auto& [run, name, scale] : {std::tuple{0L, "weak.nc", 0.1}, {1L, "strong.nc", 0.4}}) {
    io::NetcdfWriter file(place.path(name));
    const Matrix K = scaled_identity(8, scale);
    for (long i = 0; i < 8; ++i) both(run, i, i) = scale;
    file.put("K", {"state", "obs"}, K, {"gain"});
    file.close();
  }
  io::NetcdfWriter file(place.path("both.nc"));
  file.put("K", {"run", "state", "obs"}, both, {"gain"});
  file.close();
}

std::string sweep_of_gains(const std::string& gains) {
  return "job = 'sweep'\n[model]\nn = 8\n[observations]\ncycles = 80\n[run]\nseeds = 1\nburn_in = 20\n[sweep]\ngain = "
         "[" +
         gains + "]\n[[filters]]\nmethod = '3dvar'\n";
}

TEST(SweepJob, GainsAreFilesBesideTheConfiguration) {
  const Workplace place;
  write_gains(place);
  ASSERT_EQ(run_sweep_job(place, {}, sweep_of_gains("'weak.nc', 'strong.nc'")).code, 0);
  const auto best = summary_of(place)["best"][0];
  EXPECT_THAT(best["at"]["gain"].get<std::string>(), ::testing::EndsWith("strong.nc"));
}

TEST(SweepJob, AGainIsChosenAmongThoseOfABatch) {
  const Workplace place;
  write_gains(place);
  ASSERT_EQ(run_sweep_job(place, {}, sweep_of_gains("'both.nc:0', 'both.nc:1', 'weak.nc', 'strong.nc'")).code, 0);
  const auto rmse = NetcdfReader(place.path("o/result.nc")).values("rmse_analysis");
  EXPECT_EQ(rmse[0], rmse[2]);
  EXPECT_EQ(rmse[1], rmse[3]);
  EXPECT_NE(rmse[0], rmse[1]);
}

TEST(SweepJob, AGainThatABatchDoesNotHoldIsRefused) {
  const Workplace place;
  write_gains(place);
  const auto several = run_sweep_job(place, {}, sweep_of_gains("'both.nc', 'weak.nc'"));
  EXPECT_EQ(several.code, 2);
  EXPECT_THAT(several.err, HasSubstr("both.nc' holds 2 gains; a filter takes one. Write"));
  EXPECT_THAT(run_sweep_job(place, {}, sweep_of_gains("'both.nc:2', 'weak.nc'")).err,
              HasSubstr("both.nc' holds 2 gains, numbered from 0."));
  EXPECT_THAT(run_sweep_job(place, {}, sweep_of_gains("'none.nc:2', 'weak.nc'")).err, HasSubstr("none.nc"));
}

TEST(SweepJob, AnInterruptedSweepEndsEarly) {
  const Workplace place;
  place.write("s.toml", kSweep);
  const auto answer = place.vida_interrupted({"run", "s.toml", "--set", "observations.cycles=3000", "--set",
                                              "run.seeds=200", "--set", "sweep.members=[4, 40]", "--out", "results"},
                                             SIGINT, "results");
  EXPECT_EQ(answer.code, 130) << answer.err;
}

}  // namespace
}  // namespace vida::test
