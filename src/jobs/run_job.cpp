#include "jobs/job.hpp"

#include <fmt/format.h>

#include "jobs/sweep_runs.hpp"
#include "vida/error.hpp"

namespace vida::jobs {

Outcome run_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                JobCheckpoint& checkpoint, ranks::Ranks& ranks) {
  switch (io::job_letter(config.job())) {
    case 'l':
      return learn_gain_job(device, config, folder, monitor, checkpoint);
    case 'e':
      return evaluate_gain_job(device, config, folder, monitor, checkpoint);
    case 'g':
      return gaussian_vi_job(device, config, folder, monitor, checkpoint);
    case 'f':
      return flow_vi_job(device, config, folder, monitor, checkpoint);
    case 'a':
      return amortized_job(device, config, folder, monitor, checkpoint);
    case 'd':
      return assimilate_job(device, config, folder, monitor, checkpoint);
    case 'p':
      return inpainting_job(device, config, folder, monitor, checkpoint);
    case 'w':
      return sweep_job(device, config, folder, monitor, checkpoint, ranks);
    default:
      return ensemble_job(device, config, folder, monitor, checkpoint);
  }
}

void help_job(const Device& device, const io::Config& config, const Monitor& monitor, ranks::Ranks& ranks) {
  JobCheckpoint none;
  run_sweep(device, make_sweep_plan(device, config), monitor, none, ranks);
}

void require_shared(const io::Config& config, const ranks::Ranks& ranks) {
  if (ranks.alone() || config.job() == "sweep") return;
  throw InvalidArgument(fmt::format(
      "job \"{}\" is work for one process, but a launcher started {}. Start it without mpirun; of all jobs, "
      "only sweep shares its runs out.",
      config.job(), ranks.size()));
}

}  // namespace vida::jobs
