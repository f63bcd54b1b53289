#pragma once

#include <string>
#include <vector>

#include "report/gnuplot.hpp"
#include "vida/array.hpp"

namespace vida::report {

/// The most cycles that fit into one diagram.
inline constexpr long kHovmollerCycles = 200;

/// Truth, estimate and absolute error over time and component, one above the other. truth, estimate: [time, component].
Figure hovmoller(const std::string& estimate_title, const Matrix& truth, const Matrix& estimate,
                 const std::vector<double>& time);

}  // namespace vida::report
