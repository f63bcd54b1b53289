#include "report/run_folder.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <limits>

#include "io/files.hpp"
#include "io/settings.hpp"
#include "vida/error.hpp"
#include "vida/version.hpp"

namespace vida::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json read_summary(const fs::path& folder) {
  const fs::path path = folder / "summary.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    throw FileError(fmt::format(
        "'{}' holds no summary.json: it is not a result of 'vida run', or the run has not finished.", folder.string()));
  const auto damaged = [&](const std::string& what) {
    return FileError(fmt::format("'{}' is damaged: {}. Run the job again with --force.", path.string(), what));
  };
  Json summary;
  try {
    summary = Json::parse(io::read_text(path));
  } catch (const Json::exception& error) {
    const std::string what = error.what();  // "[json.exception.parse_error.101] parse error at line 1, ..."
    throw damaged(what.substr(std::min(what.find("] ") + 2, what.size())));
  }
  if (!summary.is_object()) throw damaged("it holds no object");
  const auto& jobs = io::job_names();
  const std::string job = text_in(summary, "job");
  if (job.empty()) throw damaged("it names no job");
  if (std::find(jobs.begin(), jobs.end(), job) == jobs.end())
    throw FileError(fmt::format("'{}' is of job \"{}\", which vida {} does not know; it knows {}.", path.string(), job,
                                kVersion, fmt::join(jobs, ", ")));
  return summary;
}

std::string value_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return std::to_string(whole->get());
  if (const auto* real = node.as_floating_point()) return fmt::format("{}", real->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  const auto* list = node.as_array();
  if (!list) return "";
  std::vector<std::string> items;
  for (const toml::node& item : *list) items.push_back(value_text(item));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

struct Line {
  toml::source_index number;
  SettingText setting;
};

void collect(const toml::table& table, const std::string& prefix, std::vector<Line>& lines) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    const auto* list = node.as_array();
    if (const auto* inner = node.as_table())
      collect(*inner, key + ".", lines);
    else if (list && list->is_array_of_tables())
      for (std::size_t i = 0; i < list->size(); ++i)
        collect(*list->get_as<toml::table>(i), fmt::format("{}.{}.", key, i), lines);
    else
      lines.push_back({node.source().begin.line, {key, value_text(node)}});
  }
}

/// Every setting with its value, in the order of the lines, which toml++ does not keep.
std::vector<SettingText> settings_in(const std::string& configuration) {
  std::vector<Line> lines;
  collect(toml::parse(configuration), "", lines);
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.number < b.number; });
  std::vector<SettingText> settings;
  for (Line& line : lines) settings.push_back(std::move(line.setting));
  return settings;
}

void read_configuration(RunFolder& run) {
  const fs::path path = run.path / "config.toml";
  try {
    run.configuration = io::read_text(path);
    run.settings = settings_in(run.configuration);
  } catch (const FileError& error) {
    run.warnings.push_back(fmt::format("the configuration is left out: {}", error.what()));
  } catch (const toml::parse_error& error) {
    run.warnings.push_back(
        fmt::format("'{}' cannot be read, line {}: {}", path.string(), error.source().begin.line, error.description()));
    run.configuration.clear();
  }
}

std::string name_of(const fs::path& path) {
  std::error_code ignored;
  const fs::path folder = fs::weakly_canonical(path, ignored);
  return folder.has_filename() ? folder.filename().string() : path.string();
}

}  // namespace

RunFolder read_run(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    throw FileError(fmt::format("'{}' does not exist; name a folder that 'vida run' left.", path.string()));
  if (!fs::is_directory(path, ignored))
    throw FileError(fmt::format("'{}' is a file; name the folder of the results that it belongs to.", path.string()));
  RunFolder run{path, name_of(path), read_summary(path), {}, {}, {}};
  read_configuration(run);
  return run;
}

double number_in(const Json& object, const std::string& key) {
  const Json& value = member(object, key);
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string text_in(const Json& object, const std::string& key) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : "";
}

const Json& member(const Json& object, const std::string& key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

}  // namespace vida::report
