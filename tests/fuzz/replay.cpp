// Runs a target on every file of the folders it is given, without a fuzzer: what was found once stays found.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/target.hpp"

namespace {
namespace fs = std::filesystem;

constexpr double kSeconds = 2;        // of one file, at most
constexpr long kKilobytes = 1 << 20;  // of memory, at most

std::vector<fs::path> files_below(const char* folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// What is wrong with how the target takes the file; empty: nothing.
std::string complaint(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const double before = processor_seconds();
  try {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  } catch (const std::exception& error) {
    return std::string("an exception that is neither FileError nor InvalidArgument: ") + error.what();
  }
  const double seconds = processor_seconds() - before;
  if (seconds > kSeconds) return "took " + std::to_string(seconds) + " s, expected at most 2 s";
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  if (usage.ru_maxrss > kKilobytes)
    return "took " + std::to_string(usage.ru_maxrss) + " kB of memory, expected at most 1048576 kB";
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  int count = 0, failed = 0;
  for (int i = 1; i < argc; ++i)
    for (const auto& path : files_below(argv[i])) {
      std::fprintf(stderr, "%s\n", path.c_str());  // before it runs: the last line tells which file ended the process
      ++count;
      if (const auto what = complaint(path); !what.empty()) {
        std::fprintf(stderr, "FAILED: %s\n", what.c_str());
        ++failed;
      }
    }
  std::printf("%d files, %d failed\n", count, failed);
  return count == 0 || failed ? 1 : 0;
}
