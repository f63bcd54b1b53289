#include "cli/output_file.hpp"

#include <fmt/format.h>

namespace vida::cli {
namespace {

/// The folder that a file is to lie in, after a look at what is there already.
std::filesystem::path folder_of(const std::filesystem::path& path, bool replace) {
  std::error_code ignored;
  if (!path.has_filename() || std::filesystem::is_directory(path, ignored))
    throw FileError(fmt::format("--out '{}' is a folder; name a file.", path.string()));
  if (!replace && std::filesystem::exists(path, ignored))
    throw FileError(
        fmt::format("--out '{}' is there already. Add --force to replace it, or name another file.", path.string()));
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

OutputFile::OutputFile(const std::filesystem::path& path, bool replace)
    : path_(path), folder_(folder_of(path, replace), true) {}

}  // namespace vida::cli
