#pragma once

#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace vida::io {

/// What a setting can hold: a whole number, a number, a text, a list of numbers, true or false.
using Value = std::variant<long, double, std::string, std::vector<double>, bool>;

enum class Kind {
  integer,
  real,
  text,     ///< one of `choices`, or any when there are none
  path,     ///< a file; relative to the configuration that names it
  numbers,  ///< one number for all components, a list with one each, or one of `choices`
  indices,  ///< a list of components, from 0
  flag,     ///< true or false
};

/// May differ between the runs of a batch, or must be the same in all of them.
enum class Scope { run, batch };

/// What a setting is when the configuration does not say.
struct Fallback {
  Fallback() = default;
  template <class T>
  requires std::constructible_from<Value, T> Fallback(T value, std::map<char, Value> own_values = {})
      : common(std::in_place, std::move(value)), own(std::move(own_values)) {}
  /// The setting may be left out; `text` is how it could read, as TOML.
  static Fallback none(std::string text) {
    Fallback fallback;
    fallback.example = std::move(text);
    return fallback;
  }

  std::optional<Value> common;
  std::map<char, Value> own;  ///< of single jobs, where it differs
  std::string example;
  /// In a list of tables: of the entry that stands for a list that the configuration does not have.
  std::optional<Value> first;
  std::vector<Value> values;  ///< of an axis in the example configuration; none: it is shown as a comment

  Fallback with_first(Value value) && {
    first = std::move(value);
    return std::move(*this);
  }
};

/// One line of the table that drives validation, defaults, example configurations and messages.
struct Setting {
  std::string key;   ///< "section.name", or "name" at the top of the file; of a list of tables too, without a number
  std::string jobs;  ///< which jobs have it: letters as job_letter() gives them
  Kind kind = Kind::real;
  Scope scope = Scope::batch;
  Fallback fallback = {};
  std::string description;
  std::vector<std::string> choices = {};  ///< "every:" stands for every:1, every:2, ...
  double minimum = -std::numeric_limits<double>::infinity();
  bool above = false;  ///< the minimum itself is not allowed
  /// The models, or in a list of filters the methods, that have it; empty: every one.
  std::vector<std::string> of = {};
  bool infinite = false;  ///< infinity is allowed
  /// An axis of a sweep, which lists values of another setting: the key of that one, "filters.members" for all entries.
  std::string varies = {};

  /// None: the setting may be left out.
  std::optional<Value> fallback_of(const std::string& job) const;
};

const std::vector<Setting>& settings();
/// The line of the job where several have the key; nullptr when there is no such setting. The key of an entry of a list
/// ("filters.2.members") finds the line of all entries.
const Setting* find_setting(const std::string& key, const std::string& job = "");

/// Where a key of a list of tables leads: "filters.2.members" is {2, "members"}.
struct ListKey {
  long index;
  std::string name;
};
/// The one list of tables that a configuration may have.
inline constexpr const char* kList = "filters";
/// The section whose settings are axes.
inline constexpr const char* kSweep = "sweep";
/// None when the key is not of an entry of the list.
std::optional<ListKey> list_key(const std::string& key);
/// "filters.2.members" from 2 and "members".
std::string list_key(long index, const std::string& name);
/// "members" of "filters.2.members", "n" of "model.n".
std::string name_of(const std::string& key);
/// "model" of "model.n", empty at the top of the file.
std::string section_of(const std::string& key);
/// "learn-gain" -> 'l'; 0 when there is no such job.
char job_letter(const std::string& job);
const std::vector<std::string>& job_names();
/// The settings of one job, in the order of the table.
std::vector<const Setting*> settings_of(const std::string& job);
/// The key of `candidates` with the fewest edits to `word`, empty when none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);
/// "a whole number, at least 4": what the setting accepts.
std::string expectation(const Setting& setting);
/// The value as TOML writes it.
std::string to_toml(const Value& value);
/// Throws InvalidArgument when the value has the wrong type, range or choice; returns it in the setting's own type
/// (a whole number given for a real becomes one).
Value checked(const Setting& setting, const Value& value);

}  // namespace vida::io
