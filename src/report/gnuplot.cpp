#include "report/gnuplot.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "io/files.hpp"

namespace vida::report {

namespace fs = std::filesystem;

// Nine or ten colours of each map; gnuplot interpolates between them.
const char* const kSequential =
    "set palette defined (0 '#440154', 1 '#482878', 2 '#3e4a89', 3 '#31688e', 4 '#26828e', 5 '#1f9e89', 6 '#35b779', "
    "7 '#6ece58', 8 '#b5de2b', 9 '#fde725')\n";
const char* const kMagnitude =
    "set palette defined (0 '#fcfdbf', 1 '#fec287', 2 '#fb8861', 3 '#e75263', 4 '#b63679', 5 '#822681', 6 '#51127c', "
    "7 '#1d1147', 8 '#000004')\n";
const char* const kDiverging =
    "set palette defined (0 '#053061', 1 '#2166ac', 2 '#4393c3', 3 '#92c5de', 4 '#d1e5f0', 5 '#f7f7f7', 6 '#fddbc7', "
    "7 '#f4a582', 8 '#d6604d', 9 '#b2182b', 10 '#67001f')\n";
const char* const kBlue = "#0072b2";
const char* const kOrange = "#d55e00";

namespace {

constexpr const char* kStyle =
    "set encoding utf8\n"
    "set datafile missing 'nan'\n"
    "set border 31 lw 0.8 lc rgb '#555555'\n"
    "set tics out nomirror scale 0.5 textcolor rgb '#222222'\n"
    "set format '%g'\nset title offset 0,-0.5\n"
    "set key noautotitle\n"
    "set style fill noborder\n";

std::string quoted(const std::string& text) {  // for gnuplot and the shell's single quotes alike, quote by quote
  std::string result = "'";
  for (char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string gnuplot_quoted(const std::string& text) {
  std::string result = "'";
  for (char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

std::string script(const Figure& figure, const std::string& terminal, const fs::path& output) {
  std::string text = terminal + "set output " + gnuplot_quoted(output.string()) + "\n" + kStyle;
  for (const auto& block : figure.data) text += "$" + block.name + " << END_OF_DATA\n" + block.text + "END_OF_DATA\n";
  return text + figure.commands + "\nunset multiplot\nset output\n";
}

std::string first_line(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.find_first_not_of(" \t^") != std::string::npos) return line;
  return {};
}

std::string draw_one(const Figure& figure, const std::string& terminal, const fs::path& target) {
  const fs::path picture = target.string() + ".part", commands = target.string() + ".gp",
                 log = target.string() + ".log";
  io::write_text(commands, script(figure, terminal, picture));
  const auto call = "gnuplot " + quoted(commands.string()) + " >" + quoted(log.string()) + " 2>&1";
  const int status = std::system(call.c_str());
  std::string complaint;
  std::error_code ignored;
  if (status != 0 || !fs::exists(picture) || fs::file_size(picture, ignored) == 0) {
    complaint = fmt::format("gnuplot did not draw {}: {}", target.filename().string(), first_line(io::read_text(log)));
    fs::remove(picture, ignored);
  } else {
    fs::rename(picture, target);
  }
  fs::remove(commands, ignored);
  fs::remove(log, ignored);
  return complaint;
}

}  // namespace

bool gnuplot_is_installed() {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((fs::path(folder) / "gnuplot").c_str(), X_OK) == 0) return true;
  return false;
}

std::string draw(const Figure& figure, const fs::path& folder) {
  const auto svg = fmt::format("set terminal svg size {},{} font 'DejaVu Sans,13' background '#ffffff'\n", figure.width,
                               figure.height);
  const auto png = fmt::format(
      "set terminal pngcairo size {},{} font 'DejaVu Sans,12' fontscale 1.6 linewidth 2 pointscale 2 "
      "background '#ffffff'\n",
      2 * figure.width, 2 * figure.height);
  const auto complaint = draw_one(figure, svg, folder / (figure.name + ".svg"));
  return complaint.empty() ? draw_one(figure, png, folder / (figure.name + ".png")) : complaint;
}

std::vector<std::string> write_data(const Figure& figure, const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& block : figure.data) {
    names.push_back(figure.name + "-" + block.name + ".dat");
    const auto target = folder / names.back();
    const fs::path part = target.string() + ".part";
    io::write_text(part, "# " + block.columns + "\n" + block.text);
    fs::rename(part, target);
  }
  return names;
}

std::string colour_range(double low, double high) {
  if (!(high > low)) high = low + std::max(1e-3, 1e-3 * std::abs(low));
  return fmt::format("set cbrange [{:.6g}:{:.6g}]\n", low, high);
}

std::string place(double left, double right, double bottom, double top) {
  return fmt::format(
      "set lmargin at screen {}\nset rmargin at screen {}\nset bmargin at screen {}\nset tmargin at screen {}\n", left,
      right, bottom, top);
}

}  // namespace vida::report
