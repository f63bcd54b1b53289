#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vida/array.hpp"
#include "vida/dynamics.hpp"

namespace vida {

/// What an observation is of the components that it sees: h(v) = f(H v), f applied to each entry.
enum class ObservationFunction { identity, square, cube, absolute, exponential };
/// The law of the noise of simulated observations; filters take it as Gaussian of covariance R.
enum class NoiseLaw { gaussian, laplace };

/// v_{j+1} = Psi(v_j) + N(0, Q),  y_{j+1} = f(H v_{j+1}) + N(0, R),  v_0 ~ N(m0, C0); Psi is `steps_per_cycle` model
/// steps.
struct StateSpaceModel {
  Dynamics model;
  int steps_per_cycle = 1;
  Matrix process_noise;                                                      ///< Q [n, n], positive semi-definite
  Matrix observation_operator;                                               ///< H [p, n]
  Matrix observation_noise;                                                  ///< R [p, p], positive definite
  Vector initial_mean;                                                       ///< m0 [n]
  Matrix initial_covariance;                                                 ///< C0 [n, n], positive definite
  ObservationFunction observation_function = ObservationFunction::identity;  ///< f

  int n() const { return dimension(model); }
  int p() const { return static_cast<int>(observation_operator.extent(0)); }
};

/// Throws InvalidArgument that names the field: shapes, symmetry, definiteness, finite values.
void validate(const StateSpaceModel& system);

/// y[j] observes truth[j]. A NaN in y is a missing observation.
struct Observations {
  Matrix y;      ///< [cycle, p]
  Matrix truth;  ///< [cycle, n], empty when it is not known
};

struct TwinOptions {
  long cycles = 1000;
  long spin_up = 0;  ///< cycles that the truth runs before the first observed one
  std::uint64_t seed = 0;
  std::uint32_t problem = 0;  ///< number of the twin among those that share a seed
  NoiseLaw noise = NoiseLaw::gaussian;
};

/// Draws one truth and its observations per option set; v_0 ~ N(m0, C0) is not observed. All systems share n and p.
/// systems: one for all, or one per twin. The draws depend on (seed, problem) alone, never on the batch.
std::vector<Observations> simulate(const Device& device, std::span<const StateSpaceModel> systems,
                                   std::span<const TwinOptions> twins);

}  // namespace vida
