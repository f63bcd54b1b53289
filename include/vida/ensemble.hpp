#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "vida/checkpoint.hpp"
#include "vida/filter.hpp"
#include "vida/lorenz96.hpp"

namespace vida {

/// N independent trajectories of Lorenz-96 from v_0 ~ N(initial_mean, initial_variance I), or from given states.
struct EnsembleOptions {
  Lorenz96 model = {};
  long members = 4096;
  long steps = 1000;  ///< Runge-Kutta steps
  double initial_mean = 8.0;
  double initial_variance = 1.0;
  Matrix initial_states = {};  ///< [member, n]; when given, members and the initial law are ignored
  std::uint64_t seed = 0;
  Precision precision = Precision::float64;
  long snapshot_every = 0;     ///< steps between kept snapshots; 0 keeps none
  long snapshot_members = 16;  ///< how many members the snapshots hold
  int lyapunov_exponents = 0;  ///< leading exponents of the first member's trajectory, in float64
  long chunk = 0;              ///< members integrated at once; 0 lets the memory limit decide
};

struct EnsembleStatistics {
  long members = 0;
  long finite_members = 0;               ///< members that stayed finite; the others are left out of the statistics
  double time = 0;                       ///< model time units
  std::vector<double> mean, variance;    ///< over members, per component [n]; variance with ddof = 1
  std::vector<double> minimum, maximum;  ///< [n]
  std::vector<double> snapshot_time;     ///< [snapshot]
  Array<double, 3> snapshots;            ///< [snapshot, member, n], the first at time 0; NaN where not reached
  std::vector<double> lyapunov;          ///< per model time unit, descending
  double seconds = 0;
};

/// Called with the share done (0 .. 1) after each chunk, and every few seconds within a long one; return false to stop:
/// the statistics are then those of the chunks that were finished.
using EnsembleProgress = std::function<bool(double)>;

/// Throws InvalidArgument for sizes that are not positive. The statistics do not depend on chunk, threads or limits.
/// `checkpoints` may be null; a state holds the members of the chunk at work.
EnsembleStatistics integrate_ensemble(const Device& device, const EnsembleOptions& options,
                                      const EnsembleProgress& progress = {}, Checkpoints* checkpoints = nullptr);

/// Device memory that integrate_ensemble() takes for the members that it integrates at once. Throws as it does.
std::size_t ensemble_bytes(const Device& device, const EnsembleOptions& options);

}  // namespace vida
