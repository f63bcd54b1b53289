#pragma once

#include <vector>

#include "vida/vida.hpp"

namespace workloads {

/// Passes of a mixture flow both ways and its gradients. Real: double or float.
template <class Real>
std::vector<double> mixture_flow(const vida::Device& device);

/// Training of an in-painting model and a classifier with dropout: a recorded step and validations.
std::vector<double> inpainting_training(const vida::Device& device);

/// Likelihood, draws and scores of an in-painting model, with more draws than a pack or a block of lanes holds.
std::vector<double> inpainting_scores(const vida::Device& device);

}  // namespace workloads
