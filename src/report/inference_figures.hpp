#pragma once

#include <vector>

#include "io/netcdf.hpp"
#include "report/gnuplot.hpp"

namespace vida::report {

/// Figures of a variational inference: the first posterior (of two dimensions) with the approximation and its draws,
/// and the loss. Those whose data are missing are left out.
std::vector<Figure> inference_figures(const io::NetcdfReader& result);

}  // namespace vida::report
