#include "io/replace_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "io/files.hpp"

namespace vida::io {
namespace fs = std::filesystem;
namespace {

/// The second name of an old file: ".result.nc.4711.old", with the number of the process.
fs::path second_name(const fs::path& folder, const std::string& name) {
  return folder / fmt::format(".{}.{}.old", name, ::getpid());
}

/// A file that is found in a folder and carries the number of a process: ".name.number" and an ending.
struct OwnedFile {
  fs::path path;
  std::string name;
  int process;
};

std::optional<OwnedFile> owned_file(const fs::path& path, const std::string& ending) {
  const std::string text = path.filename().string();
  if (!text.starts_with('.') || !text.ends_with(ending)) return {};
  const std::string rest = text.substr(1, text.size() - 1 - ending.size());
  const auto dot = rest.rfind('.');
  if (dot == rest.npos || dot == 0) return {};
  int process = 0;
  const auto [stop, error] = std::from_chars(rest.data() + dot + 1, rest.data() + rest.size(), process);
  if (error != std::errc() || stop != rest.data() + rest.size() || process < 1) return {};
  return OwnedFile{path, rest.substr(0, dot), process};
}

/// In a container the number of a process may be ours again: ours is not at work here yet.
bool still_works(int process) { return process != ::getpid() && (::kill(process, 0) == 0 || errno == EPERM); }

/// Those in the folder whose processes are gone.
std::vector<OwnedFile> abandoned_files(const fs::path& folder, const std::string& ending) {
  std::vector<OwnedFile> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (const auto file = owned_file(entry->path(), ending); file && !still_works(file->process))
      found.push_back(*file);
  return found;
}

[[noreturn]] void refuse(const fs::path& path, const std::string& reason) {
  throw WriteError(fmt::format("'{}' cannot be replaced: {}.", path.string(), reason));
}

void rename_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) refuse(to, error.message());
}

void give_second_name(const fs::path& file, const fs::path& second) {
  std::error_code error;
  fs::remove(second, error);
  fs::create_hard_link(file, second, error);
  if (!error) return;
  if (error != std::errc::operation_not_permitted && error != std::errc::operation_not_supported &&
      error != std::errc::too_many_links)
    refuse(file, error.message());
  fs::copy_file(file, second, error);  // some file systems have no links
  if (error) refuse(file, error.message());
  sync_to_disk(second, O_RDONLY);
}

void sync_folder(const fs::path& folder) { sync_to_disk(folder, O_RDONLY | O_DIRECTORY); }

/// The steps of one exchange, and the way back.
class Exchange {
 public:
  Exchange(const fs::path& folder, const std::vector<PendingFile>& files) : folder_(folder) {
    for (const PendingFile& file : files) {
      const fs::path target = folder / file.name;
      std::error_code error;
      steps_.push_back({file.path, target, second_name(folder, file.name), fs::exists(target, error)});
    }
  }

  void run() {
    for (const Step& step : steps_)
      if (step.replaces) give_second_name(step.target, step.second);
    sync_folder(folder_);
    std::error_code error;
    if (steps_.back().replaces && !fs::remove(steps_.back().target, error))
      refuse(steps_.back().target, error.message());
    sync_folder(folder_);
    for (std::size_t i = 0; i + 1 < steps_.size(); ++i) move(steps_[i]);
    sync_folder(folder_);
    move(steps_.back());
    sync_folder(folder_);
  }

  void remove_old() const {
    std::error_code ignored;
    for (const Step& step : steps_) fs::remove(step.second, ignored);
  }

  /// Whether every old file has its name again.
  bool undo() const {
    bool done = true;
    for (const Step& step : steps_) {
      std::error_code error;
      if (fs::exists(step.second, error)) {
        fs::rename(step.second, step.target, error);
        done = done && !error;
        if (!error) fs::remove(step.second, error);  // a rename between two names of one file does nothing
      } else if (step.moved) {
        fs::remove(step.target, error);
        done = done && !error;
      }
    }
    return done;
  }

 private:
  struct Step {
    fs::path pending, target, second;
    bool replaces, moved = false;
  };
  static void move(Step& step) {
    rename_file(step.pending, step.target);
    step.moved = true;
  }
  fs::path folder_;
  std::vector<Step> steps_;
};

}  // namespace

void sync_to_disk(const fs::path& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  const bool done = file >= 0 && ::fsync(file) == 0;
  const int reason = errno;
  if (file >= 0) ::close(file);
  if (!done) throw WriteError(fmt::format("'{}' cannot be written to disk: {}.", path.string(), std::strerror(reason)));
}

void replace_files(const fs::path& folder, std::vector<PendingFile> files) {
  if (files.empty()) return;
  if (files.size() == 1) {
    rename_file(files.front().path, folder / files.front().name);
    sync_folder(folder);
    return;
  }
  std::stable_partition(files.begin(), files.end(), [](const PendingFile& file) { return file.name != kMark; });
  Exchange exchange(folder, files);
  try {
    exchange.run();
  } catch (const WriteError& error) {
    if (exchange.undo()) throw;
    throw WriteError(
        fmt::format("{} Files of the result before it are in '{}' under names that end in .old; the next "
                    "run into that folder puts them in order.",
                    error.what(), folder.string()));
  }
  exchange.remove_old();
}

void remove_abandoned(const fs::path& folder) {
  std::error_code ignored;
  for (const OwnedFile& file : abandoned_files(folder, ".tmp")) fs::remove(file.path, ignored);
}

void restore_interrupted(const fs::path& folder) {
  std::vector<OwnedFile> found = abandoned_files(folder, ".old");
  if (found.empty()) return;
  std::stable_partition(found.begin(), found.end(), [](const OwnedFile& file) { return file.name != kMark; });
  std::error_code error;
  const bool complete = fs::exists(folder / kMark, error);  // the old mark goes before anything is replaced
  for (const OwnedFile& file : found) {
    if (!complete) fs::rename(file.path, folder / file.name, error);
    if (complete || !error) fs::remove(file.path, error);
  }
}

}  // namespace vida::io
