#pragma once

#include <memory>
#include <optional>

#include "io/config.hpp"
#include "vida/vida.hpp"

namespace vida::jobs {

/// What the settings of [problem] stand for: a target and one observation for each problem.
struct InverseProblems {
  std::shared_ptr<const Target> target;
  Matrix observations;  ///< [problem, p]; [1, 0] for a density without data
  Matrix linear_map;    ///< A of linear-gaussian [p, d], else empty
  double noise_variance = 0;
};

/// Reads the file or draws the observations. Throws InvalidArgument or FileError with one message.
InverseProblems make_inverse_problems(const Device& device, const io::Config& config);

/// What is known exactly about one problem, without any approximation.
struct PosteriorTruth {
  double log_evidence = 0;
  Vector mean;        ///< [d]
  Matrix covariance;  ///< [d, d]
};

/// In closed form for linear-gaussian, by quadrature for at most 2 dimensions, else nothing.
std::optional<PosteriorTruth> posterior_truth(const InverseProblems& problems, long index);

}  // namespace vida::jobs
