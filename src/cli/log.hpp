#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace vida::cli {

/// What the program says on stderr beside its results: lines for people, or JSON objects, one a line, for programs.
class Log {
 public:
  enum class Level { error, warning, info, debug };
  enum class Format { text, json };

  Level level = Level::info;  ///< what is less urgent is left out
  Format format = Format::text;

  bool speaks(Level of) const { return of <= level; }
  void error(const std::string& text) const { say(Level::error, text); }
  void warning(const std::string& text) const { say(Level::warning, text); }
  void info(const std::string& text) const { say(Level::info, text); }
  void debug(const std::string& text) const { say(Level::debug, text); }

  /// One JSON line {"time", "level", "event", ...fields}; nothing in a log for people.
  void event(Level of, const std::string& name, const nlohmann::ordered_json& fields) const;

 private:
  void say(Level of, const std::string& text) const;
};

/// The log of the process.
Log& log();

}  // namespace vida::cli
