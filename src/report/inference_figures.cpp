#include "report/inference_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/grid.hpp"

namespace vida::report {

namespace {

/// The density relative to its largest value, so that a colour means the same in every picture.
Matrix relative_density(const Matrix& log_density) {
  const double top = *std::max_element(log_density.begin(), log_density.end());
  Matrix density = log_density;
  for (double& value : density) value = std::exp(value - top);
  return density;
}

/// Points of the ellipse that holds q's draws at `radius` standard deviations: mean + radius L (cos, sin).
std::string ellipse(const io::NetcdfReader& file, double radius) {
  const auto mean = file.values("mean"), factor = file.values("factor");
  std::string text;
  for (int i = 0; i <= 120; ++i) {
    const double angle = 2 * M_PI * i / 120, x = radius * std::cos(angle), y = radius * std::sin(angle);
    text += fmt::format("{:.6g} {:.6g}\n", mean[0] + factor[0] * x, mean[1] + factor[2] * x + factor[3] * y);
  }
  return text;
}

Figure posterior(const io::NetcdfReader& file) {
  const auto first = file.values("grid_first"), second = file.values("grid_second");
  Figure figure{.name = "posterior", .width = 620, .height = 520, .data = {}, .commands = {}};
  figure.data.push_back({"density", "u_1, u_2, density over its maximum",
                         image_text(relative_density(file.array<2>("log_density")), second, first)});
  const auto draws = file.values("draws");
  std::string points;
  for (std::size_t i = 0; i + 1 < std::min<std::size_t>(draws.size(), 1000); i += 2)
    points += fmt::format("{:.6g} {:.6g}\n", draws[i], draws[i + 1]);
  figure.data.push_back({"draws", "u_1, u_2 of draws of q", points});
  std::string rings;
  for (const double radius : {1.0, 2.0}) rings += ellipse(file, radius) + "\n";
  figure.data.push_back({"rings", "u_1, u_2 one and two standard deviations from the mean of q", rings});
  figure.commands = kMagnitude + place(0.12, 0.84, 0.12, 0.92);
  figure.commands += fmt::format("set xrange [{:.6g}:{:.6g}]\nset yrange [{:.6g}:{:.6g}]\n", first.front(),
                                 first.back(), second.front(), second.back());
  figure.commands +=
      "set cbrange [0:1]\nset xlabel 'u_1' offset 0,0.3\nset ylabel 'u_2' offset 0.8,0\n"
      "set cblabel 'posterior density / maximum' offset 0.2,0\nset colorbox user origin 0.855,0.12 size 0.022,0.8\n"
      "set key at screen 0.84,0.975 right top horizontal samplen 2\n";
  // image rows are the second component: row_at, column_at, value
  figure.commands += fmt::format(
      "plot $density using 2:1:3 with image notitle, "
      "$draws using 1:2 with points pt 7 ps 0.25 lc rgb '#555555' title 'draws of q', "
      "$rings using 1:2 with lines lw 2 lc rgb '{}' title 'q, 1 and 2 s.d.'\n",
      kOrange);
  return figure;
}

Figure loss(const io::NetcdfReader& file) {
  const auto shape = file.shape("loss");
  const auto values = file.values("loss"), elbo = file.values("elbo");
  const long problems = std::min(shape[0], 8L), steps = shape[1];
  std::string text;
  for (long step = 0; step < steps; step += std::max(1L, step / 100)) {  // evenly along a logarithmic axis
    text += fmt::format("{}", step + 1);
    for (long i = 0; i < problems; ++i)
      text += fmt::format(" {:.6g}",
                          values[static_cast<std::size_t>(i * steps + step)] + elbo[static_cast<std::size_t>(i)]);
    text += "\n";
  }
  Figure figure{.name = "loss", .width = 640, .height = 400, .data = {}, .commands = {}};
  figure.data = {{"loss", "step, ELBO of the result minus ELBO at the step, for each problem", text}};
  figure.commands = place(0.13, 0.97, 0.135, 0.94);
  figure.commands += fmt::format("set xrange [1:{}]\nset logscale xy\nset format y '10^{{%T}}'\n", steps);
  figure.commands +=
      "set xlabel 'step' offset 0,0.3\nset ylabel 'final ELBO - ELBO [nat]' offset 0.5,0\n"
      "set grid ytics lc rgb '#dddddd' lw 0.6 lt 1\nunset key\nplot ";
  for (long i = 0; i < problems; ++i)
    figure.commands += fmt::format("{}$loss using 1:(${} > 1e-9 ? ${} : 1/0) with lines lw 1.5 lc rgb '{}' notitle",
                                   i ? ", " : "", i + 2, i + 2, i % 2 ? kOrange : kBlue);
  figure.commands += "\n";
  return figure;
}

}  // namespace

std::vector<Figure> inference_figures(const io::NetcdfReader& result) {
  std::vector<Figure> figures;
  if (result.has("log_density") && result.has("draws")) figures.push_back(posterior(result));
  if (result.has("loss")) figures.push_back(loss(result));
  return figures;
}

}  // namespace vida::report
