#pragma once

#include <vector>

#include "io/settings.hpp"

namespace vida::io {

/// The settings of job "inpainting".
std::vector<Setting> inpainting_settings_table();

}  // namespace vida::io
