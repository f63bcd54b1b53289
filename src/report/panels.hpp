#pragma once

#include <string>

#include "report/gnuplot.hpp"

namespace vida::report {

/// Up to four equal panels of one figure: one, two side by side, or two rows of two.
class Panels {
 public:
  /// With room for a colour box on the right, or without.
  explicit Panels(long count, bool colour_box = false);

  long count() const { return count_; }
  /// An empty figure of the right size, ready for the panels.
  Figure figure(const std::string& name) const;
  /// Puts the plot area at panel i, with axis titles at the outer panels only.
  std::string at(long i, const std::string& x_title, const std::string& y_title) const;
  /// Puts the colour box beside the panels.
  std::string colour_box() const;
  /// Puts the key above the panels.
  std::string key() const;

 private:
  long count_, columns_, rows_;
  double right_;
};

/// "set title 'problem 2: k-hat 0.31'"; nothing where the text is empty.
std::string title(const std::string& text);

}  // namespace vida::report
