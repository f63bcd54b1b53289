#include "report/hovmoller.hpp"

#include <fmt/format.h>

#include <cmath>

#include "report/grid.hpp"

namespace vida::report {
namespace {

struct FieldPanel {
  std::string block, title, palette;
  double low, high;
};

std::string field_panel(const FieldPanel& panel, double bottom, double top, bool last) {
  std::string text = panel.palette + place(0.085, 0.885, bottom, top);
  text += last ? "set xlabel 'time [model time units]' offset 0,0.3\nset format x '%g'\n"
               : "unset xlabel\nset format x ''\n";
  text += colour_range(panel.low, panel.high);
  text += fmt::format("set colorbox user origin 0.9,{:.5g} size 0.016,{:.5g}\n", bottom, top - bottom);
  text += fmt::format("set title '{}' offset 0,-0.7\nplot ${} using 1:2:3 with image\n", panel.title, panel.block);
  return text;
}

}  // namespace

Figure hovmoller(const std::string& estimate_title, const Matrix& truth, const Matrix& estimate,
                 const std::vector<double>& time) {
  const long cycles = truth.extent(0), n = truth.extent(1);
  Matrix error(truth.extents());
  for (long i = 0; i < error.size(); ++i) error.data()[i] = std::abs(estimate.data()[i] - truth.data()[i]);
  const double low = std::floor(quantile(truth, 0.002)), high = std::ceil(quantile(truth, 0.998));

  Figure figure{.name = "hovmoller", .width = 900, .height = 660, .data = {}, .commands = {}};
  const auto components = counting(n);
  figure.data = {{"truth", "time, component, truth", image_text(truth, time, components)},
                 {"estimate", "time, component, analysis mean", image_text(estimate, time, components)},
                 {"error", "time, component, |estimate - truth|", image_text(error, time, components)}};
  const double half = cycles > 1 ? (time[1] - time[0]) / 2 : 0.5;
  figure.commands = fmt::format("set multiplot\nset xrange [{:.6g}:{:.6g}]\nset yrange [-0.5:{}]\n",
                                time.front() - half, time.back() + half, static_cast<double>(n) - 0.5);
  figure.commands += "set ylabel 'component' offset 0.4,0\nset cblabel 'v' offset -0.3,0\n";
  figure.commands += field_panel({"truth", "truth", kSequential, low, high}, 0.705, 0.955, false);
  figure.commands += field_panel({"estimate", estimate_title, kSequential, low, high}, 0.395, 0.645, false);
  figure.commands += "set cblabel '|error|'\n";
  figure.commands +=
      field_panel({"error", "absolute error", kMagnitude, 0, quantile(error, 0.998)}, 0.085, 0.335, true);
  return figure;
}

}  // namespace vida::report
