#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "filtering/filter_batch.hpp"
#include "vida/gain.hpp"

namespace vida {

/// What an evaluation of the fixed-gain filter is asked for beside cost and means.
struct GainRequest {
  bool gradient = false;
  bool chi_square = false;
  long iteration = 0;  ///< keys the Monte Carlo draws
};

/// GainValue and, on request, the filter's chi-square.
struct GainEvaluation {
  GainValue value;
  double chi_square = 0;
};

/// The fixed-gain filter, its cost and its adjoint over a batch, without its scalar type.
class GainEngine {
 public:
  virtual ~GainEngine() = default;
  virtual std::vector<FilterResult> track_ekf() = 0;
  virtual std::vector<GainEvaluation> evaluate(std::span<const long> which, std::span<const Matrix> gains,
                                               const GainRequest& request) = 0;
  virtual std::size_t memory_bytes() const = 0;     ///< of one problem in flight
  virtual std::size_t reference_bytes() const = 0;  ///< of the EKF that one problem keeps

  static std::unique_ptr<GainEngine> make(const Device& device, std::span<const FilterProblem> problems,
                                          const GainObjectiveOptions& options);
};

}  // namespace vida
