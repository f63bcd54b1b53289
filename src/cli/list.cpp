#include <fmt/format.h>

#include "cli/options.hpp"
#include "vida/assimilation.hpp"

namespace vida::cli {

int list() {
  std::string methods;
  for (const FilterMethod& method : filter_methods())
    methods += fmt::format("  {:<20} {}\n", method.name, method.description);
  fmt::print(
      R"(jobs
  learn-gain           learn the gain of 3DVar from observations
  evaluate-gain        cost, gradient, means and scores of a given gain
  ensemble             integrate many trajectories and write their statistics
  gaussian-vi          fit a Gaussian to every posterior of a batch
  flow-vi              fit a RealNVP flow to every posterior of a batch
  amortized            train one flow that gives the posterior of every observation
  assimilate           filters side by side on the same twin experiments or observations
  sweep                filters over a product of settings: members, inflation, radius and others
  inpainting           train a flow that gives the law of an image's unknown pixels from the known ones

models
  lorenz96             dv_i/dt = (v_i+1 - v_i-2) v_i-1 - v_i + F on a ring
  lorenz63             x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z (assimilate, sweep)
  kuramoto-sivashinsky u_t = -u u_x - u_xx - u_xxxx, periodic in x (assimilate, sweep)
  linear               v -> F v with a matrix of one's own (assimilate, sweep)

inverse problems and densities
  oxygen-demand        y_t = A (1 - exp(-B t)), t = 1 .. 5, with A and B from two parameters
  linear-gaussian      y = A u + noise, with its exact posterior
  banana               a bent Gaussian of two dimensions
  two-moons            two crescents

filters of gain jobs
  fixed gain           3DVar with its covariance: what is learned and evaluated
  EKF                  extended Kalman filter, the reference of every gain job

filters of assimilate and sweep
{}
observation operators
  identity             every component
  every:K              components 0, K, 2 K, ...
  indices              the components in observations.indices
  matrix               H of observations.file

gain structures
  full                 every entry free
  diagonal             the observed component only
  banded:W             components within W of the observed one, on the ring
  circulant            one number for each distance on the ring

optimizers
  gradient-descent     on the sum over cycles
  adam                 on the mean over cycles
)",
      methods);
  return kFinished;
}

}  // namespace vida::cli
