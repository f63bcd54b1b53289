// Pages of real runs, and what `vida report` says to what it cannot use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "cli/inference_jobs.hpp"
#include "cli/program.hpp"
#include "report/markup.hpp"

namespace vida::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::vida::testing::complaint_about;

/// The small job in the folder o, without figures: gnuplot would take most of the time.
void run_small(const Workplace& place, const std::vector<std::string>& more = {}) {
  place.write("small.toml", kSmallJob);
  std::vector<std::string> words = {"run", "small.toml", "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  if (more.empty()) words.insert(words.end(), {"--out", "o"});
  ASSERT_EQ(place.vida(words, {"PATH=/nowhere"}).code, 0);
}

void expect_refused(const Workplace& place, std::vector<std::string> words, const std::string& message) {
  const auto before = place.files();
  words.insert(words.begin(), "report");
  const auto answer = place.vida(words, {"PATH=/nowhere"});
  EXPECT_EQ(answer.code, 2) << ::testing::PrintToString(words);
  EXPECT_THAT(answer.err, AllOf(StartsWith("vida: "), HasSubstr(message)));
  EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
  EXPECT_THAT(answer.out, IsEmpty());
  EXPECT_EQ(place.files(), before);
}

TEST(Report, IsOnePageBesideTheRun) {
  const Workplace place;
  run_small(place);
  const auto answer = place.vida({"report", "o"}, {"PATH=/nowhere"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_EQ(answer.out, "the report is in o/report.html\n");
  EXPECT_THAT(answer.err, HasSubstr("gnuplot is not installed"));
  const auto page = place.read("o/report.html");
  EXPECT_EQ(complaint_about(page), "");
  EXPECT_THAT(page, AllOf(HasSubstr("<h1>learn-gain: o</h1>"), HasSubstr("Mean squared error")));
}

TEST(Report, DrawsFiguresThatAreMissingAndKeepsTheOthers) {
  const Workplace place;
  run_small(place);
  if (place.vida({"report", "o"}).err.find("gnuplot is not installed") != std::string::npos)
    GTEST_SKIP() << "gnuplot is not installed";
  EXPECT_THAT(place.files(), ::testing::IsSupersetOf({"o/figures/convergence.svg", "o/figures/gain.svg"}));
  const auto page = place.read("o/report.html");
  EXPECT_EQ(complaint_about(page), "");
  EXPECT_THAT(page, HasSubstr("<img src=\"data:image/svg+xml;base64,"));
  place.write("o/figures/gain.svg", "<svg>mine</svg>");
  std::filesystem::remove(place.path("o/figures/gain.png"));
  EXPECT_EQ(place.vida({"report", "o", "--force", "--quiet"}).out, "");
  EXPECT_EQ(place.read("o/figures/gain.svg"), "<svg>mine</svg>");
  EXPECT_THAT(place.read("o/report.html"), HasSubstr("PHN2Zz5taW5lPC9zdmc+"));  // the same in base64
}

TEST(Report, ComparesRuns) {
  const Workplace place;
  run_small(place);
  run_small(place, {"--out", "p", "--set", "optimizer.iterations=5"});
  const auto answer = place.vida({"report", "o", "p", "--title", "Two & more"}, {"PATH=/nowhere"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  const auto page = place.read("report.html");
  EXPECT_EQ(complaint_about(page), "");
  EXPECT_THAT(page, HasSubstr("<h1>Two &amp; more</h1>"));
  EXPECT_THAT(page, HasSubstr("<td>optimizer.iterations</td><td>3</td><td>5</td>"));
  EXPECT_EQ(place.vida({"report", "o", "p", "--out", "new/two.html"}, {"PATH=/nowhere"}).code, 0);
  EXPECT_EQ(complaint_about(place.read("new/two.html")), "");
}

TEST(Report, TellsTheNotesThatTheRunPrinted) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  const auto run = place.vida({"run", "small.toml", "--out", "o", "--set", "optimizer.step=1e6"}, {"PATH=/nowhere"});
  ASSERT_EQ(run.code, 3);
  ASSERT_THAT(run.err, HasSubstr("run 0 stopped: its cost was not finite"));
  const auto summary = summary_of(place);
  EXPECT_EQ(summary["flagged"], 1);
  ASSERT_FALSE(summary["notes"].empty());
  EXPECT_THAT(run.err, HasSubstr(summary["notes"][0].get<std::string>()));
  place.vida({"report", "o"}, {"PATH=/nowhere"});
  EXPECT_THAT(place.read("o/report.html"),
              AllOf(HasSubstr("run 0 stopped: its cost was not finite"), HasSubstr("1 problem flagged")));
}

TEST(Report, RefusesWhatIsNoResult) {
  const Workplace place;
  expect_refused(place, {"none"}, "'none' does not exist");
  place.write("file", "text");
  expect_refused(place, {"file"}, "'file' is a file");
  std::filesystem::create_directory(place.path("empty"));
  expect_refused(place, {"empty"}, "'empty' holds no summary.json");
  std::filesystem::create_directory(place.path("bad"));
  place.write("bad/summary.json", "{\"job\": ");
  expect_refused(place, {"bad"}, "'bad/summary.json' is damaged: parse error at line 1");
  run_small(place);
  expect_refused(place, {"o", "none"}, "'none' does not exist");
}

TEST(Report, RefusesATargetThatCannotBeWritten) {
  const Workplace place;
  run_small(place);
  expect_refused(place, {"o", "--out", "/proc/nothing/r.html"}, "--out '/proc/nothing': the folder cannot be made");
  expect_refused(place, {"o", "--out", "o"}, "--out 'o' is a folder; name a file.");
  if (::geteuid() != 0) {
    ::chmod(place.path("o").c_str(), 0500);
    expect_refused(place, {"o"}, "--out 'o' cannot be written");
    ::chmod(place.path("o").c_str(), 0700);
  }
  const auto full = place.vida_on_a_small_disk({"report", "o", "--out", "r.html"}, 4000);
  EXPECT_EQ(full.code, 1);
  EXPECT_THAT(full.err, HasSubstr("cannot be written"));
  EXPECT_THAT(place.files(), Not(::testing::Contains(HasSubstr("r.html"))));
}

TEST(Report, DoesNotReplaceAFileWithoutForce) {
  const Workplace place;
  run_small(place);
  place.write("o/report.html", "mine");
  expect_refused(place, {"o"}, "--out 'o/report.html' is there already. Add --force");
  EXPECT_EQ(place.read("o/report.html"), "mine");
  EXPECT_EQ(place.vida({"report", "o", "--force"}, {"PATH=/nowhere"}).code, 0);
  EXPECT_THAT(place.read("o/report.html"), StartsWith("<!DOCTYPE html>"));
}

TEST(Report, NeedsAFolder) {
  const Workplace place;
  const auto answer = place.vida({"report"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("folders is required"), HasSubstr("vida report --help")));
}

}  // namespace
}  // namespace vida::test
