#include "report/assimilation_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "report/grid.hpp"
#include "report/hovmoller.hpp"
#include "report/panels.hpp"

namespace vida::report {
namespace {

constexpr long kPanels = 4;       // of one figure
constexpr long kPoints = 250;     // of a curve
constexpr long kBars = 40;        // of a histogram
constexpr long kRingOfLeast = 8;  // components of a state whose picture tells something

/// A filter of the result: its words, and its run on the first data set.
struct Filter {
  long index, run;
  std::string label;
};

std::vector<Filter> filters_of(const io::NetcdfReader& file) {
  std::vector<Filter> filters;
  const auto numbers = file.values("filter");
  for (std::size_t run = 0; run < numbers.size(); ++run)
    if (const auto index = static_cast<long>(numbers[run]); index == static_cast<long>(filters.size()))
      filters.push_back({index, static_cast<long>(run), file.text_attribute("", fmt::format("filter_{}", index))});
  return filters;
}

/// "errors", "errors-2", ..
std::string page_name(const std::string& name, std::size_t first) {
  return first == 0 ? name : fmt::format("{}-{}", name, first / kPanels + 1);
}

Matrix row_of(const io::NetcdfReader& file, const std::string& name, long run) {
  const long cycles = file.shape(name)[1];
  const auto values = file.slab(name, {run, 0}, {1, cycles});
  Matrix row({1, cycles});
  std::copy(values.begin(), values.end(), row.begin());
  return row;
}

/// Mean over the finite values of [first, last); NaN without any.
double window_mean(const Matrix& row, long first, long last) {
  double sum = 0;
  long count = 0;
  for (long j = first; j < last; ++j)
    if (std::isfinite(row(0, j))) sum += row(0, j), ++count;
  return count ? sum / static_cast<double>(count) : std::nan("");
}

/// Nearly the largest finite value; 0 where there is none.
double upper(const Matrix& row) {
  const bool any = std::any_of(row.begin(), row.end(), [](double value) { return std::isfinite(value); });
  return any ? quantile(row, 0.995) : 0;
}

/// Error and spread of the analysis of up to four filters; means over windows where there are many cycles.
Figure errors(const io::NetcdfReader& file, const std::vector<Filter>& filters, const std::string& name) {
  const auto time = file.values("time");
  const auto cycles = static_cast<long>(time.size()), window = (cycles + kPoints - 1) / kPoints;
  const Panels panels(static_cast<long>(filters.size()));
  Figure figure = panels.figure(name);
  figure.commands += panels.key() + "set grid ytics lc rgb '#dddddd' lw 0.6 lt 1\n";
  for (std::size_t k = 0; k < filters.size(); ++k) {
    const Matrix error = row_of(file, "analysis_error", filters[k].run),
                 spread = row_of(file, "analysis_spread", filters[k].run);
    std::string text;
    for (long j = 0; j < cycles; j += window) {
      const long last = std::min(cycles, j + window);
      text += fmt::format("{:.6g} {:.6g} {:.6g}\n",
                          (time[static_cast<std::size_t>(j)] + time[static_cast<std::size_t>(last - 1)]) / 2,
                          window_mean(error, j, last), window_mean(spread, j, last));
    }
    const double top = std::max({upper(error), upper(spread), 1e-9});
    figure.data.push_back({fmt::format("errors{}", k), "time, RMSE of the analysis, spread", text});
    figure.commands +=
        panels.at(static_cast<long>(k), "time [model time units]", "RMSE and spread") + title(filters[k].label);
    figure.commands += fmt::format(
        "set xrange [0:{:.6g}]\nset yrange [0:{:.4g}]\n"
        "plot $errors{} using 1:2 with lines lw 1.6 lc rgb '{}' title 'RMSE', "
        "$errors{} using 1:3 with lines lw 1.6 lc rgb '{}' title 'spread'\n",
        time.back(), 1.15 * top, k, kBlue, k, kOrange);
  }
  return figure;
}

/// Ranks as their number over that of a uniform law, neighbours together where there are many.
std::string rank_text(const std::vector<double>& counts, double& bar) {
  const auto ranks = static_cast<long>(counts.size()), bars = std::min(ranks, kBars);
  double all = 0;
  for (const double count : counts) all += count;
  std::string text;
  bar = 1 / static_cast<double>(bars);
  for (long b = 0; b < bars; ++b) {
    const long first = b * ranks / bars, last = (b + 1) * ranks / bars;
    double sum = 0;
    for (long r = first; r < last; ++r) sum += counts[static_cast<std::size_t>(r)];
    text += fmt::format("{:.5g} {:.5g}\n", (static_cast<double>(b) + 0.5) * bar,
                        sum / all * static_cast<double>(ranks) / static_cast<double>(last - first));
  }
  return text;
}

Figure ranks(const io::NetcdfReader& file, const std::vector<Filter>& filters, const std::string& name) {
  const Panels panels(static_cast<long>(filters.size()));
  Figure figure = panels.figure(name);
  figure.commands += panels.key();
  for (std::size_t k = 0; k < filters.size(); ++k) {
    double bar = 1;
    const std::string text = rank_text(file.values(fmt::format("rank_histogram_{}", filters[k].index)), bar);
    figure.data.push_back({fmt::format("ranks{}", k), "rank / N, frequency over that of a uniform law", text});
    figure.commands +=
        panels.at(static_cast<long>(k), "rank of the truth / N", "frequency / uniform") + title(filters[k].label);
    figure.commands += fmt::format(
        "set xrange [0:1]\nset yrange [0:*]\nset boxwidth {:.5g}\n"
        "plot $ranks{} using 1:2 with boxes fs solid 0.7 lc rgb '#9bb8cc' title 'truth', "
        "1 with lines lw 1.5 lc rgb '{}' title 'uniform'\n",
        0.9 * bar, k, kOrange);
  }
  return figure;
}

std::optional<Figure> fields(const io::NetcdfReader& file, const Filter& filter) {
  if (!file.has("truth") || !file.has("analysis_mean")) return std::nullopt;
  const auto shape = file.shape("analysis_mean");
  const long n = shape[2], shown = std::min(shape[1], kHovmollerCycles);
  if (n < kRingOfLeast) return std::nullopt;
  const auto last = [&](const char* name, long index) {
    const auto values = file.slab(name, {index, shape[1] - shown, 0}, {1, shown, n});
    Matrix rows({shown, n});
    std::copy(values.begin(), values.end(), rows.begin());
    return rows;
  };
  const Matrix truth = last("truth", 0), estimate = last("analysis_mean", filter.run);
  if (std::none_of(estimate.begin(), estimate.end(), [](double value) { return std::isfinite(value); }))
    return std::nullopt;
  const auto time = file.values("time");
  return hovmoller("analysis mean, " + filter.label, truth, estimate, {time.end() - shown, time.end()});
}

}  // namespace

std::vector<Figure> assimilation_figures(const io::NetcdfReader& result) {
  const auto filters = filters_of(result);
  std::vector<Filter> ranked;
  std::copy_if(filters.begin(), filters.end(), std::back_inserter(ranked),
               [&](const Filter& one) { return result.has(fmt::format("rank_histogram_{}", one.index)); });
  std::vector<Figure> figures;
  const auto add_pages = [&](const char* name, const std::vector<Filter>& all, const auto& draw_page) {
    for (std::size_t first = 0; first < all.size(); first += kPanels) {
      const auto begin = all.begin() + static_cast<long>(first);
      const auto end = begin + std::min<long>(kPanels, all.end() - begin);
      figures.push_back(draw_page(result, {begin, end}, page_name(name, first)));
    }
  };
  add_pages("errors", filters, errors);
  add_pages("ranks", ranked, ranks);
  if (auto figure = fields(result, filters.front())) figures.push_back(*std::move(figure));
  return figures;
}

}  // namespace vida::report
