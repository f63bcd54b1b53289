#include "report/figures.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "io/files.hpp"
#include "io/netcdf.hpp"
#include "report/gnuplot.hpp"
#include "vida/error.hpp"

namespace vida::report {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class Figures : public testing::Test {
 protected:
  // The quote in the name checks that paths survive the shell and gnuplot.
  const fs::path folder_ = fs::temp_directory_path() / ("vida's figures " + std::to_string(getpid()));
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  Vector wave(long count) const {
    Vector values({count});
    for (long i = 0; i < count; ++i) values[i] = std::sin(0.3 * static_cast<double>(i));
    return values;
  }
  void put(io::NetcdfWriter& file, const std::string& name, const std::vector<std::string>& dims,
           const std::vector<long>& extents) const {
    long count = 1;
    for (long extent : extents) count *= extent;
    const auto values = wave(count);
    file.put(name, dims, extents, std::span<const double>(values.data(), static_cast<std::size_t>(count)), {name});
  }
  void write_gain_result(long runs, bool truth) const {
    io::NetcdfWriter file(folder_ / "result.nc");
    put(file, "cost", {"run", "iteration"}, {runs, 6});
    if (truth) put(file, "mse", {"run", "iteration"}, {runs, 6});
    if (truth) put(file, "mse_ekf_train", {"run"}, {runs});
    put(file, "gain", {"run", "state", "obs"}, {runs, 6, 3});
    put(file, "gain_steady", {"run", "state", "obs"}, {runs, 6, 3});
    put(file, "test_time", {"test_cycle"}, {9});
    if (truth) put(file, "test_truth", {"run", "test_cycle", "state"}, {runs, 9, 6});
    put(file, "test_analysis_mean", {"run", "test_cycle", "state"}, {runs, 9, 6});
    file.close();
  }
  void write_assimilation_result(long filters, bool truth) const {
    io::NetcdfWriter file(folder_ / "result.nc");
    Vector filter({filters});
    for (long i = 0; i < filters; ++i) filter[i] = static_cast<double>(i);
    file.put("filter", {"run"}, filter, {"filter"});
    put(file, "time", {"cycle"}, {9});
    for (const char* name : {"analysis_error", "analysis_spread"})
      file.put(name, {"run", "cycle"}, Matrix({filters, 9}, truth || name[9] == 's' ? 0.2 : std::nan("")), {name});
    if (truth) put(file, "truth", {"set", "cycle", "state"}, {1, 9, 8});
    put(file, "analysis_mean", {"run", "cycle", "state"}, {filters, 9, 8});
    const std::vector<long> counts(101, 5);
    for (long i = 0; truth && i < filters; ++i)
      file.put("rank_histogram_" + std::to_string(i), {"rank"}, {101}, std::span<const long>(counts), {"ranks"});
    file.close();
  }
  /// Two methods over `radii` radii and three inflations; the last cell of the first method failed.
  void write_sweep_result(long radii) const {
    io::NetcdfWriter file(folder_ / "result.nc");
    file.attribute("axes", std::string("method radius inflation"));
    file.attribute("axes_of_numbers", std::string("radius inflation"));
    file.attribute("method_0", std::string("serial"));
    file.attribute("method_1", std::string("etkf"));
    file.attribute("axes_without_use_of_etkf", std::string("radius"));
    put(file, "method", {"method"}, {2});
    put(file, "radius", {"radius"}, {radii});
    put(file, "inflation", {"inflation"}, {3});
    Array<double, 3> error({2, radii, 3}, 0.2);
    error(0, 0, 1) = 0.1, error(0, radii - 1, 2) = INFINITY;
    file.put("rmse_analysis_median", {"method", "radius", "inflation"}, error, {"error"});
    for (const char* name : {"lost", "failed"})
      file.put(name, {"method", "radius", "inflation"}, Array<double, 3>({2, radii, 3}, 1.0), {name});
    file.close();
  }
  void expect_picture(const std::string& name) const {
    std::ifstream png(folder_ / "figures" / (name + ".png"), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(png), {}};
    EXPECT_THAT(bytes, StartsWith("\x89PNG")) << name;
    EXPECT_THAT(io::read_text(folder_ / "figures" / (name + ".svg")), HasSubstr("</svg>")) << name;
  }
};

#define NEEDS_GNUPLOT() \
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed"

TEST_F(Figures, OfLearningAreDrawnAsSvgAndPng) {
  NEEDS_GNUPLOT();
  write_gain_result(1, true);
  const auto report = write_figures(folder_);
  EXPECT_EQ(report.warning, "");
  EXPECT_THAT(report.files,
              UnorderedElementsAre("figures/convergence.svg", "figures/convergence.png", "figures/gain.svg",
                                   "figures/gain.png", "figures/hovmoller.svg", "figures/hovmoller.png"));
  for (const char* name : {"convergence", "gain", "hovmoller"}) expect_picture(name);
}

TEST_F(Figures, OfFiltersAreDrawnFourToAPage) {
  NEEDS_GNUPLOT();
  write_assimilation_result(5, true);
  const auto report = write_figures(folder_);
  EXPECT_EQ(report.warning, "");
  EXPECT_EQ(report.files.size(), 10U);
  for (const char* name : {"errors", "errors-2", "ranks", "ranks-2", "hovmoller"}) expect_picture(name);
}

TEST_F(Figures, OfFiltersWithoutATruthAreTheSpreads) {
  NEEDS_GNUPLOT();
  write_assimilation_result(1, false);
  const auto report = write_figures(folder_);
  EXPECT_EQ(report.warning, "");
  EXPECT_THAT(report.files, UnorderedElementsAre("figures/errors.svg", "figures/errors.png"));
}

TEST_F(Figures, OfASweepAreMapsOverTwoAxes) {
  NEEDS_GNUPLOT();
  write_sweep_result(2);
  const auto report = write_figures(folder_);
  EXPECT_EQ(report.warning, "");
  EXPECT_THAT(report.files, UnorderedElementsAre("figures/sweep.svg", "figures/sweep.png"));
  expect_picture("sweep");
  const std::string picture = io::read_text(folder_ / "figures" / "sweep.svg");
  for (const char* text : {"serial", "etkf (without radius)", "0.100*", "radius", "inflation"})
    EXPECT_THAT(picture, HasSubstr(text));
}

TEST_F(Figures, OfASweepOverOneAxisAreCurves) {
  NEEDS_GNUPLOT();
  write_sweep_result(1);
  EXPECT_EQ(write_figures(folder_).warning, "");
  expect_picture("sweep");
  EXPECT_THAT(io::read_text(folder_ / "figures" / "sweep.svg"), HasSubstr("median RMSE of the analysis"));
}

TEST_F(Figures, OfABatchAreDrawn) {
  NEEDS_GNUPLOT();
  write_gain_result(5, true);
  EXPECT_EQ(write_figures(folder_).warning, "");
  expect_picture("convergence");
}

TEST_F(Figures, WithoutTruthLeaveOutTheHovmollerDiagramAndAnEarlierOne) {
  NEEDS_GNUPLOT();
  write_gain_result(1, true);
  write_figures(folder_);
  write_gain_result(1, false);
  const auto report = write_figures(folder_);
  EXPECT_EQ(report.warning, "");
  EXPECT_EQ(report.files.size(), 4u);
  EXPECT_FALSE(fs::exists(folder_ / "figures" / "hovmoller.png"));
}

TEST_F(Figures, OfAnEnsembleAreDrawn) {
  NEEDS_GNUPLOT();
  {
    io::NetcdfWriter file(folder_ / "result.nc");
    for (const char* name : {"mean", "minimum", "maximum"}) put(file, name, {"state"}, {8});
    const Vector variance({8}, 2.0);
    file.put("variance", {"state"}, variance, {"variance"});
    put(file, "snapshots", {"snapshot", "member", "state"}, {4, 2, 8});
    file.close();
  }
  const auto report = write_figures(folder_);
  EXPECT_EQ(report.warning, "");
  for (const char* name : {"statistics", "snapshots"}) expect_picture(name);
}

TEST_F(Figures, WithoutGnuplotLeaveTheirDataAndAWarning) {
  write_gain_result(1, true);
  const std::string path = std::getenv("PATH");
  setenv("PATH", folder_.c_str(), 1);
  const auto report = write_figures(folder_);
  setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(report.warning, HasSubstr("gnuplot is not installed"));
  EXPECT_THAT(report.warning, HasSubstr("gnuplot-nox"));
  EXPECT_EQ(report.files.size(), 6u);  // mse; learned, steady; truth, estimate, error
  EXPECT_THAT(io::read_text(folder_ / "figures" / "gain-learned.dat"), StartsWith("# component, observation, K\n0 0 "));
}

TEST_F(Figures, NeedAResult) {
  try {
    write_figures(folder_);
    FAIL() << "no error for an empty folder";
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr("result.nc"));
  }
}

}  // namespace
}  // namespace vida::report
