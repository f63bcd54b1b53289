#pragma once

#include <vector>

#include "io/netcdf.hpp"
#include "report/gnuplot.hpp"

namespace vida::report {

/// The error of a sweep over two axes of numbers, radius and inflation where they are among them, with the best of all
/// others: a map for each filter and kind of data, four to a figure. Over a single axis: curves. Nothing without one.
std::vector<Figure> sweep_figures(const io::NetcdfReader& result);

}  // namespace vida::report
