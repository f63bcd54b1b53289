#include "state.hpp"

#include <fmt/format.h>
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <unordered_map>
#include <utility>

#include "memory.hpp"

namespace cuda_shim {
namespace {

std::vector<std::string>& reports() {
  static std::vector<std::string> list;
  return list;
}

std::set<std::string>& met() {
  static std::set<std::string> list;
  return list;
}

std::uint64_t order_state = 1;

/// The call chain at an address, inlined functions included, innermost first: {function, "file:line"}.
std::vector<std::pair<std::string, std::string>> frames(const void* return_address) {
  char text[8192] = {};
  __sanitizer_symbolize_pc(static_cast<char*>(const_cast<void*>(return_address)) - 1, "%f@%s:%l", text,
                           sizeof(text) - 2);
  std::vector<std::pair<std::string, std::string>> list;
  for (const char* frame = text; *frame; frame += std::strlen(frame) + 1) {
    const std::string line = frame;
    const auto at = line.rfind('@');
    const auto slash = line.rfind('/');
    list.emplace_back(line.substr(0, at), line.substr(std::max(at, slash == line.npos ? 0 : slash) + 1));
  }
  return list;
}

}  // namespace

Settings current = [] {
  Settings settings;
  if (const char* seed = std::getenv("VIDA_SHIM_SEED")) settings.seed = std::strtoull(seed, nullptr, 10);
  if (const char* log = std::getenv("VIDA_SHIM_LOG")) settings.log = std::strcmp(log, "0") != 0;
  if (const char* mutant = std::getenv("VIDA_SHIM_MUTANT")) settings.mutant = mutant;
  return settings;
}();

std::uint64_t random_below(std::uint64_t bound) {
  order_state ^= order_state >> 12;
  order_state ^= order_state << 25;
  order_state ^= order_state >> 27;
  return (order_state * 0x2545F4914F6CDD1D >> 32) % bound;
}

void seed_order() { order_state = current.seed * 0x9E3779B97F4A7C15 + 1; }

void report(const std::string& finding) {
  const std::string text = fmt::format("{} (seed {})", finding, current.seed);
  auto& list = reports();
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

std::vector<std::string> take_reports() { return std::exchange(reports(), {}); }

std::string place_of(const void* return_address, int depth) {
  std::string text;
  for (const auto& [function, place] : frames(return_address)) {
    if (function.find("Team::sync") != function.npos || depth == 0) continue;
    text += (text.empty() ? "" : " < ") + place;
    --depth;
  }
  return text;
}

bool is_mutated(const char* kind, const std::string& name) {
  const std::string site = fmt::format("{} {}", kind, name);
  met().insert(site);
  return site == current.mutant;
}

bool is_mutated(const char* kind, const void* return_address) {
  static std::unordered_map<const void*, std::string> known;
  auto at = known.find(return_address);
  if (at == known.end()) {
    at = known.emplace(return_address, fmt::format("{} {}", kind, place_of(return_address, 1))).first;
    met().insert(at->second);
  }
  return !current.mutant.empty() && at->second == current.mutant;
}

std::vector<std::string> sites() { return {met().begin(), met().end()}; }

namespace {

/// What no test took is printed when the program ends, and makes it fail.
struct AtExit {
  AtExit() {
    reports();
    met();
    seed_order();
  }
  ~AtExit() {
    if (const char* path = std::getenv("VIDA_SHIM_SITES"))
      if (FILE* file = std::fopen(path, "a")) {
        for (const std::string& site : met()) std::fprintf(file, "%s\n", site.c_str());
        std::fclose(file);
      }
    for (const std::string& one : reports()) std::fprintf(stderr, "cuda_shim: %s\n", one.c_str());
    if (memory::live_count() > 0)
      std::fprintf(stderr, "cuda_shim: %zu device allocations were never freed\n", memory::live_count());
    std::fflush(nullptr);
    if (!reports().empty() || memory::live_count() > 0) _exit(86);
  }
} at_exit;

}  // namespace
}  // namespace cuda_shim
