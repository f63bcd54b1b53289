#include "report/inpainting_sheet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "report/grid.hpp"

namespace vida::report {
namespace {

constexpr const char* kUnknown = "#9ec3e0";  // pixels that were not observed

/// The picture at `index` of the axes before row and column.
Matrix picture(const io::NetcdfReader& file, const std::string& name, std::vector<long> index) {
  auto extents = file.shape(name);
  Matrix pixels({extents[extents.size() - 2], extents.back()});
  index.resize(extents.size(), 0);
  std::fill(extents.begin(), extents.end() - 2, 1);
  const auto values = file.slab(name, index, extents);
  std::copy(values.begin(), values.end(), pixels.begin());
  return pixels;
}

std::string scan(const Matrix& pixels) {  // a blank line more than the end of its last row: the next index of gnuplot
  return image_text(pixels, counting(pixels.extent(0)), counting(pixels.extent(1))) + "\n";
}

Matrix observed(Matrix truth, const Matrix& known) {
  for (long i = 0; i < truth.size(); ++i)
    if (known.data()[i] == 0) truth.data()[i] = std::numeric_limits<double>::quiet_NaN();
  return truth;
}

/// Lines that part unknown pixels from all else: the column and row of their ends, and a blank line. Nothing where the
/// unknown pixels are scattered: so many lines would hide the picture.
std::string frame_text(const Matrix& known) {
  const long rows = known.extent(0), columns = known.extent(1);
  const auto unknown = [&](long row, long column) {
    return row >= 0 && row < rows && column >= 0 && column < columns && known(row, column) == 0;
  };
  std::string text;
  long length = 0;
  for (long row = 0; row <= rows; ++row)
    for (long first = 0, last = 0; first < columns; first = last + 1) {
      for (last = first; last < columns && unknown(row - 1, last) != unknown(row, last);) ++last;
      length += last - first;
      if (last > first) text += fmt::format("{0} {2}\n{1} {2}\n\n", first - 0.5, last - 0.5, row - 0.5);
    }
  for (long column = 0; column <= columns; ++column)
    for (long first = 0, last = 0; first < rows; first = last + 1) {
      for (last = first; last < rows && unknown(last, column - 1) != unknown(last, column);) ++last;
      length += last - first;
      if (last > first) text += fmt::format("{2} {0}\n{2} {1}\n\n", first - 0.5, last - 0.5, column - 0.5);
    }
  const bool scattered = 2 * length > known.size();
  return text.empty() || scattered ? "nan nan\n" : text;
}

/// The numbers of a figure: a block has an index for each example, $samples one for each sample of each example.
std::vector<DataBlock> blocks(const std::vector<Example>& examples, const Matrix& known) {
  std::string truth, masked, samples, mean, deviation, probability;
  for (const auto& example : examples) {
    truth += scan(example.truth), masked += scan(observed(example.truth, known));
    mean += scan(example.mean), deviation += scan(example.deviation);
    for (const auto& sample : example.samples) samples += scan(sample);
    long number = 0;
    for (double share : example.probability) {
      probability += fmt::format("{} {:.5g} {}\n", number, share, number == example.label ? 1 : 0);
      ++number;
    }
    probability += "\n\n";
  }
  std::vector<DataBlock> all = {{"truth", "row, column, pixel", truth},
                                {"masked", "row, column, pixel; nan where it is unknown", masked},
                                {"samples", "row, column, pixel of a sample of the conditional law", samples},
                                {"mean", "row, column, conditional mean", mean},
                                {"deviation", "row, column, conditional standard deviation", deviation},
                                {"frame", "column, row: ends of lines around the unknown pixels", frame_text(known)}};
  if (!examples.front().probability.empty())
    all.push_back({"probability", "class, probability, 1 for the true class", probability});
  return all;
}

constexpr const char* kGreyScale =
    "set palette defined (0 '#ffffff', 1 '#000000')\nset cbrange [0:255]\nunset colorbox\n";

}  // namespace

Example read_example(const io::NetcdfReader& file, long i, long samples) {
  Example example;
  example.number = i;
  if (file.has("example")) example.number = std::lround(file.slab("example", {i}, {1})[0]);
  if (file.has("example_label")) example.label = std::lround(file.slab("example_label", {i}, {1})[0]);
  example.truth = picture(file, "truth", {i});
  example.mean = picture(file, "mean", {i});
  example.deviation = picture(file, "deviation", {i});
  for (long k = 0; k < std::min(samples, file.shape("sample")[1]); ++k)
    example.samples.push_back(picture(file, "sample", {i, k}));
  if (file.has("example_probability"))
    example.probability = file.slab("example_probability", {i, 0}, {1, file.shape("example_probability")[1]});
  return example;
}

Sheet::Sheet(const std::string& name, double width, double height, const std::vector<Example>& examples,
             const Matrix& known)
    : figure_{.name = name,
              .width = static_cast<int>(width),
              .height = static_cast<int>(height),
              .data = blocks(examples, known),
              .commands = {}},
      classes_(static_cast<long>(examples.front().probability.size())) {
  double largest = 1;
  for (const auto& example : examples) largest = std::max(largest, finite_range(example.deviation).second);
  largest_deviation_ = 10 * std::ceil(largest / 10);
  // Rectangles in an SVG, since a browser smooths an image there. What is nan is a gap, which "missing" would not be.
  figure_.commands = "pixels = GPVAL_TERM eq 'svg' ? 'pixels' : ''\nset datafile missing\nunset key\nunset tics\n";
  figure_.commands +=
      fmt::format("set multiplot\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\n",
                  static_cast<double>(known.extent(1)) - 0.5, static_cast<double>(known.extent(0)) - 0.5);
  figure_.commands += "set border 31 lw 0.5 lc rgb '#777777'\n";
  figure_.commands += "set object 1 rectangle from graph 0,0 to graph 1,1 behind fs solid noborder\n";
}

void Sheet::caption(double x, double y, const std::string& text, const std::string& style) {
  figure_.commands +=
      fmt::format("set label '{}' at screen {:.5f},{:.5f} {} font ',11'\n", text, across(x), up(y), style);
}

std::string Sheet::at(const Box& box) const {
  return place(across(box.x), across(box.x + box.width), up(box.y + box.height), up(box.y));
}

void Sheet::draw(const Box& box, const std::string& block, long index, const std::string& value, bool frame) {
  figure_.commands += fmt::format("{}plot ${} index {} using 2:1:{} with image @pixels", at(box), block, index, value);
  if (frame) figure_.commands += fmt::format(", $frame using 1:2 with lines lw 0.9 lc rgb '{}'", kBlue);
  figure_.commands += "\nunset label\n";
}

void Sheet::grey(const Box& box, const std::string& block, long index, bool frame) {
  figure_.commands += std::string(kGreyScale) + "set object 1 fc rgb '#ffffff'\n";
  draw(box, block, index, "($3 > 0 ? $3 : NaN)", frame);  // white is the paper's: an SVG of half the size
}

void Sheet::masked(const Box& box, long index) {
  figure_.commands += fmt::format("{}set object 1 fc rgb '{}'\n", kGreyScale, kUnknown);
  draw(box, "masked", index, "3", true);
}

void Sheet::deviation(const Box& box, long index) {
  figure_.commands += kMagnitude + colour_range(0, largest_deviation_) + "unset colorbox\n";
  draw(box, "deviation", index, "3", true);
}

void Sheet::deviation_with_scale(const Box& box, long index) {
  figure_.commands += kMagnitude + colour_range(0, largest_deviation_);
  figure_.commands += fmt::format(
      "set colorbox horizontal user origin {:.5f},{:.5f} size {:.5f},{:.5f}\n"
      "set cbtics out scale 0.3 offset 0,0.5 font ',10' textcolor rgb '#222222' 0,{}\n",
      across(box.x), up(box.y + box.height + 17), across(box.width), 9.0 / figure_.height, largest_deviation_ / 2);
  draw(box, "deviation", index, "3", true);
}

void Sheet::probabilities(const Box& box, long index, bool last) {
  figure_.commands += "unset object\nset border 3 lw 0.8 lc rgb '#555555'\n" + at(box);
  figure_.commands += fmt::format("set xrange [-0.7:{:.1f}]\nset yrange [0:1.16]\nset boxwidth 0.75\n",
                                  static_cast<double>(classes_) - 0.3);
  figure_.commands +=
      "set ytics out nomirror scale 0.4 offset 0.5,0 font ',10' textcolor rgb '#222222' ('0' 0, '0.5' 0.5, '1' 1)\n";
  figure_.commands += fmt::format(
      "set xtics out nomirror scale 0.4 offset 0,0.4 font ',10' textcolor rgb '#222222' 0,{}\n", (classes_ + 9) / 10);
  figure_.commands += last ? "set format x '%g'\nset xlabel 'class' font ',11' offset 0,0.9\n" : "set format x ''\n";
  figure_.commands += fmt::format(
      "plot $probability index {0} using 1:2 with boxes fs solid lc rgb '#9bb8cc', "
      "$probability index {0} using 1:($3 == 1 ? $2 : NaN) with boxes fs solid lc rgb '{1}', "
      "$probability index {0} using 1:($3 == 1 ? $2 + 0.075 : NaN) with points pt 11 ps 0.6 lc rgb '{1}'\nunset "
      "label\n",
      index, kOrange);
}

}  // namespace vida::report
