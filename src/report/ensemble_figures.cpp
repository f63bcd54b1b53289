#include "report/ensemble_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/grid.hpp"

namespace vida::report {

namespace {

Figure statistics(const io::NetcdfReader& file) {
  const auto mean = file.values("mean"), variance = file.values("variance");
  const bool extremes = file.has("minimum") && file.has("maximum");
  const auto low = extremes ? file.values("minimum") : mean, high = extremes ? file.values("maximum") : mean;
  std::string text;
  for (std::size_t i = 0; i < mean.size(); ++i)
    text += fmt::format("{} {:.8g} {:.8g} {:.8g} {:.8g}\n", i, mean[i], std::sqrt(variance[i]), low[i], high[i]);

  Figure figure{.name = "statistics", .width = 640, .height = 400, .data = {}, .commands = {}};
  figure.data = {{"statistics", "component, mean, standard deviation, minimum, maximum", text}};
  figure.commands = place(0.11, 0.97, 0.135, 0.9);
  figure.commands +=
      fmt::format("set xrange [0:{}]\nset xlabel 'component' offset 0,0.3\nset ylabel 'v' offset 0.8,0\n",
                  std::max<double>(1, static_cast<double>(mean.size()) - 1));
  figure.commands +=
      "set grid ytics lc rgb '#dddddd' lw 0.6 lt 1\nset key at screen 0.97,0.975 right top horizontal samplen 2\nset "
      "offsets 0, 0, graph 0.12, "
      "graph 0.02\n";
  figure.commands += "plot ";
  if (extremes) figure.commands += "$statistics using 1:4:5 with filledcurves lc rgb '#eef3f8' title 'extremes', ";
  figure.commands += fmt::format(
      "$statistics using 1:($2-$3):($2+$3) with filledcurves lc rgb '#b3cde3' title 'mean ± s.d.', "
      "$statistics using 1:2 with lines lw 2 lc rgb '{}' title 'mean'\n",
      kBlue);
  return figure;
}

Figure snapshots(const io::NetcdfReader& file) {
  const auto shape = file.shape("snapshots");  // [snapshot, member, component]
  const auto values = file.values("snapshots");
  const auto time = file.has("snapshot_time") ? file.values("snapshot_time") : counting(shape[0]);
  Matrix field({shape[0], shape[2]});
  for (long s = 0; s < shape[0]; ++s)
    for (long i = 0; i < shape[2]; ++i) field(s, i) = values[s * shape[1] * shape[2] + i];

  Figure figure{.name = "snapshots", .width = 820, .height = 320, .data = {}, .commands = {}};
  figure.data = {{"field", "time, component, v of the first member", image_text(field, time, counting(shape[2]))}};
  const double half = time.size() > 1 ? (time[1] - time[0]) / 2 : 0.5;
  figure.commands = kSequential + place(0.09, 0.88, 0.17, 0.9);
  figure.commands += fmt::format("set xrange [{:.6g}:{:.6g}]\nset yrange [-0.5:{}]\n", time.front() - half,
                                 time.back() + half, static_cast<double>(shape[2]) - 0.5);
  figure.commands += colour_range(quantile(field, 0.002), quantile(field, 0.998));
  figure.commands +=
      "set title 'first member' offset 0,-0.5\nset xlabel 'time [model time units]' offset 0,0.3\n"
      "set ylabel 'component' offset 0.2,0\nset cblabel 'v' offset -0.3,0\n"
      "set colorbox user origin 0.895,0.17 size 0.018,0.73\nplot $field using 1:2:3 with image\n";
  return figure;
}

}  // namespace

std::vector<Figure> ensemble_figures(const io::NetcdfReader& result) {
  std::vector<Figure> figures;
  if (result.has("mean") && result.has("variance")) figures.push_back(statistics(result));
  if (result.has("snapshots") && result.shape("snapshots").size() == 3 && result.shape("snapshots")[0] > 1)
    figures.push_back(snapshots(result));
  return figures;
}

}  // namespace vida::report
