#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "vida/error.hpp"

namespace vida::io {

/// A result cannot be written although its folder could be: the disk is full, for example.
class WriteError : public FileError {
 public:
  using FileError::FileError;
};

/// Throws FileError that says why `path` cannot be read (missing, a folder, no permission).
void require_readable(const std::filesystem::path& path);

std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, const std::string& text);

/// A folder that receives the files of one run. Files are written under temporary names beside their final ones and get
/// those only in commit(), after they have reached the disk. Whatever fails before or in commit(), the old result keeps
/// every file; who finds summary.json finds files of one result (see replace_files.hpp for the moments in between).
class OutputFolder {
 public:
  /// Creates the folder when needed, and puts back a result that a crash caught in commit(). Throws FileError when it
  /// cannot be written, and when it holds a result already and `replace` is false.
  OutputFolder(const std::filesystem::path& path, bool replace);
  /// Removes what was not committed, and the folders it made itself when they stayed empty.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Where to write the file that will be called `name`.
  std::filesystem::path pending(const std::string& name);
  /// Removes a file of the folder once the pending ones have their names.
  void obsolete(const std::string& name) { obsolete_.push_back(name); }
  /// Gives every pending file its name. Throws WriteError when that fails; the folder then holds what it held before.
  void commit();

 private:
  std::filesystem::path path_;
  std::vector<std::filesystem::path> created_;  // innermost first
  std::vector<std::string> names_, obsolete_;
};

}  // namespace vida::io
