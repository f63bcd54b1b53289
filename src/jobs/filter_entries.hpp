#pragma once

#include <string>

#include "io/config.hpp"
#include "vida/assimilation.hpp"

namespace vida::jobs {

/// What entry `index` of the list of filters says, with the files that it names.
FilterSettings filter_settings(const io::Config& config, long index);

/// "etkf N 24, infl 1.013, rot": its method and what differs from the defaults.
std::string filter_label(const io::Config& config, long index);

}  // namespace vida::jobs
