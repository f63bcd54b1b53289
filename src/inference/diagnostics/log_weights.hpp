#pragma once

#include <span>
#include <vector>

namespace vida {

/// Throws InvalidArgument when there are fewer than `least` log weights, one is NaN or +infinity, or all are -infinity.
void check_log_weights(std::span<const double> log_weights, long least);

/// log sum exp, without overflow.
double log_sum_exp(std::span<const double> log_weights);

/// Weights that sum to 1.
std::vector<double> normalised_weights(std::span<const double> log_weights);

}  // namespace vida
