#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "jobs/sweep_plan.hpp"
#include "jobs/sweep_runs.hpp"

namespace vida::jobs {

/// The best setting of each group with its scores, and the held-out ones beside them.
std::string sweep_table(const SweepPlan& plan, const SweepScores& scores);

/// What went wrong, and which axes a method does not use: one line each.
std::vector<std::string> sweep_notes(const SweepPlan& plan, const SweepScores& scores);

/// One row for each point: its place on the axes, empty where its method does not use one, and its scores.
std::string sweep_csv(const SweepPlan& plan, const SweepScores& scores);

/// The axes, and the best setting of each group.
nlohmann::ordered_json sweep_json(const SweepPlan& plan, const SweepScores& scores);

}  // namespace vida::jobs
