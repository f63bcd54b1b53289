#pragma once

#include <cstdint>

#include "backend/executor.hpp"
#include "vida/target.hpp"

namespace vida {

inline constexpr long kDrawStride = 16;  // strides of draws are multiples of this: a pack of any type

/// Throws InvalidArgument, in the name of `caller`, unless observations are [problem, p] of the target and finite.
void check_observations(const char* caller, const Target& target, const Matrix& observations);

/// Points of many problems in device memory, one draw per element of the last axis.
template <class Real>
struct PointBatch {
  long problems = 0;
  long stride = 0;                     // draws of a problem, a multiple of kDrawStride
  const Real* points = nullptr;        // [problem, d, stride]
  const Real* observations = nullptr;  // [problem, p]
  Real* log_density = nullptr;         // [problem, stride]
  Real* gradient = nullptr;            // [problem, d, stride]
};

/// Draws from the joint law in device memory.
template <class Real>
struct JointBatch {
  long count = 0, stride = 0;  // stride: at least count, a multiple of kDrawStride
  std::uint64_t seed = 0;
  long first = 0;                        // number of the first draw
  std::uint32_t step = 0;                // tells apart the batches of a training run
  const std::uint32_t* clock = nullptr;  // device memory, added to step; null: nothing
  Real* u = nullptr;                     // [d, stride]
  Real* noise = nullptr;                 // [p, stride], work
  Real* y = nullptr;                     // [p, stride]
};

template <class Real>
class PreparedTarget {
 public:
  virtual ~PreparedTarget() = default;
  virtual void evaluate(const PointBatch<Real>& batch) = 0;
  virtual void simulate(const JointBatch<Real>& batch) = 0;
  /// False when evaluate() leaves the device, so that it cannot be part of a recording.
  virtual bool recordable() const { return true; }
};

template <class Real>
std::unique_ptr<PreparedTarget<Real>> prepare(const Target& target, Executor& executor) {
  if constexpr (sizeof(Real) == 4)
    return target.prepare_float32(executor);
  else
    return target.prepare_float64(executor);
}

/// A target that is prepared in either precision by Self::on<Real>().
template <class Self>
class PreparedByOn : public Target {
 public:
  std::unique_ptr<PreparedTarget<float>> prepare_float32(Executor& executor) const final {
    return static_cast<const Self&>(*this).template on<float>(executor);
  }
  std::unique_ptr<PreparedTarget<double>> prepare_float64(Executor& executor) const final {
    return static_cast<const Self&>(*this).template on<double>(executor);
  }
};

}  // namespace vida
