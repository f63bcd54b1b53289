#pragma once

#include "io/config.hpp"
#include "vida/gaussian_vi.hpp"

namespace vida::jobs {

/// What [fit] says. Throws InvalidArgument where there is a [batch].
GaussianViOptions gaussian_options(const io::Config& config);

}  // namespace vida::jobs
