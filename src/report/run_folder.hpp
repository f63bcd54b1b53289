#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace vida::report {

/// A setting and its value, both as texts: "observations.noise", "1".
using SettingText = std::pair<std::string, std::string>;

/// What a run left behind, as files say it.
struct RunFolder {
  std::filesystem::path path;
  std::string name;                   ///< of the run, for people: the name of its folder
  nlohmann::ordered_json summary;     ///< an object with a job that this version knows
  std::string configuration;          ///< config.toml; empty when there is none
  std::vector<SettingText> settings;  ///< what it says, in the order of its lines
  std::vector<std::string> warnings;  ///< about the folder, not about the run: what is missing in it
};

/// Reads summary.json and config.toml. A configuration that is missing or cannot be read is a warning. Throws FileError
/// when `path` is no folder, or its summary.json is missing, damaged or of a job that this version does not know.
RunFolder read_run(const std::filesystem::path& path);

/// A number of an object; NaN when it is not there or not a number.
double number_in(const nlohmann::ordered_json& object, const std::string& key);
/// A text of an object; empty when it is not there or not a text.
std::string text_in(const nlohmann::ordered_json& object, const std::string& key);
/// A member of an object; null when it is not there.
const nlohmann::ordered_json& member(const nlohmann::ordered_json& object, const std::string& key);

}  // namespace vida::report
