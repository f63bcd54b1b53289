#include "report/gain_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "report/grid.hpp"
#include "report/hovmoller.hpp"

namespace vida::report {

namespace {

constexpr long kShownRuns = 64;  // traces drawn of a batch

struct Panel {
  std::string variable;  // [run, iteration]
  std::string label;
  std::string level;  // EKF level, empty when there is none
};

/// One column of text per run.
std::string trace_text(const io::NetcdfReader& file, const std::string& name) {
  const auto shape = file.shape(name);
  const auto values = file.values(name);
  const long iterations = shape.back(), runs = static_cast<long>(values.size()) / std::max(1L, iterations);
  std::string text;
  for (long iteration = 0; iteration < iterations; ++iteration) {
    text += fmt::format("{}", iteration);
    for (long run = 0; run < std::min(runs, kShownRuns); ++run)
      text += fmt::format(" {:.8g}", values[run * iterations + iteration]);
    text += '\n';
  }
  return text;
}

bool any_finite(const io::NetcdfReader& file, const std::string& name) {
  if (!file.has(name)) return false;
  const auto values = file.values(name);
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

std::string ekf_level(const io::NetcdfReader& file) {
  if (!any_finite(file, "mse_ekf_train")) return {};
  return fmt::format("{:.6g}", file.values("mse_ekf_train").front());
}

std::optional<Figure> convergence(const io::NetcdfReader& file) {
  std::vector<Panel> panels;
  if (any_finite(file, "kl_to_ekf")) panels.push_back({"kl_to_ekf", "KL to the EKF [nats per cycle]", ""});
  if (any_finite(file, "mse")) panels.push_back({"mse", "MSE against the truth", ekf_level(file)});
  if (panels.empty() && any_finite(file, "cost")) panels.push_back({"cost", "cost [nats]", ""});
  if (panels.empty()) return std::nullopt;

  const long count = static_cast<long>(panels.size());
  Figure figure{
      .name = "convergence", .width = 560, .height = static_cast<int>(70 + 230 * count), .data = {}, .commands = {}};
  const double bottom = 58.0 / figure.height, top = 1 - 18.0 / figure.height, gap = 18.0 / figure.height;
  const double height = (top - bottom - gap * static_cast<double>(count - 1)) / static_cast<double>(count);
  figure.commands = "set multiplot\nset grid ytics lc rgb '#dddddd' lw 0.6 lt 1\nset format y '%.3g'\n";
  for (long i = 0; i < count; ++i) {
    const auto& panel = panels[i];
    figure.data.push_back(
        {panel.variable, "iteration, then " + panel.variable + " of each run", trace_text(file, panel.variable)});
    const double upper = top - static_cast<double>(i) * (height + gap);
    const bool last = i + 1 == count;
    const auto shape = file.shape(panel.variable);
    const long runs = shape.size() > 1 ? std::min(shape.front(), kShownRuns) : 1;
    figure.commands += place(0.15, 0.965, upper - height, upper);
    figure.commands +=
        fmt::format("set xrange [0:{}]\nset offsets 0, 0, graph 0.06, graph 0.06\n", std::max(1L, shape.back() - 1));
    figure.commands +=
        last ? "set xlabel 'iteration' offset 0,0.3\nset format x '%g'\n" : "unset xlabel\nset format x ''\n";
    // a label at a fixed place, so that the panels' labels line up whatever the width of their numbers
    figure.commands += fmt::format("unset label\nset label '{}' at screen 0.035,{:.5g} center rotate\n", panel.label,
                                   upper - height / 2);
    std::vector<std::string> plots;
    for (long run = runs - 1; run >= 0; --run)
      plots.push_back(fmt::format("${} using 1:{} with lines lw {} lc rgb '{}'{}", panel.variable, run + 2,
                                  run == 0 ? 2.2 : 0.8, run == 0 ? kBlue : "#9ecae1",
                                  run == 0 ? (runs > 1 ? " title 'first run'" : " title 'learned gain'") : ""));
    if (!panel.level.empty())
      plots.push_back(fmt::format("{} with lines lw 1.6 dt 2 lc rgb '{}' title '{}'", panel.level, kOrange,
                                  runs > 1 ? "EKF, first run" : "EKF"));
    figure.commands += "plot " + fmt::format("{}", fmt::join(plots, ", \\\n  ")) + "\n";
  }
  return figure;
}

std::optional<Figure> gains(const io::NetcdfReader& file) {
  if (!file.has("gain") || !any_finite(file, "gain_steady")) return std::nullopt;
  const Matrix learned = first_matrix(file, "gain"), steady = first_matrix(file, "gain_steady");
  const auto [low, high] = finite_range(learned);
  const auto [steady_low, steady_high] = finite_range(steady);
  const double limit = std::max({-low, high, -steady_low, steady_high, 1e-12});
  const long n = learned.extent(0), p = learned.extent(1);

  Figure figure{.name = "gain", .width = 860, .height = 440, .data = {}, .commands = {}};
  figure.data = {{"learned", "component, observation, K", image_text(learned, counting(n), counting(p))},
                 {"steady", "component, observation, K", image_text(steady, counting(n), counting(p))}};
  figure.commands = kDiverging;
  figure.commands += "set multiplot\n";
  figure.commands += fmt::format("set cbrange [{:.6g}:{:.6g}]\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\n", -limit,
                                 limit, static_cast<double>(p) - 0.5, static_cast<double>(n) - 0.5);
  figure.commands += "set xlabel 'observation' offset 0,0.3\n";
  figure.commands += place(0.075, 0.455, 0.145, 0.9);
  figure.commands +=
      "set title 'learned gain' offset 0,-0.5\nset ylabel 'component' offset 0.4,0\nunset colorbox\n"
      "plot $learned using 2:1:3 with image pixels\n";
  figure.commands += place(0.505, 0.885, 0.145, 0.9);
  figure.commands +=
      "set title 'steady gain of the EKF'\nunset ylabel\nset format y ''\n"
      "set colorbox user origin 0.905,0.145 size 0.018,0.755\nset cblabel 'K' offset -0.5,0\n"
      "plot $steady using 2:1:3 with image pixels\n";
  return figure;
}

std::optional<Figure> held_out_fields(const io::NetcdfReader& file) {
  if (!any_finite(file, "test_truth") || !any_finite(file, "test_analysis_mean")) return std::nullopt;
  const Matrix all_truth = first_matrix(file, "test_truth"), all_estimate = first_matrix(file, "test_analysis_mean");
  const long cycles = all_truth.extent(0), n = all_truth.extent(1), shown = std::min(cycles, kHovmollerCycles);
  const auto time = file.has("test_time") ? file.values("test_time") : counting(cycles);
  const auto last = [&](const Matrix& all) {
    Matrix rows({shown, n});
    std::copy(all.end() - rows.size(), all.end(), rows.begin());
    return rows;
  };
  return hovmoller("estimate (analysis mean)", last(all_truth), last(all_estimate), {time.end() - shown, time.end()});
}

}  // namespace

std::vector<Figure> gain_figures(const io::NetcdfReader& result) {
  std::vector<Figure> figures;
  for (auto figure : {convergence(result), gains(result), held_out_fields(result)})
    if (figure) figures.push_back(*std::move(figure));
  return figures;
}

}  // namespace vida::report
