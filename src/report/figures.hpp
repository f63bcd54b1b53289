#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vida::report {

struct FigureReport {
  std::vector<std::string> files;  ///< what was written, relative to the result folder
  std::string warning;             ///< why figures are missing; empty when all were drawn
};

/// Draws the figures that belong to result_folder/result.nc into result_folder/figures, each as SVG and PNG, by
/// gnuplot. Without gnuplot the plotted numbers are written there as .dat files, and the warning says so. A result that
/// lacks something (no truth, no EKF) gets the figures that it has the data for. Throws FileError when there is no
/// result or the folder cannot be written.
FigureReport write_figures(const std::filesystem::path& result_folder);

/// Names of the figures that there are pictures of in result_folder/figures, sorted.
std::vector<std::string> drawn_figures(const std::filesystem::path& result_folder);

/// Draws the figures of a result that there is no picture of, and leaves the others. `files` are the names of all that
/// there are now ("loss"), in the order to look at them. Throws FileError when there is no result that can be read, or
/// the folder cannot be written.
FigureReport complete_figures(const std::filesystem::path& result_folder);

}  // namespace vida::report
