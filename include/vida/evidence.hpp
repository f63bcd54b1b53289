#pragma once

#include "vida/array.hpp"
#include "vida/device.hpp"
#include "vida/target.hpp"

namespace vida {

struct EvidenceOptions {
  double tolerance = 1e-6;  ///< of log Z, nats; from 1e-11
};

/// log Z_i, the log of the integral of pi~(u; observations[i]) over u in R^d, of every problem of a batch, d = 1 or 2.
/// observations: [problem, p] ([1, 0] for a target without data). Returns [problem]. A result depends neither on the
/// other problems nor on the number of threads, not in a bit.
///
/// The trapezium rule, whose error falls geometrically for smooth densities that decay (Trefethen and Weideman 2014). A
/// scan of [-8, 8]^d with spacing 0.2 finds where each problem's density lies. Its grid there is refined, by at least
/// 1.4 along each axis that matters, until log Z changes by less than a fifth of the tolerance, and little even with
/// three times the spacing. A mode beside a larger one is missed when it is narrower than about 0.03;
/// DensityQuadrature takes a box for such, and has moments and a third dimension.
///
/// Throws InvalidArgument for another dimension, shapes, values in an observation that are not finite, and a tolerance
/// out of range; Error, with the number of the problem, where the density is NaN or infinite, is zero on the scan, does
/// not decay within [-8, 8]^d, or is not settled with 2^20 points.
///
/// Device memory: 2 d + 1 numbers of each point, of as many problems at once as stay in the cache of the CPU (or fit
/// the GPU's share), at least one.
Vector log_evidences(const Device& device, const Target& target, const Matrix& observations,
                     const EvidenceOptions& options = {});

}  // namespace vida
