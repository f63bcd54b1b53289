#include "report/figures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

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

/// Whether a file of the folder belongs to a figure that vida draws.
bool is_ours(const std::string& file) {
  for (const char* figure : {"convergence", "gain", "hovmoller", "statistics", "snapshots", "posterior", "loss",
                             "latent", "weights", "calibration", "errors", "ranks", "sweep", "examples", "training"})
    if (file.starts_with(std::string(figure) + ".") || file.starts_with(std::string(figure) + "-")) return true;
  return file.starts_with("example_");  // and a number
}

/// An earlier result in the same folder may have had figures that this one has no data for.
void remove_earlier(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (is_ours(entry.path().filename().string())) fs::remove(entry.path(), ignored);
}

std::vector<Figure> figures_of(const io::NetcdfReader& result) {
  const std::string job = result.text_attribute("", "job");
  if (job == "evaluate-gain") return {};  // that result is numbers
  const bool is_ensemble = result.has("snapshots") || result.has("variance");
  return job == "inpainting"                  ? inpainting_figures(result)
         : result.has("analysis_error")       ? assimilation_figures(result)
         : result.has("rmse_analysis_median") ? sweep_figures(result)
         : is_ensemble                        ? ensemble_figures(result)
         : result.has("loss_floor")           ? inference_figures(result)
                                              : gain_figures(result);
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw FileError(fmt::format("cannot create the folder {}: {}", folder.string(), error.message()));
}

bool has_picture(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  return fs::exists(folder / (name + ".svg"), ignored) || fs::exists(folder / (name + ".png"), ignored);
}

}  // namespace

FigureReport write_figures(const fs::path& result_folder) {
  const auto figures = figures_of(io::NetcdfReader(result_folder / "result.nc"));
  const fs::path folder = result_folder / "figures";
  remove_earlier(folder);
  FigureReport report;
  if (figures.empty()) return report;
  make_folder(folder);

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

std::vector<std::string> drawn_figures(const fs::path& result_folder) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(result_folder / "figures", ignored)) {
    const fs::path file = entry.path().filename();
    if ((file.extension() == ".svg" || file.extension() == ".png") && is_ours(file.string()))
      names.insert(file.stem().string());
  }
  return {names.begin(), names.end()};
}

FigureReport complete_figures(const fs::path& result_folder) {
  const auto figures = figures_of(io::NetcdfReader(result_folder / "result.nc"));
  const fs::path folder = result_folder / "figures";
  FigureReport report;
  std::vector<std::string> missing;
  for (const auto& figure : figures) {
    if (!has_picture(folder, figure.name)) {
      if (!gnuplot_is_installed()) {
        missing.push_back(figure.name);
        continue;
      }
      make_folder(folder);
      if (const auto complaint = draw(figure, folder); !complaint.empty()) {
        report.warning = complaint;
        continue;
      }
    }
    report.files.push_back(figure.name);
  }
  if (!missing.empty())
    report.warning = fmt::format(
        "figures are missing ({}) and gnuplot is not installed to draw them; install it (Debian: gnuplot-nox).",
        fmt::join(missing, ", "));
  return report;
}

}  // namespace vida::report
