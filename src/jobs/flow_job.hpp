#pragma once

#include <filesystem>

#include "jobs/examination.hpp"
#include "jobs/training_clock.hpp"

namespace vida::jobs {

// What flow-vi and amortized share.

/// The flow that [flow] describes, for the target of [problem].
FlowShape flow_shape(const io::Config& config, const Target& target, int context);
/// What [train] says. Throws InvalidArgument where the job has a [batch].
FlowTrainingOptions training_options(const io::Config& config);

/// q(.| context) of one trained flow.
class FlowApproximation final : public Approximation {
 public:
  /// context: [c], empty for a flow without one. Draws are those of problem `number` and the seed.
  FlowApproximation(const Device& device, const FlowShape& shape, std::span<const double> parameters,
                    std::span<const double> context, std::uint64_t seed, long number);
  ApproximateDraws draw(long count) override;
  std::vector<double> log_density(const Matrix& x) override;

 private:
  View<const double, 3> context() const { return {context_.data(), {1, 1, std::ssize(context_)}}; }
  Flow<double> flow_;
  std::vector<double> context_;
  FlowDraws draws_;
};

/// Losses and validations [problem, ...], the learning rates and where each flow came to its end. `floor` is the loss
/// of the exact posterior, NaN where it is not known [problem].
void put_training(io::NetcdfWriter& file, const std::vector<FlowFit>& fits, const std::vector<double>& floor);

/// A line for each flow that went back to its last good parameters; counts them as flagged.
void note_flagged(const std::vector<FlowFit>& fits, Outcome& outcome);

/// The flows, as `vida sample` and `vida density` read them.
void write_weights(const std::filesystem::path& path, const io::Config& config, const FlowShape& shape,
                   const std::vector<FlowFit>& fits);

}  // namespace vida::jobs
