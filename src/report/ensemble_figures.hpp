#pragma once

#include <vector>

#include "io/netcdf.hpp"
#include "report/gnuplot.hpp"

namespace vida::report {

/// Figures of an ensemble result: statistics per component, and a Hovmoller diagram when there are snapshots.
std::vector<Figure> ensemble_figures(const io::NetcdfReader& result);

}  // namespace vida::report
