#pragma once

#include <array>
#include <limits>
#include <vector>

namespace vida {

struct Interval {
  double low = 0, high = 0;
  double width() const { return high - low; }
};

/// Numbers first .. end - 1 of a row.
struct Span {
  long first = 0, end = 0;
};

/// Nodes of the trapezium rule in 1 or 2 dimensions, row by row. In one dimension there is one row, and the first axis
/// has a single node, which does not count.
struct TrapeziumGrid {
  std::array<Interval, 2> box;
  std::array<long, 2> points{1, 1};  // along each axis
  std::vector<Span> spans;           // [row] the nodes that are evaluated; empty: all

  Span span(long row) const { return spans.empty() ? Span{0, points[1]} : spans[static_cast<std::size_t>(row)]; }
  long count() const;  // of nodes that are evaluated
  double spacing(std::size_t axis) const { return box[axis].width() / static_cast<double>(points[axis] - 1); }
  double node(std::size_t axis, long i) const { return box[axis].low + static_cast<double>(i) * spacing(axis); }

  /// u [d, stride], the last axis of the grid in the last row; zeros fill up the stride.
  void write(double* u, long d, long stride) const;
};

/// What the values on a grid say about a density.
struct TrapeziumSummary {
  double log_integral = 0;  // -infinity for a density of zero, NaN for one that holds NaN or +infinity
  double change = 0;        // of log_integral with every third node of each axis alone, the largest of the nine ways
  std::array<double, 2> along{};     // the same for one axis: the largest of three shifts sees errors of any phase
  std::array<Interval, 2> inside{};  // the box of nodes above exp(-drop) of the largest, and a spacing more
  std::vector<Span> spans;           // [row] of such nodes
  std::array<Interval, 2> beyond{};  // estimated share of the integral beyond the lower and the upper face of the box
  double gap = 0;                    // and beyond the spans, within the box
};

/// values: log density at the grid's nodes. drop: nats.
TrapeziumSummary summarised(const TrapeziumGrid& grid, const double* values, double drop);

/// A grid of points[0] x points[1] nodes in the box of what a summary of `before` found inside, whose spans cover what
/// was inside in the rows nearby, and a spacing of `before` more.
TrapeziumGrid refined(const TrapeziumGrid& before, const TrapeziumSummary& summary, std::array<long, 2> points);

}  // namespace vida
