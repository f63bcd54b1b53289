#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vida::io {

/// The file that marks a complete result: where it is, every file of the set belongs to it.
inline constexpr const char* kMark = "summary.json";

/// A file that is complete under a temporary name, and the name that it is to have in the same folder.
struct PendingFile {
  std::filesystem::path path;
  std::string name;
};

/// Puts files into a folder in place of those of the same names: all of them, or none when an operation fails.
///
/// One file takes one rename, which is atomic. Several take one each, so the old ones get a second name first, the mark
/// goes, the others are renamed, and the mark comes last. A reader who finds the mark therefore finds files of one
/// result; between the renames he finds none for some milliseconds. After a failure the old files get their names back;
/// after a crash restore_interrupted() gives them back. Throws WriteError that names the file and the reason.
void replace_files(const std::filesystem::path& folder, std::vector<PendingFile> files);

/// Ends what a process began in replace_files() that is no more: where the new mark is in place the old files go,
/// otherwise they get their names back. Does nothing where there is nothing to do, or nothing can be done.
void restore_interrupted(const std::filesystem::path& folder);

/// Removes the temporary files in `folder` of processes that are gone: what a run that was killed had begun to write.
void remove_abandoned(const std::filesystem::path& folder);

/// Throws WriteError unless what was written to the file, or with O_DIRECTORY the names in the folder, is on disk.
void sync_to_disk(const std::filesystem::path& path, int flags);

}  // namespace vida::io
