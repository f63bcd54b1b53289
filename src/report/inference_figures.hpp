#pragma once

#include <vector>

#include "io/netcdf.hpp"
#include "report/gnuplot.hpp"

namespace vida::report {

/// Figures of a variational inference: the first posterior (of two dimensions) with the approximation and its draws,
/// and the loss. Those whose data are missing are left out.
std::vector<Figure> inference_figures(const io::NetcdfReader& result);

/// The density with draws and contours of q, for each picture of the result.
Figure posterior_figure(const io::NetcdfReader& file);
/// T^-1 of draws of the posterior, or of the joint law, in its first two components.
Figure latent_figure(const io::NetcdfReader& file);

}  // namespace vida::report
