#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "vida/checkpoint.hpp"

namespace vida::io {

/// A run that can go on: what it is, and how far it is.
struct Checkpoint {
  std::map<std::string, std::string> identity;  ///< settings and data; all must agree for the run to go on
  std::map<std::string, std::string> notes;     ///< for whoever goes on; they may differ
  Snapshot state;                               ///< empty: the run has only begun
};

/// Writes the file (safetensors, with a checksum of everything in it) under a temporary name and renames it when it is
/// on disk: the old one stays whole until the new one is. Throws FileError.
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Reads one. Throws FileError when it is missing, cut short, damaged, or of another version of vida.
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// Throws FileError when an entry of `now` differs from the one of the checkpoint at `path`, naming the differences.
/// Entries that only one side has differ, too.
void require_same_run(const std::filesystem::path& path, const std::map<std::string, std::string>& there,
                      const std::map<std::string, std::string>& now);

}  // namespace vida::io
