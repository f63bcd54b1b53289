#include "report/sweep_figures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <sstream>

#include "report/grid.hpp"
#include "report/panels.hpp"

namespace vida::report {
namespace {

constexpr std::size_t kPanels = 4;  // of one figure
constexpr std::size_t kCurves = 8;
constexpr double kWidest = 4;  // largest colour over the least: what lost the truth is beyond
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Axis {
  std::string name;
  std::vector<std::string> texts;  ///< of its values
  std::vector<double> values;
  bool of_data = false, numeric = false;
  long size() const { return static_cast<long>(values.size()); }
};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::vector<Axis> axes_of(const io::NetcdfReader& file) {
  const auto holds = [](const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  const auto data = words_of(file.text_attribute("", "axes_of_data")),
             numeric = words_of(file.text_attribute("", "axes_of_numbers"));
  std::vector<Axis> axes;
  for (const std::string& name : words_of(file.text_attribute("", "axes"))) {
    Axis& axis = axes.emplace_back(Axis{name, {}, file.values(name), holds(data, name), holds(numeric, name)});
    for (long i = 0; i < axis.size(); ++i)
      axis.texts.push_back(axis.numeric ? fmt::format("{:.5g}", axis.values[static_cast<std::size_t>(i)])
                                        : file.text_attribute("", fmt::format("{}_{}", name, i)));
  }
  return axes;
}

/// The axes to draw over: radius and inflation, else the first ones of numbers, those of filters before those of data.
std::vector<std::size_t> drawn(const std::vector<Axis>& axes) {
  std::vector<std::size_t> chosen;
  const auto add = [&](const auto& fits) {
    for (std::size_t i = 0; i < axes.size(); ++i)
      if (axes[i].numeric && axes[i].size() > 1 && chosen.size() < 2 && fits(axes[i]) &&
          std::find(chosen.begin(), chosen.end(), i) == chosen.end())
        chosen.push_back(i);
  };
  const auto is_there = [&](const char* name) {
    return std::any_of(axes.begin(), axes.end(),
                       [&](const Axis& axis) { return axis.name == name && axis.size() > 1; });
  };
  if (is_there("radius") && is_there("inflation")) {
    add([](const Axis& axis) { return axis.name == "radius"; });
    add([](const Axis& axis) { return axis.name == "inflation"; });
  }
  add([](const Axis& axis) { return !axis.of_data; });
  add([](const Axis& axis) { return axis.of_data; });
  return chosen;
}

/// A cell of a map: the least error over the axes that are not drawn, and whether a seed of it was lost or failed.
struct Cell {
  double error = kInfinity;
  bool flagged = false;
};
/// Cells by their place on the drawn axes.
using Map = std::map<std::vector<long>, Cell>;

/// What a map is of, in words, and which of the drawn axes its method does not use.
struct Subject {
  std::string words;
  std::vector<std::string> unused;

  Subject(const io::NetcdfReader& file, const std::vector<Axis>& axes, const std::vector<std::size_t>& over,
          const std::vector<long>& at) {
    std::string method = file.text_attribute("", "method"), filter, data;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::string& text = axes[i].texts[static_cast<std::size_t>(at[i])];
      if (axes[i].name == "method" || (axes[i].name == "filter" && !text.empty())) method = text;
      if (axes[i].name == "filter") filter = fmt::format(", filter {}", at[i]);
      if (axes[i].of_data && axes[i].size() > 1 && std::find(over.begin(), over.end(), i) == over.end())
        data += ", " + axes[i].name + " " + text;
    }
    const auto all = words_of(file.text_attribute("", "axes_without_use_of_" + method));
    for (const std::size_t i : over)
      if (std::find(all.begin(), all.end(), axes[i].name) != all.end()) unused.push_back(axes[i].name);
    words = method + filter + data;
  }
};

/// The errors of one filter on one kind of data over the drawn axes.
struct Labelled {
  Subject subject;
  Map map;
  std::string label() const {
    return subject.unused.empty() ? subject.words
                                  : fmt::format("{} (without {})", subject.words, fmt::join(subject.unused, ", "));
  }
};

std::vector<Labelled> maps_of(const io::NetcdfReader& file, const std::vector<Axis>& axes,
                              const std::vector<std::size_t>& over) {
  const auto errors = file.values("rmse_analysis_median"), lost = file.values("lost"), failed = file.values("failed");
  std::vector<Labelled> maps;
  std::vector<long> at(axes.size(), 0);
  for (std::size_t cell = 0; cell < errors.size(); ++cell) {
    std::size_t rest = cell;
    for (std::size_t i = axes.size(); i-- > 0;) {
      at[i] = static_cast<long>(rest) % axes[i].size();
      rest /= axes[i].values.size();
    }
    const Subject subject(file, axes, over, at);
    auto map =
        std::find_if(maps.begin(), maps.end(), [&](const Labelled& one) { return one.subject.words == subject.words; });
    if (map == maps.end()) map = maps.insert(maps.end(), {subject, {}});
    std::vector<long> place;
    for (const std::size_t i : over) place.push_back(at[i]);
    Cell& known = map->map[place];
    if (errors[cell] < known.error) known = {errors[cell], lost[cell] + failed[cell] > 0};
  }
  return maps;
}

/// The least error, and the largest that gets a colour of its own.
std::pair<double, double> limits_of(const std::vector<Labelled>& maps) {
  double low = kInfinity, high = 0;
  for (const Labelled& one : maps)
    for (const auto& [at, cell] : one.map)
      if (std::isfinite(cell.error)) low = std::min(low, cell.error), high = std::max(high, cell.error);
  if (!std::isfinite(low)) return {0, 1};
  high = std::min(high, kWidest * low);
  return {low, high > low ? high : low + std::max(1e-3, 1e-3 * low)};
}

bool by_logarithm(double low, double high) { return low > 0 && high > 2 * low; }

std::string colours(double low, double high) {
  std::string range = fmt::format("set cbrange [{:.6g}:{:.6g}]\n", low, high);
  if (!by_logarithm(low, high)) return range;
  std::string ticks;
  for (const double decade : {1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0})
    for (const double digit : {1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0})
      if (const double tick = decade * digit; tick >= low && tick <= high)
        ticks += fmt::format("{}{:.4g}", ticks.empty() ? "" : ", ", tick);
  return range + "set logscale cb\nset cbtics (" + ticks + ")\n";
}

/// Whether the colour of a value is so dark that text on it must be white.
bool is_dark(double value, double low, double high) {
  const double share =
      by_logarithm(low, high) ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return share < 0.6;
}

std::string ticks_of(const Axis& axis) {
  std::string text;
  for (long i = 0; i < axis.size(); ++i)
    text += fmt::format("{}'{}' {}", i ? ", " : "", axis.texts[static_cast<std::size_t>(i)], i);
  return "(" + text + ")";
}

std::string axis_title(const Axis& axis) { return axis.name == "members" ? "members N" : axis.name; }

/// The cells with the least error among those on the same data: several where a method does not use a drawn axis.
std::vector<std::vector<long>> best_of(const Map& map, const std::vector<Axis>& axes,
                                       const std::vector<std::size_t>& over) {
  const auto data_of = [&](const std::vector<long>& at) {
    std::vector<long> data;
    for (std::size_t i = 0; i < over.size(); ++i)
      if (axes[over[i]].of_data) data.push_back(at[i]);
    return data;
  };
  std::map<std::vector<long>, double> least;
  for (const auto& [at, cell] : map) {
    double& known = least.try_emplace(data_of(at), kInfinity).first->second;
    known = std::min(known, cell.error);
  }
  std::vector<std::vector<long>> places;
  for (const auto& [at, cell] : map)
    if (std::isfinite(cell.error) && cell.error == least.at(data_of(at))) places.push_back(at);
  return places;
}

/// One panel: colours, numbers, crosses where there is none, a frame around the best.
void draw_map(Figure& figure, long panel, const Labelled& labelled, const std::vector<Axis>& axes,
              const std::vector<std::size_t>& over, double low, double high) {
  const Map& map = labelled.map;
  const Axis &x = axes[over[0]], &y = axes[over[1]];
  std::string known, texts, failed;
  for (const auto& [at, cell] : map) {
    if (!std::isfinite(cell.error)) {
      failed += fmt::format("{} {}\n", at[0], at[1]);
      continue;
    }
    known += fmt::format("{} {} {:.6g}\n", at[0], at[1], cell.error);
    texts += fmt::format("{} {} {:.{}f}{} {}\n", at[0], at[1], cell.error, cell.error < 1 ? 3 : 2,
                         cell.flagged ? "*" : "", is_dark(cell.error, low, high) ? 0xffffff : 0x000000);
  }
  std::string plot;
  const auto add = [&](const char* name, const char* columns, const std::string& text, const char* how) {
    if (text.empty()) return;
    figure.data.push_back({fmt::format("{}{}", name, panel), columns, text});
    plot += fmt::format("{}${}{} {}", plot.empty() ? "plot " : ", ", name, panel, how);
  };
  // boxes, not an image, which needs a value in every cell
  add("map", "x, y, RMSE", known, "using 1:2:(0.5):(0.5):3 with boxxyerror fs solid lc palette");
  if (x.size() <= 10 && y.size() <= 16)
    add("number", "x, y, RMSE (*: some seeds lost or failed), colour", texts,
        "using 1:2:3:4 with labels tc rgb variable font ',9'");
  add("failed", "x, y of cells without a finite median", failed,
      "using 1:2 with points pt 2 ps 1.5 lw 1.5 lc rgb '#555555'");
  figure.commands += title(labelled.label());
  figure.commands +=
      "unset object\nset object 1 rectangle from graph 0,0 to graph 1,1 fc rgb '#d9d9d9' fs solid behind\n";
  int object = 2;
  for (const auto& at : best_of(map, axes, over))
    figure.commands +=
        fmt::format("set object {} rectangle from {},{} to {},{} front fs empty border lc rgb '{}' lw 3\n", object++,
                    static_cast<double>(at[0]) - 0.47, static_cast<double>(at[1]) - 0.47,
                    static_cast<double>(at[0]) + 0.47, static_cast<double>(at[1]) + 0.47, kOrange);
  figure.commands += fmt::format("set xrange [-0.5:{}.5]\nset yrange [-0.5:{}.5]\nset xtics {}\nset ytics {}\n{}\n",
                                 x.size() - 1, y.size() - 1, ticks_of(x), ticks_of(y), plot);
}

std::vector<Figure> heat_maps(const std::vector<Labelled>& maps, const std::vector<Axis>& axes,
                              const std::vector<std::size_t>& over) {
  std::vector<Figure> figures;
  const auto [low, high] = limits_of(maps);
  for (std::size_t first = 0; first < maps.size(); first += kPanels) {
    const std::size_t count = std::min(kPanels, maps.size() - first);
    const Panels panels(static_cast<long>(count), true);
    Figure figure = panels.figure(first == 0 ? "sweep" : fmt::format("sweep-{}", first / kPanels + 1));
    figure.commands += kSequential + colours(low, high) + panels.colour_box() +
                       "set label 1 'median RMSE of the analysis; framed: the best, x: failed, *: some seeds lost or "
                       "failed' at screen 0.02,0.985 font ',10'\n";
    for (std::size_t k = 0; k < count; ++k) {
      figure.commands += panels.at(static_cast<long>(k), axis_title(axes[over[0]]), axis_title(axes[over[1]]));
      if (k == 1) figure.commands += "unset colorbox\nunset label 1\n";
      draw_map(figure, static_cast<long>(k), maps[first + k], axes, over, low, high);
    }
    figures.push_back(std::move(figure));
  }
  return figures;
}

/// One axis: a line for each filter and kind of data.
Figure curves(const std::vector<Labelled>& maps, const Axis& axis) {
  const double high = limits_of(maps).second;
  const Panels panels(1);
  Figure figure = panels.figure("sweep");
  figure.commands += panels.at(0, axis_title(axis), "median RMSE of the analysis") + panels.key() +
                     "set grid ytics lc rgb '#dddddd' lw 0.6 lt 1\n" +
                     fmt::format("set xrange [-0.3:{}.3]\nset xtics {}\nset yrange [0:{:.4g}]\n", axis.size() - 1,
                                 ticks_of(axis), 1.1 * high);
  std::string plot;
  for (std::size_t k = 0; k < std::min(kCurves, maps.size()); ++k) {
    std::string text;
    for (const auto& [at, cell] : maps[k].map)
      text +=
          std::isfinite(cell.error) ? fmt::format("{} {:.6g}\n", at[0], cell.error) : fmt::format("{} nan\n", at[0]);
    figure.data.push_back({fmt::format("curve{}", k), "place on the axis, RMSE", text});
    plot += fmt::format("{}$curve{} using 1:2 with linespoints pt 7 ps 0.6 lw 1.6 title '{}'", k ? ", " : "plot ", k,
                        maps[k].label());
  }
  figure.commands += plot + "\n";
  return figure;
}

}  // namespace

std::vector<Figure> sweep_figures(const io::NetcdfReader& result) {
  const auto axes = axes_of(result);
  const auto over = drawn(axes);
  if (over.empty()) return {};
  auto maps = maps_of(result, axes, over);
  if (over.size() == 2) {
    std::erase_if(maps, [&](const Labelled& one) { return one.subject.unused.size() == over.size(); });
    return heat_maps(maps, axes, over);
  }
  return {curves(maps, axes[over[0]])};
}

}  // namespace vida::report
