#pragma once

#include <vector>

#include "io/settings.hpp"

namespace vida::io {

/// The part of the table of settings that the jobs `assimilate` and `sweep` have for themselves; see settings().
std::vector<Setting> filter_settings_table();

}  // namespace vida::io
