#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "io/config.hpp"
#include "io/files.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {
namespace fs = std::filesystem;

std::string type_name(const toml::node& node) {
  std::ostringstream name;
  name << node.type();
  return name.str();
}

std::string location(const fs::path& path, const toml::node& node) {
  return path.empty() ? "" : fmt::format("{}:{}: ", path.string(), node.source().begin.line);
}

bool is_number(const toml::node& node) { return node.is_number(); }

/// The node as a Value; a matrix becomes its rows one after the other. Throws InvalidArgument for a type that no
/// setting has (a date, a list of texts) or this one has not (true or false).
Value value_of(const std::string& key, const toml::node& node, const std::string& job = "") {
  const Setting* setting = find_setting(key, job);
  if (const auto* flag = node.as_boolean(); flag && setting && setting->kind == Kind::flag) return flag->get();
  if (const auto* whole = node.as_integer()) return static_cast<long>(whole->get());
  if (const auto* real = node.as_floating_point()) return real->get();
  if (const auto* text = node.as_string()) return text->get();
  const auto* list = node.as_array();
  if (!list)
    throw InvalidArgument(fmt::format("{} is of type {}: expected {}.", key, type_name(node),
                                      setting ? expectation(*setting) : "a number or a text"));
  std::vector<double> numbers;
  for (const toml::node& item : *list) {
    if (const auto* row = item.as_array(); row && std::all_of(row->begin(), row->end(), is_number)) {
      for (const toml::node& entry : *row) numbers.push_back(*entry.value<double>());
      continue;
    }
    if (!item.is_number())
      throw InvalidArgument(fmt::format("{} is a list with an entry of type {}: expected {}.", key, type_name(item),
                                        setting ? expectation(*setting) : "numbers"));
    numbers.push_back(*item.value<double>());
  }
  return numbers;
}

/// A setting as the user wrote it.
struct Entry {
  std::string key;
  const toml::node* node;
};

/// Flattens tables: {a = {b = 1}} becomes "a.b", entry 2 of the list of tables "filters.2.b". Sections of one level
/// only, but [batch] may hold dotted keys.
void flatten(const toml::table& table, const std::string& prefix, std::vector<Entry>& entries) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix.empty() ? std::string(name.str()) : fmt::format("{}.{}", prefix, name.str());
    if (const auto* inner = node.as_table())
      flatten(*inner, key, entries);
    else if (const auto* list = node.as_array(); key == kList && list && list->is_array_of_tables())
      for (std::size_t i = 0; i < list->size(); ++i)
        flatten(*list->get_as<toml::table>(i), fmt::format("{}.{}", kList, i), entries);
    else
      entries.push_back({key, &node});
  }
}

bool starts_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

/// toml++ keeps keys sorted by name; an axis belongs where its line stands.
void sort_by_line(std::vector<Entry>& entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const auto& x = a.node->source().begin;
    const auto& y = b.node->source().begin;
    return x.line != y.line ? x.line < y.line : x.column < y.column;
  });
}

void apply_batch(Config& config, const std::string& key, const toml::node& node) {
  if (key == "trajectories") {
    const auto count = node.value_exact<std::int64_t>();
    if (!count || *count < 1)
      throw InvalidArgument(fmt::format("[batch] trajectories: expected a whole number, at least 1."));
    if (config.job() != "learn-gain")
      throw InvalidArgument(fmt::format("[batch] trajectories is not a setting of job \"{}\".", config.job()));
    config.trajectories = static_cast<long>(*count);
    return;
  }
  const auto* list = node.as_array();
  if (!list) throw InvalidArgument(fmt::format("[batch] {}: expected a list with the values of this axis.", key));
  std::vector<Value> values;
  for (const toml::node& item : *list) values.push_back(value_of(key, item, config.job()));
  config.add_axis(key, values);
}

/// Resolves a path from the folder of the file that names it.
Value resolved(const std::string& key, const Value& value, const fs::path& base) {
  const Setting* setting = find_setting(key);
  const auto* text = std::get_if<std::string>(&value);
  if (!setting || setting->kind != Kind::path || !text || text->empty() || base.empty()) return value;
  return (base / *text).lexically_normal().string();
}

bool is_axis(const std::string& key, const std::string& job) {
  const Setting* setting = find_setting(key, job);
  return setting && !setting->varies.empty() && setting->jobs.find(job_letter(job)) != std::string::npos;
}

void apply_axis(Config& config, const std::string& key, const toml::node& node, const fs::path& base) {
  const auto* list = node.as_array();
  if (!list)
    throw InvalidArgument(fmt::format("{}: expected a list with the values of this axis, as in {} = {}.", key,
                                      name_of(key), find_setting(key, config.job())->fallback.example));
  std::vector<Value> values;
  for (const toml::node& item : *list) values.push_back(resolved(key, value_of(key, item, config.job()), base));
  config.sweep(key, values);
}

/// `path`: of the file, for messages; `base`: where relative paths start.
void apply(Config& config, const toml::table& table, const fs::path& path, const fs::path& base) {
  if (const auto* list = table.get_as<toml::array>(kList); list && list->is_array_of_tables() && config.filters()) {
    config.clear_filters();
    for (std::size_t i = 0; i < list->size(); ++i) config.add_filter();
  }
  std::vector<Entry> entries;
  flatten(table, "", entries);
  sort_by_line(entries);
  for (const auto& [key, node] : entries) {
    if (key == "job") continue;
    try {
      if (starts_with(key, "batch."))
        apply_batch(config, key.substr(6), *node);
      else if (is_axis(key, config.job()))
        apply_axis(config, key, *node, base);
      else
        config.give(key, resolved(key, value_of(key, *node, config.job()), base));
    } catch (const InvalidArgument& error) {
      throw InvalidArgument(location(path, *node) + error.what());
    }
  }
}

/// toml++ walks the parts of a dotted key by recursion, which a key of very many would end on the stack. Counted are
/// dots of a line between commas, without those in quotes and comments.
void refuse_endless_keys(const std::string& text, const std::string& file) {
  constexpr int most = 100;
  int line = 1, dots = 0;
  char quote = 0;
  bool comment = false;
  for (const char letter : text) {
    if (letter == '\n')
      ++line, dots = 0, quote = 0, comment = false;
    else if (comment)
      continue;
    else if (quote)
      quote = letter == quote ? 0 : quote;
    else if (letter == '"' || letter == '\'')
      quote = letter;
    else if (letter == '#')
      comment = true;
    else if (letter == ',')
      dots = 0;
    else if (letter == '.' && ++dots > most)
      throw InvalidArgument(
          fmt::format("{}:{}: a key has more than {} parts; a setting has two or three, as in "
                      "model.n.",
                      file, line, most));
  }
}

toml::table parse_file(const fs::path& path, const std::string& text) {
  refuse_endless_keys(text, path.string());
  try {
    return toml::parse(text, path.string());
  } catch (const toml::parse_error& error) {
    throw InvalidArgument(fmt::format("{}:{}:{}: {}", path.string(), error.source().begin.line,
                                      error.source().begin.column, std::string(error.description())));
  }
}

/// "section.key=value" as a table of its own.
toml::table parse_override(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == text.npos || equals == 0)
    throw InvalidArgument(fmt::format("--set {}: expected section.key=value.", text));
  refuse_endless_keys(text, "--set");
  std::string key = text.substr(0, equals), value = text.substr(equals + 1);
  key.erase(0, key.find_first_not_of(" \t"));
  key.erase(key.find_last_not_of(" \t") + 1);
  const auto start = value.find_first_not_of(" \t");
  value = start == value.npos ? "" : value.substr(start);
  try {
    return toml::parse(key + " = " + value);
  } catch (const toml::parse_error& error) {
    const bool bare = value.find_first_of("\"'[]{}\n") == value.npos && !value.empty();
    if (!bare) throw InvalidArgument(fmt::format("--set {}: {}", text, std::string(error.description())));
  }
  try {
    return toml::parse(key + " = '" + value + "'");
  } catch (const toml::parse_error& error) {
    throw InvalidArgument(fmt::format("--set {}: {}", text, std::string(error.description())));
  }
}

std::string job_of(const toml::table& table) {
  const toml::node* node = table.get("job");
  if (!node) return "";
  return std::get<std::string>(checked(*find_setting("job"), value_of("job", *node)));
}

/// The later table wins; a [batch] axis of --set replaces the one of the file.
void merge(toml::table& target, const toml::table& source) {
  for (const auto& [key, node] : source) {
    auto* inner = target.get_as<toml::table>(key.str());
    if (inner && node.is_table())
      merge(*inner, *node.as_table());
    else
      target.insert_or_assign(key.str(), node);
  }
}

}  // namespace

ConfigSource config_source(const fs::path& path, const std::vector<std::string>& overrides) {
  return {path, read_text(path), overrides, {}};
}

Config load_config(const fs::path& path, const std::vector<std::string>& overrides) {
  return load_config(config_source(path, overrides));
}

Config load_config(const ConfigSource& source) {
  const auto& [path, text, overrides, folder] = source;
  toml::table file = parse_file(path, text);
  toml::table changes;
  for (const auto& change : overrides) merge(changes, parse_override(change));

  std::string job = job_of(changes);
  if (job.empty()) {
    try {
      job = job_of(file);
    } catch (const InvalidArgument& error) {
      throw InvalidArgument(location(path, *file.get("job")) + error.what());
    }
  }
  if (job.empty())
    throw InvalidArgument(
        fmt::format("{}: job is missing; set job to one of {}.", path.string(), fmt::join(job_names(), ", ")));
  Config config(job);
  config.clear_axes();  // those of the example
  if (auto* axes = file.get_as<toml::table>("batch"))
    if (auto* replaced = changes.get_as<toml::table>("batch")) {
      std::vector<Entry> gone;
      flatten(*replaced, "", gone);
      for (const auto& entry : gone) {
        axes->erase(entry.key);
        const auto dot = entry.key.find('.');
        if (auto* inner = dot == std::string::npos ? nullptr : axes->get_as<toml::table>(entry.key.substr(0, dot)))
          inner->erase(entry.key.substr(dot + 1));
      }
    }
  apply(config, file, path, path.parent_path());
  for (const auto& change : overrides) {
    try {
      apply(config, parse_override(change), {}, folder);
    } catch (const InvalidArgument& error) {
      const std::string what = error.what();
      throw InvalidArgument(starts_with(what, "--set") ? what : "--set: " + what);
    }
  }
  config.complete();
  return config;
}

}  // namespace vida::io
