#include "jobs/filter_entries.hpp"

#include <fmt/format.h>

#include <charconv>

#include "io/data_file.hpp"
#include "io/netcdf.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {
using io::Config;

/// The background's covariance and, where the file holds it, its mean.
void read_background(const std::string& key, const std::string& path, FilterSettings& filter) {
  const io::NetcdfReader file(path, key);
  if (!file.has("C")) throw FileError(fmt::format("{}: '{}' holds no C [state, state].", key, path));
  filter.background = file.array<2>("C");
  if (file.has("mean")) filter.background_mean = file.array<1>("mean");
}

/// K of "gain.nc", or of "gain.nc:2" its third one where the file holds a gain for each run of a batch.
Matrix read_gain(const std::string& key, const std::string& name) {
  const auto colon = name.find_last_of(':');
  std::size_t run = 0;
  const char* end = name.data() + name.size();
  const char* digits = colon == name.npos ? end : name.data() + colon + 1;
  const bool numbered = std::from_chars(digits, end, run) == std::from_chars_result{end, std::errc()};
  const std::string path = numbered ? name.substr(0, colon) : name;
  io::GainFile file = io::read_gains(path, key);
  const std::size_t count = file.gains.size();
  if (!numbered && count > 1)
    throw FileError(fmt::format("{}: '{}' holds {} gains; a filter takes one. Write \"{}:0\" to \"{}:{}\" to choose.",
                                key, path, count, path, path, count - 1));
  if (run >= count)
    throw FileError(fmt::format("{} = \"{}\": '{}' holds {} gain{}, numbered from 0.", key, name, path, count,
                                count == 1 ? "" : "s"));
  return std::move(file.gains[run]);
}

/// How a setting is called in a label; those that are not here are files.
constexpr std::pair<const char*, const char*> kShort[] = {{"members", "N"},
                                                          {"inflation", "infl"},
                                                          {"relaxation", "RTPS"},
                                                          {"rotation", "rot"},
                                                          {"radius", "radius"},
                                                          {"local_states", "batch"},
                                                          {"xn", "xN"},
                                                          {"tolerance", "tolerance"},
                                                          {"lag", "lag"},
                                                          {"iterations", "iterations"},
                                                          {"resampling_threshold", "NER"},
                                                          {"jitter", "reg"},
                                                          {"tangent", ""},
                                                          {"background_scale", "scale"},
                                                          {"background", "background of a file"},
                                                          {"gain", "gain of a file"}};

/// " 1.013"; nothing for what is only there or not.
std::string value_text(const io::Value& value) {
  if (const auto* whole = std::get_if<long>(&value)) return fmt::format(" {}", *whole);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format(" {}", *real);
  return "";
}

}  // namespace

FilterSettings filter_settings(const Config& config, long index) {
  FilterSettings filter;
  const auto key = [&](const char* name) { return io::list_key(index, name); };
  const auto take = [&](const char* name, auto& to) {
    using T = std::decay_t<decltype(to)>;
    if (!config.has(key(name))) return;
    if constexpr (std::is_same_v<T, int>)
      to = static_cast<int>(config.integer(key(name)));
    else
      to = std::get<T>(config.at(key(name)));
  };
  take("method", filter.method), take("members", filter.members), take("inflation", filter.inflation);
  take("relaxation", filter.relaxation), take("rotation", filter.rotation), take("radius", filter.radius);
  take("local_states", filter.local_states), take("xn", filter.xn), take("tolerance", filter.tolerance),
      take("lag", filter.lag);
  take("iterations", filter.iterations), take("resampling_threshold", filter.resampling_threshold);
  take("jitter", filter.jitter), take("tangent", filter.tangent), take("background_scale", filter.background_scale);
  if (config.has(key("background"))) read_background(key("background"), config.text(key("background")), filter);
  if (config.has(key("gain"))) filter.gain = read_gain(key("gain"), config.text(key("gain")));
  return filter;
}

std::string filter_label(const Config& config, long index) {
  std::string label = config.text(io::list_key(index, "method"));
  const char* before = " ";
  for (const auto& [name, shortened] : kShort) {
    const std::string key = io::list_key(index, name);
    if (!config.has(key)) continue;
    const io::Value& value = config.at(key);
    const auto fallback = io::find_setting(key, config.job())->fallback_of(config.job());
    if (fallback && value == *fallback && std::string(name) != "members") continue;
    label += before;
    label += std::string(name) == "tangent" ? std::get<std::string>(value) + " tangent" : shortened + value_text(value);
    before = ", ";
  }
  return label;
}

}  // namespace vida::jobs
