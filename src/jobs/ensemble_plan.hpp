#pragma once

#include "io/config.hpp"
#include "vida/ensemble.hpp"

namespace vida::jobs {

/// What a configuration of job "ensemble" asks for; what its file tells is taken into the configuration. Throws
/// InvalidArgument or FileError with one message.
EnsembleOptions ensemble_options(const Device& device, io::Config& config);

}  // namespace vida::jobs
