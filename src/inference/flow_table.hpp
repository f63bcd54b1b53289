#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vida/flow.hpp"

namespace vida {

/// A part of the table [context, sample] of one flow: some samples of one context, or all samples of some contexts, so
/// that it is one block of every array [context, sample, ..].
struct TablePart {
  long first_context = 0, contexts = 1;
  long first = 0, count = 0;  ///< samples of each of them

  long size() const { return contexts * count; }
};

/// Cuts the table of contexts x count samples into parts of at most `largest` samples, in order.
std::vector<TablePart> table_parts(long contexts, long count, long largest);

/// Samples that a part should hold at most, so that little memory is taken and a device has enough to do.
long table_part_size(const FlowShape& shape);

/// Samples with log q(x | c).
template <class Real>
struct TableSamples {
  std::vector<Real> points;         ///< [context, sample, d]
  std::vector<double> log_density;  ///< [context, sample]
};

/// One flow at many contexts, part by part: what is found does not depend on how the table is cut (on a CPU not in a
/// bit). log N(z) is summed in double whatever Real is. Throws as Flow does.
template <class Real>
class FlowTable {
 public:
  /// contexts: [context, c]; one row of none when c = 0.
  FlowTable(const Device& device, const FlowShape& shape, std::span<const double> parameters, const Matrix& contexts);

  /// Draw i of context k is a pure function of (seed, k, i): that of Flow::sample with FlowDraws{seed, Stream::filter,
  /// k, i}.
  TableSamples<Real> sample(std::uint64_t seed, const TablePart& part);
  /// log q(x | c), [context, sample], at points [context, sample, d], or at [sample, d] that all contexts of the part
  /// share.
  std::vector<double> log_density(const TablePart& part, std::span<const double> points);

 private:
  Array<Real, 3> latent_draws(std::uint64_t seed, const TablePart& part) const;
  Array<Real, 3> contexts_of(const TablePart& part) const;
  double log_normal(const Real* z) const;

  Device device_;
  Flow<Real> flow_;
  Matrix contexts_;
};

}  // namespace vida
