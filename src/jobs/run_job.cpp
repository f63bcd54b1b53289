#include "jobs/job.hpp"

namespace vida::jobs {

Outcome run_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor& monitor) {
  switch (io::job_letter(config.job())) {
    case 'l':
      return learn_gain_job(device, config, folder, monitor);
    case 'e':
      return evaluate_gain_job(device, config, folder, monitor);
    case 'g':
      return gaussian_vi_job(device, config, folder, monitor);
    case 'f':
      return flow_vi_job(device, config, folder, monitor);
    case 'a':
      return amortized_job(device, config, folder, monitor);
    case 'd':
      return assimilate_job(device, config, folder, monitor);
    case 'p':
      return inpainting_job(device, config, folder, monitor);
    case 'w':
      return sweep_job(device, config, folder, monitor);
    default:
      return ensemble_job(device, config, folder, monitor);
  }
}

}  // namespace vida::jobs
