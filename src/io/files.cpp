#include "io/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "io/replace_files.hpp"

namespace vida::io {
namespace fs = std::filesystem;
namespace {

std::string pending_name(const std::string& name) { return fmt::format(".{}.{}.tmp", name, ::getpid()); }

bool holds_result(const fs::path& folder) {
  return fs::exists(folder / "result.nc") || fs::exists(folder / "summary.json");
}

}  // namespace

void require_readable(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) throw FileError(fmt::format("'{}' does not exist.", path.string()));
  if (fs::is_directory(path, ignored))
    throw FileError(fmt::format("'{}' is a folder; a file is needed.", path.string()));
  if (::access(path.c_str(), R_OK) != 0)
    throw FileError(fmt::format("'{}' cannot be read: {}.", path.string(), std::strerror(errno)));
}

std::string read_text(const fs::path& path) {
  require_readable(path);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw WriteError(fmt::format("'{}' cannot be written: {}.", path.string(), std::strerror(errno)));
}

OutputFolder::OutputFolder(const fs::path& path, bool replace) : path_(path) {
  std::error_code error;
  if (fs::exists(path_, error) && !fs::is_directory(path_, error))
    throw FileError(fmt::format("--out '{}' is a file; name a folder for the results.", path_.string()));
  restore_interrupted(path_);
  if (!replace && holds_result(path_))
    throw FileError(fmt::format("--out '{}' already holds a result. Add --force to replace it, or name another folder.",
                                path_.string()));
  for (fs::path folder = fs::absolute(path_); !fs::exists(folder, error) && folder.has_relative_path();
       folder = folder.parent_path())
    if (folder.has_filename()) created_.push_back(folder);
  for (auto folder = created_.rbegin(); folder != created_.rend(); ++folder)
    if (::mkdir(folder->c_str(), 0777) != 0 && errno != EEXIST) {
      const int reason = errno;
      for (const auto& made : created_) fs::remove(made, error);
      throw FileError(fmt::format("--out '{}': the folder cannot be made: {}. Name one that can be written with --out.",
                                  path_.string(), std::strerror(reason)));
    }
  if (::access(path_.c_str(), W_OK | X_OK) != 0)
    throw FileError(fmt::format("--out '{}' cannot be written: {}. Name another folder with --out.", path_.string(),
                                std::strerror(errno)));
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  for (const auto& name : names_) fs::remove(path_ / pending_name(name), ignored);
  for (const auto& folder : created_) fs::remove(folder, ignored);  // fails, as it should, when something is inside
}

fs::path OutputFolder::pending(const std::string& name) {
  if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
  return path_ / pending_name(name);
}

void OutputFolder::commit() {
  std::vector<PendingFile> files;
  for (const auto& name : names_) files.push_back({path_ / pending_name(name), name});
  for (const auto& file : files) sync_to_disk(file.path, O_RDONLY);
  replace_files(path_, std::move(files));
  names_.clear();
  std::error_code missing;
  for (const auto& name : obsolete_) fs::remove(path_ / name, missing);
}

}  // namespace vida::io
