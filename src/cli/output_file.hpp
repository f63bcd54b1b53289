#pragma once

#include <filesystem>

#include "io/files.hpp"

namespace vida::cli {

/// A result of one file, written under a temporary name and renamed when it is complete.
class OutputFile {
 public:
  /// Throws FileError when there is such a file and `replace` is false, or its folder cannot be written.
  OutputFile(const std::filesystem::path& path, bool replace);
  std::filesystem::path pending() { return folder_.pending(path_.filename().string()); }
  void commit() { folder_.commit(); }

 private:
  std::filesystem::path path_;
  io::OutputFolder folder_;
};

}  // namespace vida::cli
