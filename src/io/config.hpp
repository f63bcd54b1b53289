#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/settings.hpp"

namespace vida::io {

/// One axis of a batch or a sweep: a setting and the values it takes.
struct Axis {
  std::string key;
  std::vector<Value> values;
};

/// Every setting of one job with its value.
class Config {
 public:
  explicit Config(const std::string& job);

  const std::string& job() const { return text("job"); }
  bool has(const std::string& key) const { return values_.count(key) != 0; }
  /// True when the user wrote it; false for a default.
  bool given(const std::string& key) const { return given_.count(key) != 0; }
  const Value& at(const std::string& key) const;
  long integer(const std::string& key) const { return std::get<long>(at(key)); }
  double real(const std::string& key) const { return std::get<double>(at(key)); }
  const std::string& text(const std::string& key) const { return std::get<std::string>(at(key)); }
  bool flag(const std::string& key) const { return std::get<bool>(at(key)); }
  /// Checks and stores a value that the user wrote. Throws InvalidArgument: see checked() in settings.hpp, and for a
  /// key that is no setting of this job.
  void give(const std::string& key, const Value& value);
  /// Stores a value that follows from others (from a data file).
  void derive(const std::string& key, const Value& value) { values_[key] = value; }

  void forget(const std::string& key) { values_.erase(key); }
  /// Fills in the defaults that depend on other settings, and leaves out what the chosen model or method does not have.
  /// Throws InvalidArgument when the user gave such a setting.
  void complete();

  /// Entries of the list of filters; their settings are "filters.0.members" and so on.
  long filters() const { return filters_; }
  /// Another entry with its defaults. Giving a setting of the entry after the last adds it, too.
  void add_filter();
  /// Takes all entries away.
  void clear_filters();

  const std::vector<Axis>& axes() const { return axes_; }
  void add_axis(const std::string& key, const std::vector<Value>& values);
  /// Makes a setting of [sweep] an axis, or changes the values of one that is.
  void sweep(const std::string& key, const std::vector<Value>& values);
  /// Takes all axes away.
  void clear_axes() { axes_.clear(); }
  /// The values that the axes give a setting ("filters.method", "model.name"), else its own; of a list, those of every
  /// entry.
  std::vector<Value> values_of(const std::string& key) const;

  long trajectories = 1;  ///< how many simulated trajectories share one gain

  /// Every setting and every axis as TOML writes it, by key; paths from the root.
  std::map<std::string, std::string> texts() const;

  /// The whole configuration, readable by load_config().
  std::string to_toml() const;

 private:
  void leave_out_what_does_not_apply();
  void refuse_axes_without_use() const;

  std::map<std::string, Value> values_;
  std::map<std::string, bool> given_;
  std::vector<Axis> axes_;
  long filters_ = 0;
};

/// Where a configuration comes from: what must be kept to read it again.
struct ConfigSource {
  std::filesystem::path path;          ///< of the file; messages name it, and relative paths in it start at its folder
  std::string text;                    ///< of the file
  std::vector<std::string> overrides;  ///< --set
  std::filesystem::path folder;        ///< where relative paths of --set start
};

/// Reads the file and notes where it is. Throws FileError.
ConfigSource config_source(const std::filesystem::path& path, const std::vector<std::string>& overrides);
Config load_config(const ConfigSource& source);

/// Reads a configuration and applies `--set section.key=value` (the value in TOML; bare words are texts).
/// Paths in the file start at its own folder, those of --set at the current one.
/// Throws InvalidArgument or FileError with the file and the line where there is one.
Config load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});

/// A commented configuration of the job with every default, made from the table of settings.
std::string example_config(const std::string& job);

}  // namespace vida::io
