#include "report/inference_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "report/grid.hpp"
#include "report/panels.hpp"

namespace vida::report {
namespace {

constexpr long kShown = 4;  // problems whose curves are drawn

/// What is subtracted from the losses of a problem: the loss of the exact posterior, or the lowest one there was.
double floor_of(const io::NetcdfReader& file, const Matrix& losses, long problem) {
  const double known = file.values("loss_floor")[static_cast<std::size_t>(problem)];
  if (std::isfinite(known)) return known;
  double lowest = std::numeric_limits<double>::infinity();
  for (long i = 0; i < losses.extent(1); ++i)
    if (losses(problem, i) < lowest) lowest = losses(problem, i);
  return lowest;
}

/// Blocks "step, loss - floor", one for each problem.
std::string loss_text(const io::NetcdfReader& file, const Matrix& losses, long problems) {
  std::string text;
  for (long problem = 0; problem < problems; ++problem)
    text += window_means_text(losses[problem], floor_of(file, losses, problem)) + "\n";
  return text;
}

std::string validation_text(const io::NetcdfReader& file, const Matrix& losses, long problems) {
  const Matrix values = file.array<2>("validation"), after = file.array<2>("validated_after");
  std::string text;
  for (long problem = 0; problem < problems; ++problem) {
    const double floor = floor_of(file, losses, problem);
    for (long i = 0; i < values.extent(1); ++i)
      text += fmt::format("{} {:.6g}\n", after(problem, i), values(problem, i) - floor);
    text += "\n";
  }
  return text;
}

Figure loss_figure(const io::NetcdfReader& file) {
  const Matrix losses = file.array<2>("loss");
  const long problems = std::min(losses.extent(0), kShown);
  const bool known = std::isfinite(file.values("loss_floor").front());
  const bool amortized = file.text_attribute("", "job") == "amortized";
  Figure figure{.name = "loss", .width = 640, .height = 420, .data = {}, .commands = {}};
  figure.data.push_back({"loss", "step, loss of the step minus that of the exact posterior; a block for each problem",
                         loss_text(file, losses, problems)});
  const bool validated = file.has("validation");
  if (validated)
    figure.data.push_back({"validation", "steps taken, loss on the fixed draws minus that of the exact posterior",
                           validation_text(file, losses, problems)});
  figure.commands = place(0.13, 0.97, 0.135, 0.92);
  figure.commands += fmt::format("set xrange [1:{}]\nset logscale xy\nset format y '10^{{%T}}'\n", losses.extent(1));
  figure.commands += fmt::format("set xlabel 'step' offset 0,0.3\nset ylabel '{} [nat]' offset 0.5,0\n",
                                 !known      ? "loss - lowest loss"
                                 : amortized ? "mean KL(posterior || q)"
                                             : "KL(q || posterior)");
  figure.commands += "set grid ytics lc rgb '#dddddd' lw 0.6 lt 1\n";
  figure.commands += validated ? "set key at screen 0.97,0.985 right top horizontal samplen 2\n" : "unset key\n";
  figure.commands +=
      fmt::format("plot $loss using 1:($2 > 1e-9 ? $2 : 1/0) with {} lc rgb '{}' title 'draws of the step'",
                  validated ? "points pt 7 ps 0.35" : "lines lw 1.5", kBlue);
  if (validated)
    figure.commands += fmt::format(
        ", $validation using 1:($2 > 1e-9 ? $2 : 1/0) with linespoints pt 7 ps 0.3 lw 1.8 lc rgb '{}' title 'fixed "
        "draws'",
        kOrange);
  figure.commands += "\n";
  return figure;
}

/// The largest importance weights, raw and smoothed: a heavy tail is a line that does not bend down.
Figure weights_figure(const io::NetcdfReader& file) {
  const Matrix raw = file.array<2>("largest_weights"), smoothed = file.array<2>("smoothed_weights");
  const auto k_hat = file.values("k_hat"), effective = file.values("effective_draws");
  const Panels panels(raw.extent(0));
  Figure figure = panels.figure("weights");
  figure.commands += "set logscale x\nset key inside top right samplen 2\n";
  for (long i = 0; i < panels.count(); ++i) {
    std::string text;
    for (long rank = 0; rank < raw.extent(1); ++rank)
      text += fmt::format("{} {:.6g} {:.6g}\n", rank + 1, raw(i, rank), smoothed(i, rank));
    figure.data.push_back({fmt::format("weights{}", i), "rank, weight over the mean weight, smoothed", text});
    figure.commands += panels.at(i, "rank of the weight", "weight / mean weight");
    figure.commands +=
        title(fmt::format("{}k-hat {:.2f}, ESS {:.0f}", panels.count() > 1 ? fmt::format("problem {}: ", i) : "",
                          k_hat[static_cast<std::size_t>(i)], effective[static_cast<std::size_t>(i)]));
    figure.commands += raw(i, 0) > 5 ? "set logscale y\n" : "unset logscale y\n";
    figure.commands += fmt::format(
        "set xrange [1:{2}]\nplot $weights{3} using 1:2 with points pt 7 ps 0.35 lc rgb '{0}' title 'raw', "
        "$weights{3} using 1:3 with lines lw 1.8 lc rgb '{1}' title 'Pareto smoothed'\n",
        kBlue, kOrange, raw.extent(1), i);
  }
  return figure;
}

/// Histograms of the ranks of the truth, with the band that holds 99 % of uniform ones.
Figure calibration_figure(const io::NetcdfReader& file, long draws) {
  const Matrix ranks = file.array<2>("rank");
  const long bins = std::min(20L, draws + 1);
  const double expected = static_cast<double>(ranks.extent(0)) / static_cast<double>(bins),
               band = 2.576 * std::sqrt(expected * (1 - 1 / static_cast<double>(bins)));
  const Panels panels(ranks.extent(1));
  Figure figure = panels.figure("calibration");
  figure.commands += panels.key();
  for (long k = 0; k < panels.count(); ++k) {
    std::vector<long> counts(static_cast<std::size_t>(bins), 0);
    for (long i = 0; i < ranks.extent(0); ++i)
      ++counts[static_cast<std::size_t>(static_cast<long>(ranks(i, k)) * bins / (draws + 1))];
    std::string text;
    for (long bin = 0; bin < bins; ++bin)
      text += fmt::format("{:.4g} {}\n", (static_cast<double>(bin) + 0.5) / static_cast<double>(bins),
                          counts[static_cast<std::size_t>(bin)]);
    figure.data.push_back({fmt::format("ranks{}", k), "rank / draws, replications", text});
    figure.commands += panels.at(k, "rank of the truth / draws", "replications") + title(fmt::format("u_{}", k + 1));
    figure.commands += fmt::format(
        "set xrange [0:1]\nset yrange [0:*]\nset boxwidth {:.4g}\n"
        "plot $ranks{} using 1:2 with boxes fs solid 0.7 lc rgb '{}' title 'truths', {:.6g} with lines lw 1.5 lc rgb "
        "'{}' title "
        "'uniform', {:.6g} with lines lw 1 dt 2 lc rgb '{}' title '99 %', {:.6g} with lines lw 1 dt 2 lc rgb '{}' "
        "notitle\n",
        0.9 / static_cast<double>(bins), k, "#9bb8cc", expected, kOrange, expected + band, kOrange,
        std::max(0.0, expected - band), kOrange);
  }
  return figure;
}

}  // namespace

std::vector<Figure> inference_figures(const io::NetcdfReader& result) {
  std::vector<Figure> figures;
  if (result.has("log_density")) figures.push_back(posterior_figure(result));
  if (result.has("latent") && result.shape("latent").back() > 1) figures.push_back(latent_figure(result));
  if (result.has("largest_weights")) figures.push_back(weights_figure(result));
  if (result.has("loss")) figures.push_back(loss_figure(result));
  if (result.has("rank")) figures.push_back(calibration_figure(result, static_cast<long>(result.scalar("rank_draws"))));
  return figures;
}

}  // namespace vida::report
