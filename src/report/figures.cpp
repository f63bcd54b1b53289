#include "report/figures.hpp"

#include <fmt/format.h>

#include "io/netcdf.hpp"
#include "report/assimilation_figures.hpp"
#include "report/ensemble_figures.hpp"
#include "report/gain_figures.hpp"
#include "report/inference_figures.hpp"
#include "report/inpainting_figures.hpp"
#include "report/sweep_figures.hpp"
#include "vida/error.hpp"

namespace vida::report {

namespace fs = std::filesystem;

namespace {

/// An earlier result in the same folder may have had figures that this one has no data for.
void remove_earlier(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    for (const char* figure : {"convergence", "gain", "hovmoller", "statistics", "snapshots", "posterior", "loss",
                               "latent", "weights", "calibration", "errors", "ranks", "sweep", "examples", "training"})
      if (name.starts_with(std::string(figure) + ".") || name.starts_with(std::string(figure) + "-"))
        fs::remove(entry.path(), ignored);
    if (name.starts_with("example_")) fs::remove(entry.path(), ignored);  // and a number
  }
}

}  // namespace

FigureReport write_figures(const fs::path& result_folder) {
  const io::NetcdfReader result(result_folder / "result.nc");
  const bool is_ensemble = result.has("snapshots") || result.has("variance");
  const bool is_inpainting = result.text_attribute("", "job") == "inpainting";
  const auto figures = is_inpainting                        ? inpainting_figures(result)
                       : result.has("analysis_error")       ? assimilation_figures(result)
                       : result.has("rmse_analysis_median") ? sweep_figures(result)
                       : is_ensemble                        ? ensemble_figures(result)
                       : result.has("loss_floor")           ? inference_figures(result)
                                                            : gain_figures(result);
  const fs::path folder = result_folder / "figures";
  remove_earlier(folder);
  FigureReport report;
  if (figures.empty()) return report;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw FileError(fmt::format("cannot create the folder {}: {}", folder.string(), error.message()));

  if (!gnuplot_is_installed()) {
    for (const auto& figure : figures)
      for (const auto& name : write_data(figure, folder)) report.files.push_back("figures/" + name);
    report.warning = fmt::format(
        "figures were not drawn: gnuplot is not installed. What they would show was written as text to {}/*.dat; "
        "install gnuplot (Debian: gnuplot-nox) to have pictures.",
        folder.string());
    return report;
  }
  for (const auto& figure : figures) {
    const auto complaint = draw(figure, folder);
    if (complaint.empty()) {
      report.files.push_back("figures/" + figure.name + ".svg");
      report.files.push_back("figures/" + figure.name + ".png");
    } else if (report.warning.empty()) {
      report.warning = complaint;
    }
  }
  return report;
}

}  // namespace vida::report
