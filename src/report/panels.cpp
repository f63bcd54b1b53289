#include "report/panels.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vida::report {
namespace {

constexpr double kTop[] = {0.875, 0.915};  // the rest is for the key and the titles
constexpr double kLower[] = {0.12, 0.085}, kLeft[] = {0.13, 0.095};
constexpr double kGapX = 0.065, kGapY = 0.075;

}  // namespace

Panels::Panels(long count, bool colour_box)
    : count_(std::clamp(count, 1L, 4L)),
      columns_(count_ > 1 ? 2 : 1),
      rows_(count_ > 2 ? 2 : 1),
      right_(!colour_box     ? 0.97
             : columns_ == 1 ? 0.85
                             : 0.89) {}

Figure Panels::figure(const std::string& name) const {
  const int width = (columns_ > 1 ? 900 : 540) + (right_ < 0.95 ? 70 : 0), height = rows_ > 1      ? 860
                                                                                    : columns_ > 1 ? 480
                                                                                                   : 520;
  return {.name = name, .width = width, .height = height, .data = {}, .commands = {}};
}

std::string Panels::at(long i, const std::string& x_title, const std::string& y_title) const {
  const double left = kLeft[columns_ - 1], lower = kLower[rows_ - 1];
  const double wide = (right_ - left - kGapX * static_cast<double>(columns_ - 1)) / static_cast<double>(columns_);
  const double high = (kTop[rows_ - 1] - lower - kGapY * static_cast<double>(rows_ - 1)) / static_cast<double>(rows_);
  const long column = i % columns_, row = i / columns_;
  const double x = left + static_cast<double>(column) * (wide + kGapX);
  const double y = lower + static_cast<double>(rows_ - 1 - row) * (high + kGapY);
  std::string text = i == 0 && count_ > 1 ? "set multiplot\n" : "";
  text += place(x, x + wide, y, y + high);
  const bool bottom = i + columns_ >= count_;
  text += bottom ? fmt::format("set xlabel '{}' offset 0,0.3\n", x_title) : "unset xlabel\n";
  text += column == 0 ? fmt::format("set ylabel '{}' offset 0.4,0\n", y_title) : "unset ylabel\n";
  if (i == 1) text += "unset key\n";  // one is enough
  return text;
}

std::string Panels::colour_box() const {
  const double lower = kLower[rows_ - 1];
  return fmt::format("set colorbox user origin {},{} size {},{}\n", right_ + 0.015, lower, columns_ > 1 ? 0.016 : 0.022,
                     kTop[rows_ - 1] - lower);
}

std::string Panels::key() const {
  return fmt::format("set key at screen {},0.985 right top horizontal samplen 2\n", right_);
}

std::string title(const std::string& text) {
  return text.empty() ? "unset title\n" : fmt::format("set title '{}' offset 0,-0.7\n", text);
}

}  // namespace vida::report
