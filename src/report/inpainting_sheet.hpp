#pragma once

#include <string>
#include <vector>

#include "io/netcdf.hpp"
#include "report/gnuplot.hpp"
#include "vida/array.hpp"

namespace vida::report {

/// An image of which a part was in-painted.
struct Example {
  long number = 0;  ///< in the test set
  long label = -1;  ///< its class, -1 where that is not known
  Matrix truth, mean, deviation;
  std::vector<Matrix> samples;
  std::vector<double> probability;  ///< [class], empty where there is none
};

/// Example i of a result with its first `samples` samples, fewer where there are fewer.
Example read_example(const io::NetcdfReader& file, long i, long samples);

/// A place in points from the upper left corner of a figure.
struct Box {
  double x, y, width, height;
  double middle() const { return x + width / 2; }
};

/// A figure of examples that fills with pictures and, after all of them, with charts. All examples have equally many
/// samples; known: [row, column], 0 where a pixel was in-painted.
class Sheet {
 public:
  Sheet(const std::string& name, double width, double height, const std::vector<Example>& examples,
        const Matrix& known);

  /// Text that the next picture or chart brings along; style as gnuplot's "center", "left", "rotate by 90".
  void caption(double x, double y, const std::string& text, const std::string& style = "center");
  /// Picture `index` of a block of this name, ink dark on white; with the frame of the unknown pixels or without.
  void grey(const Box& box, const std::string& block, long index, bool frame = true);
  /// What was observed of an example.
  void masked(const Box& box, long index);
  void deviation(const Box& box, long index);
  /// The same with the scale below.
  void deviation_with_scale(const Box& box, long index);
  /// A bar for the probability of each class, the true one marked; classes are named below the last chart only.
  void probabilities(const Box& box, long index, bool last);

  const Figure& figure() const { return figure_; }

 private:
  double across(double x) const { return x / figure_.width; }
  double up(double y) const { return 1 - y / figure_.height; }
  std::string at(const Box& box) const;
  void draw(const Box& box, const std::string& block, long index, const std::string& value, bool frame);

  Figure figure_;
  double largest_deviation_ = 0;
  long classes_ = 0;
};

}  // namespace vida::report
