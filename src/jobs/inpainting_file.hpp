#pragma once

#include "io/netcdf.hpp"
#include "jobs/inpainting_scores.hpp"

namespace vida::jobs {

/// Seconds that the parts of a run took; NaN where there was none.
struct InpaintingSeconds {
  double classifier, training, sampling;
};

/// Writes result.nc. drawn: draws of the examples, [example, sample, unknown].
void write_inpainting_result(const std::filesystem::path& path, const Device& device, const io::Config& config,
                             const InpaintingPlan& plan, const EpochFit& fit, const InpaintingReport& report,
                             const Array<std::uint8_t, 3>& drawn);

/// The table for people.
std::string inpainting_table(const InpaintingPlan& plan, const InpaintingReport& report,
                             const InpaintingSeconds& seconds);

}  // namespace vida::jobs
