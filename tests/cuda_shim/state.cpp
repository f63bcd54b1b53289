#include "state.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>

#include "memory.hpp"

extern "C" const char __executable_start;  // the linker's

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

std::unordered_set<const void*> met_addresses;  // those that met() holds already

std::uint64_t order_state = 1;

/// An address relative to the program's start, as debug information has it.
std::uintptr_t offset_of(const void* return_address) {
  return static_cast<std::uintptr_t>(static_cast<const char*>(return_address) - &__executable_start);
}

/// The call chain at an address, inlined functions included, innermost first: {function, "file:line"}. Asks addr2line,
/// which comes with the compiler.
std::vector<std::pair<std::string, std::string>> frames(const void* return_address) {
  char program[4096] = {};
  if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0) return {};
  const std::string command =
      fmt::format("addr2line -e '{}' -i -f -C {:#x}", program, offset_of(return_address) - 1);  // inside the call
  std::vector<std::pair<std::string, std::string>> list;
  FILE* answer = popen(command.c_str(), "r");
  if (!answer) return {};
  char function[8192], place[8192];
  while (std::fgets(function, sizeof(function), answer) && std::fgets(place, sizeof(place), answer)) {
    std::string line = place;
    line = line.substr(line.rfind('/') + 1);
    list.emplace_back(function, line.substr(0, line.find_first_of(" \n")));
  }
  pclose(answer);
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
  static std::map<std::pair<const void*, int>, std::string> known;
  auto [at, is_new] = known.try_emplace({return_address, depth});
  if (!is_new) return at->second;
  std::string text;
  for (const auto& [function, place] : frames(return_address)) {
    if (function.find("::sync() const") != function.npos || depth == 0) continue;
    text += (text.empty() ? "" : " < ") + place;
    --depth;
  }
  return at->second = text;
}

bool is_mutated(const char* kind, const std::string& name) {
  met().insert(fmt::format("{} {}", kind, name));
  return current.mutant == fmt::format("{} {}", kind, name);
}

bool is_mutated(const char* kind, const void* return_address) {
  if (met_addresses.insert(return_address).second)
    met().insert(fmt::format("{} {:#x}", kind, offset_of(return_address)));
  if (current.mutant.empty()) return false;
  const std::string name = fmt::format(" {:#x} ", offset_of(return_address));
  return current.mutant.rfind(kind, 0) == 0 && (current.mutant + " ").find(name) != std::string::npos;
}

void forget_sites() {
  met().clear();
  met_addresses.clear();
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
    for (const std::string& one : reports()) std::fprintf(stderr, "cuda_shim: %s\n", one.c_str());
    if (memory::live_count() > 0)
      std::fprintf(stderr, "cuda_shim: %zu device allocations were never freed\n", memory::live_count());
    std::fflush(nullptr);
    if (!reports().empty() || memory::live_count() > 0) _exit(86);
  }
} at_exit;

}  // namespace
}  // namespace cuda_shim
