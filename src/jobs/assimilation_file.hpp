#pragma once

#include <filesystem>
#include <span>

#include "jobs/assimilation_plan.hpp"
#include "jobs/assimilation_scores.hpp"

namespace vida::jobs {

/// Writes result.nc, one run after the other. results: in the order of plan.runs; scores: of each filter.
void write_assimilation(const std::filesystem::path& path, const Device& device, const AssimilationPlan& plan,
                        std::span<const AssimilationResult> results, std::span<const FilterScores> scores);

}  // namespace vida::jobs
