#include "jobs/job.hpp"

namespace vida::jobs {

Outcome run_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor,
                JobCheckpoint& checkpoint) {
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
      return sweep_job(device, config, folder, monitor, checkpoint);
    default:
      return ensemble_job(device, config, folder, monitor, checkpoint);
  }
}

}  // namespace vida::jobs
