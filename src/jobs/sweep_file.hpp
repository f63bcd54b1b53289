#pragma once

#include <filesystem>

#include "jobs/sweep_plan.hpp"
#include "jobs/sweep_runs.hpp"

namespace vida::jobs {

/// Writes result.nc: scores over all axes of the product, the seed last. Along an axis that a method does not use its
/// scores repeat. Values of an axis that are no numbers are the attributes AXIS_0, AXIS_1, ..
void write_sweep(const std::filesystem::path& path, const Device& device, const SweepPlan& plan,
                 const SweepScores& scores);

}  // namespace vida::jobs
