#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vida::report {

/// Numbers that a plot reads as $name: text columns, blank lines between the scans of a grid.
struct DataBlock {
  std::string name;
  std::string columns;  ///< what the columns are, for whoever reads the .dat file
  std::string text;
};

/// A picture as data and plot commands. Sizes are in points of the SVG; the PNG has twice as many pixels.
struct Figure {
  std::string name;
  int width = 720, height = 480;
  std::vector<DataBlock> data;
  std::string commands;
};

bool gnuplot_is_installed();

/// Writes folder/NAME.svg and folder/NAME.png. Returns gnuplot's complaint, empty when it had none.
std::string draw(const Figure& figure, const std::filesystem::path& folder);

/// Writes each block to folder/NAME-BLOCK.dat and returns the names of the files.
std::vector<std::string> write_data(const Figure& figure, const std::filesystem::path& folder);

/// Colours, as gnuplot palettes.
extern const char* const kSequential;  ///< viridis: perceptually uniform, for fields
extern const char* const kMagnitude;   ///< white to dark, perceptually uniform, for errors
extern const char* const kDiverging;   ///< blue, white, red: for signed values on a range centred at 0
extern const char* const kBlue;        ///< first line colour
extern const char* const kOrange;      ///< second line colour

/// "set cbrange [..]", widened where low = high: gnuplot refuses an empty range.
std::string colour_range(double low, double high);

/// Commands that put the plot area at the given fractions of the picture.
std::string place(double left, double right, double bottom, double top);

}  // namespace vida::report
