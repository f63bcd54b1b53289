#include "fuzz/target.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace vida::fuzz {
namespace fs = std::filesystem;
namespace {

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "vida-fuzz-XXXXXX").string();
    if (!::mkdtemp(name.data())) finding("no temporary folder can be made");
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

}  // namespace

const fs::path& folder() {
  static const Folder folder;
  return folder.path;
}

fs::path file_of(Bytes bytes, const std::string& name) {
  fs::path path = folder() / name;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const auto written = ::write(file, bytes.data(), bytes.size());
  ::close(file);
  if (written != std::ssize(bytes)) throw FileError("'" + path.string() + "' cannot be written.");
  return path;
}

fs::path file_of(const std::string& text, const std::string& name) {
  return file_of(Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), name);
}

void finding(const std::string& what) {
  std::fprintf(stderr, "finding: %s\n", what.c_str());
  std::abort();
}

void require_message(const std::string& message) {
  if (message.find_first_not_of(" \n.'") == std::string::npos) finding("an error without a message");
}

}  // namespace vida::fuzz
