#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "backend/executor.hpp"
#include "flow.cuh"
#include "vida/error.hpp"
#include "vida/flow.hpp"

namespace vida {

/// Samples that a flow works at once. Throws InvalidArgument for a chunk that cuts a shard.
inline long chunk_of(const FlowOptions& options, const Device& device) {
  if (options.chunk < 0 || options.chunk % kernels::kFlowShard)
    throw InvalidArgument(
        fmt::format("flow.chunk is {}, expected a multiple of {}, or 0.", options.chunk, kernels::kFlowShard));
  if (options.chunk) return options.chunk;
  return device.is_cuda() ? 16384 : 512;
}

/// Turns rows of samples on the host into the columns that engines work on, [problem, width, stride], and back.
template <class Real>
class Columns {
 public:
  explicit Columns(Executor& executor) : executor_(&executor) {}

  /// device <- rows first .. first + count - 1 of each problem, or the only one.
  void upload(View<const Real, 3> rows, long first, long count, Real* device) {
    const long problems = rows.extent(0), width = rows.extent(2), stride = round_up(count, kernels::kFlowStride);
    staging_.assign(size(problems * width * stride), Real(0));
    for (long p = 0; p < problems; ++p)
      for (long i = 0; i < count; ++i) {
        const Real* from = rows[p].data() + (rows.extent(1) == 1 ? 0 : first + i) * width;
        for (long k = 0; k < width; ++k) staging_[size((p * width + k) * stride + i)] = from[k];
      }
    executor_->upload(device, staging_.data(), staging_.size() * sizeof(Real));
  }

  /// The other way.
  void download(const Real* device, View<Real, 3> rows, long first, long count) {
    const long problems = rows.extent(0), width = rows.extent(2), stride = round_up(count, kernels::kFlowStride);
    staging_.resize(size(problems * width * stride));
    executor_->download(staging_.data(), device, staging_.size() * sizeof(Real));
    for (long p = 0; p < problems; ++p)
      for (long i = 0; i < count; ++i)
        for (long k = 0; k < width; ++k)
          rows[p].data()[(first + i) * width + k] = staging_[size((p * width + k) * stride + i)];
  }

 private:
  static std::size_t size(long elements) { return static_cast<std::size_t>(elements); }
  Executor* executor_;
  std::vector<Real> staging_;
};

}  // namespace vida
