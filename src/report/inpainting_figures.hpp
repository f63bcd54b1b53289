#pragma once

#include <vector>

#include "io/netcdf.hpp"
#include "report/gnuplot.hpp"

namespace vida::report {

/// Figures of an in-painting: one for each example with its samples of the conditional law, mean, deviation and class
/// probabilities; up to eight examples, a row each; and the loss of the training. Those whose data are missing are left
/// out.
std::vector<Figure> inpainting_figures(const io::NetcdfReader& result);

}  // namespace vida::report
