#pragma once

#include <optional>
#include <string>
#include <vector>

#include "jobs/assimilation_scores.hpp"
#include "jobs/job.hpp"
#include "jobs/sweep_plan.hpp"
#include "ranks/ranks.hpp"

namespace vida::jobs {

/// The time means of every point of a sweep over its seeds.
struct SweepScores {
  std::vector<FilterScores> points;
  /// The point of each group with the least median error; none where no run has a number.
  std::vector<std::optional<long>> best;
  /// Of the best points, on `sweep.validate` further twins; empty without them.
  std::vector<std::optional<FilterScores>> held_out;
  long runs = 0;       ///< those that reached their end or failed
  double seconds = 0;  ///< for these, without the held-out ones
  bool interrupted = false;
};

inline constexpr std::size_t kSweepChunk = std::size_t{256} << 20;  // bytes

/// The runs of a sweep in the order in which they are worked, what is kept of each, and how many are worked before they
/// are reduced: their scores of every cycle fit into `chunk_bytes`.
std::vector<AssimilationRun> sweep_runs(const SweepPlan& plan);
AssimilationOptions sweep_options(const io::Config& config);
long sweep_chunk(long cycles, std::size_t chunk_bytes = kSweepChunk);

/// Runs the sweep on all ranks, together; the first one has the scores. Only the time means of a run are kept: runs
/// come in chunks, and no result depends on them or on who worked them.
SweepScores run_sweep(const Device& device, const SweepPlan& plan, const Monitor& monitor, Checkpoints& checkpoints,
                      ranks::Ranks& ranks, std::size_t chunk_bytes = kSweepChunk);

}  // namespace vida::jobs
