#pragma once

#include <optional>

#include "jobs/inverse_problem.hpp"

namespace vida::jobs {

/// An amortised map q(u | y) held against draws (u, y) of the joint law.
struct JointExamination {
  Estimate loss;               ///< E -log q(u | y)
  std::optional<Estimate> kl;  ///< E_y KL(posterior || q), paired; nothing where log Z(y) is not known
  Matrix latent;               ///< T^-1(u; y) of the first draws [draw, d]: standard normal where q is exact
  std::string note;            ///< why kl is missing although it could be there; empty otherwise
};

/// kl is the mean of log pi~(u; y) - log Z(y) - log q(u | y) over the draws: each term has the mean KL, and its
/// spread vanishes where q is exact. log Z is exact (linear-gaussian) or by quadrature (1 and 2 dimensions).
JointExamination examine_joint(const Device& device, const InverseProblems& problems, Flow<double>& flow, long draws,
                               std::uint64_t seed);

/// Simulation-based calibration of every component.
struct Calibration {
  Array<long, 2> ranks;                      ///< [replication, d]
  long draws = 0;                            ///< of the posterior in each replication
  std::optional<UniformityTest> uniformity;  ///< nothing for fewer than 20 replications
  Coverage half, most;                       ///< of central intervals of 50 % and 90 %
};

/// `first`: number of the first joint draw, so that they are not those of examine_joint().
Calibration calibrate(const Device& device, const Target& target, Flow<double>& flow, long replications, long draws,
                      std::uint64_t seed, long first);

}  // namespace vida::jobs
