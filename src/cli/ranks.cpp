#include "cli/ranks.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <sstream>
#include <thread>

#include "cli/log.hpp"
#include "cli/options.hpp"
#include "vida/error.hpp"
#include "vida/version.hpp"

namespace vida::cli {
namespace {

/// The cores that this process may use, one digit each.
std::string cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return "";
  std::string digits;
  for (int core = 0; core < CPU_SETSIZE; ++core) digits += CPU_ISSET(core, &set) ? '1' : '0';
  return digits.substr(0, digits.find_last_of('1') + 1);
}

/// The first line in which two texts differ, of each of them.
std::pair<std::string, std::string> difference(const std::string& a, const std::string& b) {
  std::istringstream left(a), right(b);
  std::string one, other;
  do {
    one.clear(), other.clear();
    std::getline(left, one), std::getline(right, other);
  } while (one == other && (left || right));
  return {one.empty() ? "nothing" : one, other.empty() ? "nothing" : other};
}

int code_of(const std::exception& error) {
  const bool usage =
      dynamic_cast<const FileError*>(&error) != nullptr || dynamic_cast<const InvalidArgument*>(&error) != nullptr;
  return usage ? kUsage : kNothingUsable;
}

}  // namespace

DeviceOptions device_of_rank(DeviceOptions options, ranks::Ranks& ranks) {
  if (ranks.alone()) return options;
  const std::string host = ranks::host_name(), own_cores = cores();
  const auto hosts = ranks.gathered(host), all_cores = ranks.gathered(own_cores);
  const auto rank = static_cast<std::ptrdiff_t>(ranks.rank());
  if (options.threads == 0) {
    long sharing = 0;  // ranks on the same cores
    for (std::size_t i = 0; i < hosts.size(); ++i) sharing += hosts[i] == host && all_cores[i] == own_cores;
    options.threads = std::max(1, static_cast<int>(std::count(own_cores.begin(), own_cores.end(), '1') / sharing));
  }
  if (const int devices = cuda_status().devices; devices > 0 && (options.name == "auto" || options.name == "cuda"))
    options.name = fmt::format("cuda:{}", std::count(hosts.begin(), hosts.begin() + rank, host) % devices);
  return options;
}

void agree(const io::Config& config, const Device& device, ranks::Ranks& ranks) {
  if (ranks.alone()) return;
  std::string own = fmt::format("version = {}\ndevice = {}\n", kVersion, device.is_cuda() ? "cuda" : "cpu");
  for (const auto& [key, value] : config.texts()) own += fmt::format("{} = {}\n", key, value);
  const auto hosts = ranks.gathered(ranks::host_name()), all = ranks.gathered(own);
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i] == all[0]) continue;
    const auto [first, other] = difference(all[0], all[i]);
    throw InvalidArgument(
        fmt::format("rank 0 on {} has {}, but rank {} on {} has {}. All processes need one version, one configuration "
                    "and one kind of device (--device), or their results would not fit together.",
                    hosts[0], first, i, hosts[i], other));
  }
}

int on_rank(ranks::Ranks& ranks, const std::function<int()>& part) {
  try {
    return part();
  } catch (const std::exception& error) {
    // most errors befall all ranks, and then the first one is to tell of it
    if (!ranks.first()) std::this_thread::sleep_for(std::chrono::seconds(1));
    const int code = code_of(error);
    const bool no_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
    const std::string text = no_memory ? kNoMemory : error.what();
    log().error(ranks.first() && code == kUsage
                    ? text
                    : fmt::format("rank {} of {}, on {}: {}", ranks.rank(), ranks.size(), ranks::host_name(), text));
    ranks.abort(code);
    return code;
  }
}

}  // namespace vida::cli
