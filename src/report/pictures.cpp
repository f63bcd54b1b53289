#include "report/pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "report/figures.hpp"
#include "report/html.hpp"
#include "vida/error.hpp"

namespace vida::report {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargeSvg = 400'000;  // bytes; a picture of many cells is smaller as PNG

/// What figures show, by the first part of their names.
constexpr std::array<std::pair<const char*, const char*>, 16> kCaptions = {{
    {"convergence", "What the learned gain reached after each iteration, on the training data."},
    {"gain", "The learned gain beside the mean gain of the extended Kalman filter over its last 50 cycles."},
    {"hovmoller", "Truth, estimate and absolute error over time and component."},
    {"statistics", "Mean, deviation and range over the members of the ensemble, for each component."},
    {"snapshots", "The first member of the ensemble over time and component."},
    {"posterior", "Density of the posterior, with draws of q and the contours that hold 50 % and 95 % of it."},
    {"latent",
     "The inverse of the map applied to draws of the posterior; the rings hold 50 % and 95 % of the standard "
     "normal law that they follow where q is exact."},
    {"weights",
     "The largest importance weights over their mean, before and after Pareto smoothing; a line that does "
     "not bend down is a heavy tail."},
    {"calibration", "Ranks of the truth among draws of q; they are uniform where q is exact."},
    {"loss", "Loss of the training above that of the exact posterior, or above the lowest one where that is unknown."},
    {"errors", "Root mean squared error and spread of the analysis over time."},
    {"ranks",
     "Ranks of the truth among the members, over the frequency of a uniform law; flat where the spread is "
     "right, U-shaped where it is too small."},
    {"sweep", "Error over the axes of the sweep, at the best of all others."},
    {"examples", "Test images: the truth, what is known of it, draws of the unknown part, their mean and deviation."},
    {"example_", "A test image with draws of its unknown part and the classes of the completed images."},
    {"training", "Bits for each unknown pixel over the steps of the training."},
}};

std::string caption_of(const std::string& name) {
  std::string caption = name;
  std::size_t longest = 0;
  for (const auto& [start, text] : kCaptions)
    if (const std::string first = start; name.starts_with(first) && first.size() > longest)
      caption = text, longest = first.size();
  return caption;
}

std::string figure_markup(const fs::path& folder, const std::string& name) {
  const fs::path svg = folder / (name + ".svg"), png = folder / (name + ".png");
  std::error_code missing;
  const auto svg_size = fs::file_size(svg, missing);
  const bool has_svg = !missing;
  const auto png_size = fs::file_size(png, missing);
  const bool has_png = !missing;
  const bool takes_svg = has_svg && !(has_png && svg_size > kLargeSvg && png_size < svg_size);
  const std::string uri = takes_svg ? html::data_uri(svg, "image/svg+xml") : html::data_uri(png, "image/png");
  return html::figure(uri, caption_of(name));
}

/// Names of the figures that can be shown, after the missing ones were drawn where that is possible.
std::vector<std::string> names_of(const fs::path& run_folder, std::vector<std::string>& warnings) {
  std::error_code ignored;
  if (fs::exists(run_folder / "result.nc", ignored)) {
    try {
      const FigureReport report = complete_figures(run_folder);
      if (!report.warning.empty()) warnings.push_back(report.warning);
      return report.files;
    } catch (const Error& error) {  // the pictures may be there although the numbers cannot be read
      warnings.push_back(fmt::format("no figure was drawn: {}", error.what()));
    }
  }
  auto names = drawn_figures(run_folder);
  if (names.empty() && warnings.empty())
    warnings.push_back("there are no figures, and no result.nc to draw them from.");
  return names;
}

}  // namespace

Pictures pictures_of(const fs::path& run_folder) {
  Pictures pictures;
  auto names = names_of(run_folder, pictures.warnings);
  std::stable_partition(names.begin(), names.end(),  // an overview before single images
                        [](const std::string& name) { return !name.starts_with("example_"); });
  for (const std::string& name : names) {
    try {
      pictures.markup += figure_markup(run_folder / "figures", name);
    } catch (const FileError& error) {
      pictures.warnings.push_back(error.what());
    }
  }
  return pictures;
}

}  // namespace vida::report
