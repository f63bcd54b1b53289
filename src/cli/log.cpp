#include "cli/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace vida::cli {
namespace {

const char* name_of(Log::Level level) {
  switch (level) {
    case Log::Level::error:
      return "error";
    case Log::Level::warning:
      return "warning";
    case Log::Level::info:
      return "info";
    case Log::Level::debug:
      return "debug";
  }
  return "";
}

/// "2026-01-31T12:34:56.789Z"
std::string now() {
  const auto time = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format("{:%FT%H:%M}:{:%S}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(time)),
                     time.time_since_epoch() % std::chrono::minutes(1));
}

}  // namespace

void Log::event(Level of, const std::string& name, const nlohmann::ordered_json& fields) const {
  if (format != Format::json || !speaks(of)) return;
  nlohmann::ordered_json line = {{"time", now()}, {"level", name_of(of)}, {"event", name}};
  line.update(fields);
  // texts that are not UTF-8, a file's name for example, must not end the program
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  fmt::print(stderr, "{}\n", line.dump(-1, ' ', false, replace));
}

void Log::say(Level of, const std::string& text) const {
  if (format == Format::json) return event(of, "message", {{"message", text}});
  if (speaks(of)) fmt::print(stderr, "vida: {}\n", text);
}

Log& log() {
  static Log instance;
  return instance;
}

}  // namespace vida::cli
