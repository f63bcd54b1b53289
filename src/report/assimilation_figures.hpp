#pragma once

#include <vector>

#include "io/netcdf.hpp"
#include "report/gnuplot.hpp"

namespace vida::report {

/// Errors and spreads in time and ranks of the truth, four filters to a figure, and truth, estimate and error of the
/// first filter; each on the first data set.
std::vector<Figure> assimilation_figures(const io::NetcdfReader& result);

}  // namespace vida::report
