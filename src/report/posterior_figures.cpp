// Densities in two dimensions, and draws on both sides of the map.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/grid.hpp"
#include "report/inference_figures.hpp"
#include "report/panels.hpp"

namespace vida::report {
namespace {

/// Lines "x y" of the first two components of draws [.., draw, d] of `item`.
std::string points_text(const io::NetcdfReader& file, const std::string& name, long item) {
  const auto shape = file.shape(name);
  const auto values = file.values(name);
  const long d = shape.back(), count = shape[shape.size() - 2];
  std::string text;
  for (long i = 0; i < count; ++i) {
    const double* point = values.data() + (item * count + i) * d;
    text += fmt::format("{:.6g} {:.6g}\n", point[0], point[1]);
  }
  return text;
}

/// Matrix number `item` of a variable [item, row, column].
Matrix matrix_of(const io::NetcdfReader& file, const std::string& name, long item) {
  const auto shape = file.shape(name);
  const auto values = file.values(name);
  Matrix matrix({shape[1], shape[2]});
  std::copy_n(values.begin() + item * matrix.size(), matrix.size(), matrix.begin());
  return matrix;
}

std::vector<double> row_of(const io::NetcdfReader& file, const std::string& name, long item) {
  const long count = file.shape(name).back();
  const auto values = file.values(name);
  return {values.begin() + item * count, values.begin() + (item + 1) * count};
}

/// The density relative to its largest value, so that a colour means the same in every picture.
Matrix relative_density(Matrix log_density) {
  const double top = *std::max_element(log_density.begin(), log_density.end());
  for (double& value : log_density) value = std::exp(value - top);
  return log_density;
}

/// Below exp(-60) of the lines that are drawn no difference shows; -infinity would break them.
Matrix floored(Matrix log_q, double level) {
  for (double& value : log_q) value = std::max(value, level - 60);
  return log_q;
}

std::string circle(double radius) {
  std::string text;
  for (int i = 0; i <= 120; ++i)
    text +=
        fmt::format("{:.5g} {:.5g}\n", radius * std::cos(2 * M_PI * i / 120), radius * std::sin(2 * M_PI * i / 120));
  return text;
}

std::string problem_title(long item, long count) { return count > 1 ? fmt::format("problem {}", item) : ""; }

}  // namespace

Figure posterior_figure(const io::NetcdfReader& file) {
  const Panels panels(file.shape("log_density").front(), true);
  Figure figure = panels.figure("posterior");
  figure.commands += kMagnitude + panels.colour_box();
  figure.commands += "set cbrange [0:1]\nset cblabel 'posterior density / maximum' offset 0.2,0\n" + panels.key();
  for (long i = 0; i < panels.count(); ++i) {
    const auto first = row_of(file, "grid_first", i), second = row_of(file, "grid_second", i),
               levels = row_of(file, "log_q_levels", i);
    const auto block = [&](const char* name) { return fmt::format("{}{}", name, i); };
    figure.data.push_back({block("density"), "u_2, u_1, density over its maximum",
                           image_text(relative_density(matrix_of(file, "log_density", i)), second, first)});
    figure.data.push_back(
        {block("q"), "u_2, u_1, log q", image_text(floored(matrix_of(file, "log_q", i), levels[1]), second, first)});
    figure.data.push_back({block("draws"), "u_1, u_2 of draws of q", points_text(file, "draws", i)});
    figure.commands += fmt::format(
        "set contour base\nunset surface\nset cntrparam levels discrete {:.8g}, {:.8g}\nset table $lines{}\n"
        "splot $q{} using 2:1:3\nunset table\nunset contour\nset surface\n",
        levels[0], levels[1], i, i);
  }
  for (long i = 0; i < panels.count(); ++i) {
    const auto first = row_of(file, "grid_first", i), second = row_of(file, "grid_second", i);
    figure.commands += panels.at(i, "u_1", "u_2") + title(problem_title(i, panels.count()));
    figure.commands += fmt::format("set xrange [{:.6g}:{:.6g}]\nset yrange [{:.6g}:{:.6g}]\n", first.front(),
                                   first.back(), second.front(), second.back());
    figure.commands += fmt::format(
        "plot $density{0} using 2:1:3 with image notitle, "
        "$draws{0} using 1:2 with points pt 7 ps 0.25 lc rgb '#555555' title 'draws of q', "
        "$lines{0} using 1:2 with lines lw 2 lc rgb '{1}' title 'q, 50 % and 95 %'\n",
        i, kBlue);
    if (i == 0) figure.commands += "unset colorbox\n";
  }
  return figure;
}

Figure latent_figure(const io::NetcdfReader& file) {
  const bool joint = file.has("joint_latent");
  const std::string name = joint ? "joint_latent" : "latent";
  const Panels panels(joint ? 1 : file.shape(name).front());
  Figure figure = panels.figure("latent");
  figure.data.push_back({"rings", "z_1, z_2 that hold 50 % and 95 % of a standard normal law",
                         circle(std::sqrt(2 * std::log(2))) + "\n" + circle(std::sqrt(2 * std::log(20)))});
  figure.commands += panels.key();
  for (long i = 0; i < panels.count(); ++i) {
    figure.data.push_back({fmt::format("latent{}", i), "z_1, z_2", points_text(file, name, i)});
    figure.commands += panels.at(i, "z_1", "z_2") + title(problem_title(i, panels.count()));
    figure.commands += fmt::format(
        "set xrange [-4:4]\nset yrange [-4:4]\n"
        "plot $latent{} using 1:2 with points pt 7 ps 0.3 lc rgb '{}' title '{}', "
        "$rings using 1:2 with lines lw 1.5 lc rgb '{}' title 'N(0, I), 50 %, 95 %'\n",
        i, kBlue, joint ? "T^{-1}(u; y)" : "T^{-1} of the posterior", kOrange);
  }
  return figure;
}

}  // namespace vida::report
