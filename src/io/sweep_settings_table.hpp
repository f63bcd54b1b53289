#pragma once

#include <vector>

#include "io/settings.hpp"

namespace vida::io {

/// The section [sweep]: its axes list values of settings of the filters and of the data.
/// filters: the lines of the list of filters.
std::vector<Setting> sweep_settings_table(const std::vector<Setting>& filters);

}  // namespace vida::io
