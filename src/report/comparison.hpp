#pragma once

#include <string>
#include <vector>

#include "report/run_folder.hpp"

namespace vida::report {

/// Several runs side by side: a list of them with links to their sections, and for those of the same job the settings
/// that differ and their scores. ids: of the sections, one for each run.
std::string comparison(const std::vector<RunFolder>& runs, const std::vector<std::string>& ids);

}  // namespace vida::report
