#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vida::report {

/// The figures of a run as markup, each picture within it.
struct Pictures {
  std::string markup;                 ///< empty: there is none
  std::vector<std::string> warnings;  ///< why some are missing
};

/// Takes the pictures of run_folder/figures, SVG or a smaller PNG, and draws those that are missing there.
Pictures pictures_of(const std::filesystem::path& run_folder);

}  // namespace vida::report
