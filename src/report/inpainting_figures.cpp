#include "report/inpainting_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "report/grid.hpp"
#include "report/inpainting_sheet.hpp"

namespace vida::report {
namespace {

constexpr long kSamples = 8;                                 // of one example, in two rows
constexpr long kOverviewExamples = 8, kOverviewSamples = 4;  // in the figure of all
constexpr double kGap = 6, kGroup = 18;                      // between pictures, between kinds of pictures [points]

/// Width and height of the picture of [row, column] pixels whose longer edge has this length.
std::pair<double, double> picture_size(const Matrix& known, double edge) {
  const auto rows = static_cast<double>(known.extent(0)), columns = static_cast<double>(known.extent(1));
  const double pixel = edge / std::max(rows, columns);
  return {pixel * columns, pixel * rows};
}

std::string samples_title(double room) { return room > 200 ? "samples given the known pixels" : "samples"; }

void title_chart(Sheet& sheet, const Box& chart, double y, bool true_class) {
  sheet.caption(chart.x, y, "probability", "left");
  if (true_class) sheet.caption(chart.x + chart.width, y, "▼ true class", fmt::format("right tc rgb '{}'", kOrange));
}

/// Truth and input, samples, mean and deviation one above the other, and a chart of the classes.
Figure example_figure(const Example& example, const Matrix& known) {
  const double left = 12, top = 30;
  const auto [width, height] = picture_size(known, 112);
  const auto samples = static_cast<long>(example.samples.size()), in_row = (samples + 1) / 2;
  const auto row = [&, high = height](long i) { return top + static_cast<double>(i) * (high + kGap); };
  const double samples_at = left + width + kGroup,
               samples_end = samples_at + static_cast<double>(in_row) * (width + kGap) - kGap,
               mean_at = samples_end + kGroup;
  const Box chart{mean_at + width + 48, top, 185, 2 * height + kGap};
  const bool charted = !example.probability.empty();
  Sheet sheet(fmt::format("example_{}", example.number), charted ? chart.x + chart.width + 14 : mean_at + width + 14,
              row(2) + 50, {example}, known);
  sheet.caption(left + width / 2, top - 13,
                example.label < 0 ? "truth" : fmt::format("truth, class {}", example.label));
  sheet.grey({left, top, width, height}, "truth", 0, false);
  sheet.caption(left + width / 2, row(2) + 7, "known pixels");
  sheet.masked({left, row(1), width, height}, 0);
  sheet.caption((samples_at + samples_end) / 2, top - 13, samples_title(samples_end - samples_at));
  for (long k = 0; k < samples; ++k)
    sheet.grey({samples_at + static_cast<double>(k % in_row) * (width + kGap), row(k / in_row), width, height},
               "samples", k);
  sheet.caption(mean_at + width / 2, top - 13, "mean");
  sheet.grey({mean_at, top, width, height}, "mean", 0);
  sheet.caption(mean_at + width / 2, row(2) + 37, "standard deviation");
  sheet.deviation_with_scale({mean_at, row(1), width, height}, 0);
  if (charted) {
    title_chart(sheet, chart, top - 13, example.label >= 0);
    sheet.probabilities(chart, 0, true);
  }
  return sheet.figure();
}

/// A row for each example: truth, input, samples, mean, deviation and classes.
Figure overview_figure(std::vector<Example> examples, const Matrix& known) {
  const double left = 30, top = 30;
  const auto [width, height] = picture_size(known, 84);
  for (auto& example : examples) example.samples.resize(std::min(kOverviewSamples, std::ssize(example.samples)));
  const auto count = static_cast<long>(examples.size()), samples = std::ssize(examples.front().samples);
  const double samples_at = left + 2 * (width + kGap) - kGap + kGroup,
               samples_end = samples_at + static_cast<double>(samples) * (width + kGap) - kGap,
               mean_at = samples_end + kGroup, deviation_at = mean_at + width + kGap,
               chart_at = deviation_at + width + 40;
  const auto row = [&, high = height](long i) { return top + static_cast<double>(i) * (high + kGap); };
  const bool charted = !examples.front().probability.empty();
  Sheet sheet("examples", charted ? chart_at + 154 : deviation_at + width + 14, row(count) + 44, examples, known);
  const auto title = [&](double middle, const std::string& text) { sheet.caption(middle, top - 13, text); };
  for (long i = 0; i < count; ++i) {
    const Box place{left, row(i), width, height};
    const auto at = [&](double x) { return Box{x, place.y, place.width, place.height}; };
    if (i == 0) title(left + width / 2, "truth");
    sheet.caption(left - 12, place.y + height / 2, fmt::format("image {}", examples[i].number), "center rotate by 90");
    sheet.grey(place, "truth", i, false);
    if (i == 0) title(left + width + kGap + width / 2, "known");
    sheet.masked(at(left + width + kGap), i);
    if (i == 0) title((samples_at + samples_end) / 2, samples_title(samples_end - samples_at));
    for (long k = 0; k < samples; ++k)
      sheet.grey(at(samples_at + static_cast<double>(k) * (width + kGap)), "samples", i * samples + k);
    if (i == 0) title(mean_at + width / 2, "mean");
    sheet.grey(at(mean_at), "mean", i);
    if (i == 0) title(deviation_at + width / 2, "std. deviation");
    if (i + 1 < count)
      sheet.deviation(at(deviation_at), i);
    else
      sheet.deviation_with_scale(at(deviation_at), i);
  }
  for (long i = 0; charted && i < count; ++i) {
    const Box chart{chart_at, row(i), 140, height};
    if (i == 0) title_chart(sheet, chart, top - 13, examples[i].label >= 0);
    sheet.probabilities(chart, i, i + 1 == count);
  }
  return sheet.figure();
}

Figure training_figure(const io::NetcdfReader& file) {
  const Vector loss = file.array<1>("loss");
  Figure figure{.name = "training", .width = 640, .height = 420, .data = {}, .commands = {}};
  figure.data.push_back({"loss", "step, loss of its batch, mean over a window", window_means_text(loss, 0)});
  const bool validated = file.has("validation") && file.has("validated_after");
  if (validated) {
    const auto values = file.values("validation"), after = file.values("validated_after");
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i) text += fmt::format("{} {:.6g}\n", after[i], values[i]);
    figure.data.push_back({"validation", "steps taken, loss on the validation images", text});
  }
  figure.commands = place(0.11, 0.97, 0.135, 0.92);
  figure.commands += fmt::format("set xrange [1:{}]\nset logscale x\n", std::max(2L, loss.extent(0)));
  figure.commands += "set xlabel 'step' offset 0,0.3\nset ylabel 'bits per pixel' offset 0.5,0\n";
  figure.commands += "set grid ytics lc rgb '#dddddd' lw 0.6 lt 1\n";
  figure.commands += validated ? "set key at screen 0.97,0.985 right top horizontal samplen 2\n" : "unset key\n";
  figure.commands += fmt::format("plot $loss using 1:2 with lines lw 1.5 lc rgb '{}' title 'training batches'", kBlue);
  if (validated)
    figure.commands += fmt::format(
        ", $validation using 1:2 with linespoints pt 7 ps 0.4 lw 1.5 lc rgb '{}' title 'validation images'", kOrange);
  figure.commands += "\n";
  return figure;
}

}  // namespace

std::vector<Figure> inpainting_figures(const io::NetcdfReader& result) {
  std::vector<Figure> figures;
  const auto has = [&](const char* name) { return result.has(name); };
  if (has("truth") && has("known") && has("sample") && has("mean") && has("deviation")) {
    const Matrix known = result.array<2>("known");
    std::vector<Example> first;
    for (long i = 0; i < result.shape("truth")[0]; ++i) {
      auto example = read_example(result, i, kSamples);
      figures.push_back(example_figure(example, known));
      if (i < kOverviewExamples) first.push_back(std::move(example));
    }
    if (!first.empty()) figures.push_back(overview_figure(std::move(first), known));
  }
  if (has("loss")) figures.push_back(training_figure(result));
  return figures;
}

}  // namespace vida::report
