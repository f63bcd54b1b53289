// Preloaded into the program (LD_PRELOAD): makes one call fail that changes files below a folder, or ends the process
// there. The environment says what:
//   VIDA_FAULT_FOLDER   the folder; calls elsewhere pass
//   VIDA_FAULT_AT       which call, from 1; 0: none
//   VIDA_FAULT_ERROR    the error it fails with, as errno; 0: the process is killed instead of the call
//   VIDA_FAULT_LASTING  1: every later call fails too, as on a disk that stays full
//   VIDA_FAULT_COUNT    a file that gets the number of calls at the end
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

template <class Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

const char* text(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

struct Faults {
  std::string folder = text("VIDA_FAULT_FOLDER");
  long at = std::atol(text("VIDA_FAULT_AT"));
  int error = std::atoi(text("VIDA_FAULT_ERROR"));
  bool lasting = std::atoi(text("VIDA_FAULT_LASTING")) != 0;
  long count = 0;

  ~Faults() {
    const char* path = text("VIDA_FAULT_COUNT");
    if (!*path) return;
    folder.clear();
    if (std::FILE* file = std::fopen(path, "w")) std::fprintf(file, "%ld\n", count), std::fclose(file);
  }

  /// Counts a call; true when it is to fail, with errno set.
  bool fails() {
    ++count;
    if (at == 0 || count < at || (count > at && !lasting)) return false;
    if (error == 0) ::kill(::getpid(), SIGKILL);
    errno = error;
    return true;
  }
};

Faults& faults() {
  static Faults one;
  return one;
}

bool inside(const char* path) {
  const std::string& folder = faults().folder;
  if (folder.empty() || !path) return false;
  std::array<char, PATH_MAX> here{};
  const std::string whole =
      *path == '/' || !::getcwd(here.data(), here.size()) ? path : here.data() + ("/" + std::string(path));
  return whole.starts_with(folder);
}

bool inside(int file) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const auto length = ::readlink(link.c_str(), path.data(), path.size() - 1);
  return length > 0 && inside(path.data());
}

template <class Place>
bool fails(Place place) {
  return inside(place) && faults().fails();
}

bool changes(int flags) { return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0; }
bool changes(const char* mode) { return mode[0] != 'r' || std::string(mode).find('+') != std::string::npos; }

mode_t mode_in(int flags, va_list rest) { return flags & O_CREAT ? static_cast<mode_t>(va_arg(rest, int)) : 0; }

}  // namespace

#define VIDA_OPEN(name)                                                       \
  extern "C" int name(const char* path, int flags, ...) {                     \
    va_list rest;                                                             \
    va_start(rest, flags);                                                    \
    const mode_t mode = mode_in(flags, rest);                                 \
    va_end(rest);                                                             \
    if (changes(flags) && fails(path)) return -1;                             \
    return original<int(const char*, int, mode_t)>(#name)(path, flags, mode); \
  }
VIDA_OPEN(open)
VIDA_OPEN(open64)

#define VIDA_FOPEN(name)                                                      \
  extern "C" std::FILE* name(const char* path, const char* mode) {            \
    if (changes(mode) && fails(path)) return nullptr;                         \
    return original<std::FILE*(const char*, const char*)>(#name)(path, mode); \
  }
VIDA_FOPEN(fopen)
VIDA_FOPEN(fopen64)

/// A call that names a file by its descriptor or path, which comes first.
// NOLINTBEGIN(bugprone-macro-parentheses): lists of parameters, not values
#define VIDA_CALL_ON(result, name, first, parameters, types, arguments) \
  extern "C" result name parameters {                                   \
    if (fails(first)) return -1;                                        \
    return original<result types>(#name) arguments;                     \
  }
// NOLINTEND(bugprone-macro-parentheses)
VIDA_CALL_ON(ssize_t, write, file, (int file, const void* data, std::size_t size), (int, const void*, std::size_t),
             (file, data, size))
VIDA_CALL_ON(ssize_t, pwrite, file, (int file, const void* data, std::size_t size, off_t at),
             (int, const void*, std::size_t, off_t), (file, data, size, at))
VIDA_CALL_ON(ssize_t, pwrite64, file, (int file, const void* data, std::size_t size, off64_t at),
             (int, const void*, std::size_t, off64_t), (file, data, size, at))
VIDA_CALL_ON(ssize_t, writev, file, (int file, const iovec* parts, int count), (int, const iovec*, int),
             (file, parts, count))
VIDA_CALL_ON(int, ftruncate, file, (int file, off_t size), (int, off_t), (file, size))
VIDA_CALL_ON(int, ftruncate64, file, (int file, off64_t size), (int, off64_t), (file, size))
VIDA_CALL_ON(int, fsync, file, (int file), (int), (file))
VIDA_CALL_ON(int, rename, to, (const char* from, const char* to), (const char*, const char*), (from, to))
VIDA_CALL_ON(int, link, to, (const char* from, const char* to), (const char*, const char*), (from, to))
VIDA_CALL_ON(int, unlink, path, (const char* path), (const char*), (path))
VIDA_CALL_ON(int, remove, path, (const char* path), (const char*), (path))
VIDA_CALL_ON(int, mkdir, path, (const char* path, mode_t mode), (const char*, mode_t), (path, mode))
