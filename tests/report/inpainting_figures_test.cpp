#include "report/inpainting_figures.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "io/files.hpp"
#include "report/figures.hpp"

namespace vida::report {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr long kRows = 3, kColumns = 4, kClasses = 12;

/// Images of three rows of four pixels, of which the two in the middle of the second row are unknown.
class InpaintingFigures : public testing::Test {
 protected:
  const fs::path folder_ = fs::temp_directory_path() / ("vida's in-painting " + std::to_string(getpid()));
  Matrix known_{{kRows, kColumns}, 1.0};
  void SetUp() override {
    fs::create_directories(folder_);
    known_(1, 1) = known_(1, 2) = 0;
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Pixel (row, column) of example e is 100 e + 10 row + column in the truth, k + 1 more where sample k made it up.
  void write(long examples, long samples, const std::string& left_out = "") const {
    io::NetcdfWriter file(folder_ / "result.nc");
    file.attribute("job", std::string("inpainting"));
    const auto put = [&](const std::string& name, const std::vector<std::string>& dims, const auto& values) {
      if (name != left_out) file.put(name, dims, values, {name});
    };
    Vector number({examples}), label({examples}, 1.0);
    Array<double, 3> truth({examples, kRows, kColumns}), mean(truth), deviation(truth);
    Array<double, 4> sample({examples, samples, kRows, kColumns});
    Matrix probability({examples, kClasses}, 0.05);
    for (long e = 0; e < examples; ++e) {
      number[e] = static_cast<double>(7 * e + 5);
      probability(e, 1) = 0.45;
      for (long row = 0; row < kRows; ++row)
        for (long column = 0; column < kColumns; ++column) {
          truth(e, row, column) = static_cast<double>(100 * e + 10 * row + column);
          const double unknown = 1 - known_(row, column);
          mean(e, row, column) = truth(e, row, column) + unknown;
          deviation(e, row, column) = 17 * unknown;
          for (long k = 0; k < samples; ++k)
            sample(e, k, row, column) = truth(e, row, column) + unknown * static_cast<double>(k + 1);
        }
    }
    put("example", {"example"}, number);
    put("example_label", {"example"}, label);
    put("truth", {"example", "row", "column"}, truth);
    put("known", {"row", "column"}, known_);
    put("sample", {"example", "sample", "row", "column"}, sample);
    put("mean", {"example", "row", "column"}, mean);
    put("deviation", {"example", "row", "column"}, deviation);
    put("example_probability", {"example", "class"}, probability);
    Vector loss({30}, 2.0);
    loss[0] = 6;
    put("loss", {"step"}, loss);
    put("validation", {"validated"}, Vector({2}, 2.5));
    put("validated_after", {"validated"}, Vector({2}, 20.0));
    file.close();
  }
  std::vector<Figure> figures() const { return inpainting_figures(io::NetcdfReader(folder_ / "result.nc")); }
};

std::vector<std::string> names(const std::vector<Figure>& figures) {
  std::vector<std::string> result;
  for (const auto& figure : figures) result.push_back(figure.name);
  return result;
}

/// The text of a block, empty when there is none.
std::string block(const Figure& figure, const std::string& name) {
  for (const auto& data : figure.data)
    if (data.name == name) return data.text;
  return {};
}

long count(const std::string& text, const std::string& part) {
  long found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

TEST_F(InpaintingFigures, AreOneForEachExampleAnOverviewAndTheTraining) {
  write(2, 3);
  EXPECT_THAT(names(figures()), ElementsAre("example_5", "example_12", "examples", "training"));
}

TEST_F(InpaintingFigures, HaveAGapWhereAPixelIsUnknownAndAFrameAroundIt) {
  write(1, 1);
  const Figure figure = figures()[0];
  EXPECT_EQ(block(figure, "truth"),
            "0 0 0\n0 1 1\n0 2 2\n0 3 3\n\n1 0 10\n1 1 11\n1 2 12\n1 3 13\n\n2 0 20\n2 1 21\n"
            "2 2 22\n2 3 23\n\n\n");
  EXPECT_EQ(block(figure, "masked"),
            "0 0 0\n0 1 1\n0 2 2\n0 3 3\n\n1 0 10\n1 1 nan\n1 2 nan\n1 3 13\n\n2 0 20\n"
            "2 1 21\n2 2 22\n2 3 23\n\n\n");
  EXPECT_EQ(block(figure, "frame"), "0.5 0.5\n2.5 0.5\n\n0.5 1.5\n2.5 1.5\n\n0.5 0.5\n0.5 1.5\n\n2.5 0.5\n2.5 1.5\n\n");
}

TEST_F(InpaintingFigures, HaveNoFramesAroundScatteredPixels) {
  known_(0, 0) = known_(2, 0) = known_(0, 3) = known_(2, 3) = 0;
  write(1, 1);
  EXPECT_EQ(block(figures()[0], "frame"), "nan nan\n");
}

TEST_F(InpaintingFigures, ShowEightSamplesOfAnExampleAndFourOfEachOfEight) {
  write(9, 11);
  const auto all = figures();
  ASSERT_EQ(all.size(), 11U);
  // The made-up pixels of sample k of example e hold 100 e + 11 + k + 1 and one more.
  EXPECT_EQ(count(block(all[8], "samples"), "0 0 800\n"), 8);
  EXPECT_THAT(block(all[8], "samples"), HasSubstr("1 1 819\n1 2 820\n"));
  EXPECT_EQ(all[9].name, "examples");
  EXPECT_EQ(count(block(all[9], "samples"), "0 0 "), 32);
  EXPECT_THAT(block(all[9], "samples"), HasSubstr("1 1 715\n1 2 716\n"));
  EXPECT_THAT(block(all[9], "truth"), Not(HasSubstr("0 0 800\n")));
}

TEST_F(InpaintingFigures, MarkTheTrueClass) {
  write(1, 2);
  EXPECT_THAT(block(figures()[0], "probability"), StartsWith("0 0.05 0\n1 0.45 1\n2 0.05 0\n"));
  EXPECT_THAT(figures()[0].commands, HasSubstr("true class"));
  write(1, 2, "example_label");
  EXPECT_THAT(block(figures()[0], "probability"), StartsWith("0 0.05 0\n1 0.45 0\n2 0.05 0\n"));
  EXPECT_THAT(figures()[0].commands, Not(HasSubstr("true class")));
}

TEST_F(InpaintingFigures, LeaveOutWhatThereIsNoDataFor) {
  for (const char* name : {"truth", "known", "sample", "mean", "deviation"}) {
    write(1, 2, name);
    EXPECT_THAT(names(figures()), ElementsAre("training")) << name;
  }
  write(1, 2, "loss");
  EXPECT_THAT(names(figures()), ElementsAre("example_5", "examples"));
  write(1, 2, "validation");
  EXPECT_THAT(block(figures()[2], "validation"), IsEmpty());
  write(1, 2, "example");
  EXPECT_EQ(figures()[0].name, "example_0");
  write(1, 2, "example_probability");
  EXPECT_THAT(figures()[0].commands, Not(HasSubstr("$probability")));
}

TEST_F(InpaintingFigures, AreDrawnAndReplaceEarlierOnes) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  fs::create_directories(folder_ / "figures");
  std::ofstream(folder_ / "figures" / "example_99.png") << "earlier";
  for (const char* left_out : {"", "example_probability", "validation"}) {
    write(2, 3, left_out);
    const auto report = write_figures(folder_);
    EXPECT_EQ(report.warning, "") << left_out;
    EXPECT_EQ(report.files.size(), 8U) << left_out;
    for (const char* name : {"example_5", "example_12", "examples", "training"}) {
      EXPECT_GT(fs::file_size(folder_ / "figures" / (std::string(name) + ".png")), 1000U) << name;
      EXPECT_THAT(io::read_text(folder_ / "figures" / (std::string(name) + ".svg")), HasSubstr("</svg>")) << name;
    }
  }
  EXPECT_FALSE(fs::exists(folder_ / "figures" / "example_99.png"));
}

}  // namespace
}  // namespace vida::report
