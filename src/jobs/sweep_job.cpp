#include <nlohmann/json.hpp>

#include "io/files.hpp"
#include "jobs/job.hpp"
#include "jobs/results.hpp"
#include "jobs/sweep_file.hpp"
#include "jobs/sweep_plan.hpp"
#include "jobs/sweep_report.hpp"
#include "jobs/sweep_runs.hpp"

namespace vida::jobs {

Outcome sweep_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                  JobCheckpoint& checkpoint, ranks::Ranks& ranks) {
  const SweepPlan plan = make_sweep_plan(device, config);
  const SweepScores scores = run_sweep(device, plan, monitor, checkpoint, ranks);
  Outcome outcome;
  outcome.interrupted = scores.interrupted;
  for (const FilterScores& point : scores.points) outcome.flagged += point.failed;
  outcome.notes = sweep_notes(plan, scores);
  outcome.usable = scores.runs > 0;
  if (!outcome.usable) return outcome;
  outcome.table = sweep_table(plan, scores);
  write_sweep(folder.pending("result.nc"), device, plan, scores);
  io::write_text(folder.pending("sweep.csv"), sweep_csv(plan, scores));
  auto summary = summary_header(plan.config, device);
  summary["cycles"] = plan.cycles();
  summary["burn_in"] = plan.burn_in;
  summary["seeds"] = plan.seeds;
  if (!ranks.alone()) summary["processes"] = ranks.size();
  summary["seconds"] = scores.seconds;
  summary.update(sweep_json(plan, scores));
  write_summary(folder, plan.config, outcome, std::move(summary));
  return outcome;
}

}  // namespace vida::jobs
