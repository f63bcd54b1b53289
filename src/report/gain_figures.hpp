#pragma once

#include <vector>

#include "io/netcdf.hpp"
#include "report/gnuplot.hpp"

namespace vida::report {

/// Figures of a learn-gain result: convergence, gains, Hovmoller diagrams. Those whose data are missing are left out.
std::vector<Figure> gain_figures(const io::NetcdfReader& result);

}  // namespace vida::report
