#include <fmt/format.h>

#include "cli/options.hpp"

namespace vida::cli {

int list() {
  fmt::print(
      R"(jobs
  learn-gain           learn the gain of 3DVar from observations
  evaluate-gain        cost, gradient, means and scores of a given gain
  ensemble             integrate many trajectories and write their statistics
  gaussian-vi          fit a Gaussian to every posterior of a batch
  flow-vi              fit a RealNVP flow to every posterior of a batch
  amortized            train one flow that gives the posterior of every observation

models
  lorenz96             dv_i/dt = (v_i+1 - v_i-2) v_i-1 - v_i + F on a ring

inverse problems and densities
  oxygen-demand        y_t = A (1 - exp(-B t)), t = 1 .. 5, with A and B from two parameters
  linear-gaussian      y = A u + noise, with its exact posterior
  banana               a bent Gaussian of two dimensions
  two-moons            two crescents

filters
  fixed gain           3DVar with its covariance: what is learned and evaluated
  EKF                  extended Kalman filter, the reference of every gain job

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
)");
  return kFinished;
}

}  // namespace vida::cli
