#include "io/config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "vida/error.hpp"

namespace vida::io {
namespace {

std::string section_of(const std::string& key) {
  const auto dot = key.find('.');
  return dot == key.npos ? "" : key.substr(0, dot);
}

std::string name_of(const std::string& key) { return key.substr(key.rfind('.') + 1); }

[[noreturn]] void unknown(const std::string& key, const std::string& job) {
  if (find_setting(key)) throw InvalidArgument(fmt::format("{} is not a setting of job \"{}\".", key, job));
  std::vector<std::string> keys;
  for (const Setting* setting : settings_of(job))
    if (section_of(setting->key) == key)
      throw InvalidArgument(fmt::format("{} is a section; write its settings below [{}].", key, key));
  for (const Setting* setting : settings_of(job)) keys.push_back(setting->key);
  const std::string near = nearest(key, keys);
  if (!near.empty()) throw InvalidArgument(fmt::format("{} is not a setting; did you mean {}?", key, near));
  throw InvalidArgument(fmt::format("{} is not a setting; 'vida init {}' shows all of them.", key, job));
}

/// Settings whose change would give the runs of one batch different shapes or different code.
std::string why_not_an_axis(const Setting& setting) {
  return fmt::format("[batch] {}: this setting must be the same in every run of a batch. Run vida once for each value.",
                     setting.key);
}

/// "[model]" before the first setting of a section, nothing otherwise.
std::string heading(const std::string& section, std::string& current) {
  if (section == current) return "";
  current = section;
  return fmt::format("\n[{}]\n", section);
}

}  // namespace

Config::Config(const std::string& job) {
  for (const Setting* setting : settings_of(job))
    if (const auto value = setting->fallback_of(job)) values_[setting->key] = *value;
  values_["job"] = job;
}

const Value& Config::at(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) throw InvalidArgument(fmt::format("{} has no value; set it in the configuration.", key));
  return found->second;
}

void Config::give(const std::string& key, const Value& value) {
  const Setting* setting = find_setting(key);
  if (!setting || setting->jobs.find(job_letter(job())) == std::string::npos) unknown(key, job());
  values_[key] = checked(*setting, value);
  given_[key] = true;
}

void Config::add_axis(const std::string& key, const std::vector<Value>& values) {
  const Setting* setting = find_setting(key);
  if (!setting || setting->jobs.find(job_letter(job())) == std::string::npos) unknown(key, job());
  if (setting->scope == Scope::batch) throw InvalidArgument(why_not_an_axis(*setting));
  if (values.empty()) throw InvalidArgument(fmt::format("[batch] {} = []: give at least one value.", key));
  Axis axis{key, {}};
  for (const Value& value : values) axis.values.push_back(checked(*setting, value));
  for (const Value& value : axis.values)
    if (std::holds_alternative<std::string>(value))
      throw InvalidArgument(
          fmt::format("[batch] {}: {} cannot be one value of an axis; give numbers.", key, io::to_toml(value)));
  std::erase_if(axes_, [&](const Axis& other) { return other.key == key; });
  axes_.push_back(axis);
}

void Config::complete() {
  if (job() == "learn-gain" && !has("optimizer.step"))
    derive("optimizer.step", text("optimizer.name") == "adam" ? 0.02 : 1e-5);
}

std::string Config::to_toml() const {
  std::string text, section;
  for (const Setting* setting : settings_of(job())) {
    const auto found = values_.find(setting->key);
    if (found == values_.end()) continue;
    text += heading(section_of(setting->key), section);
    // A path is written from the root, so that the text means the same wherever it is kept.
    const Value value = setting->kind != Kind::path
                            ? found->second
                            : Value(std::filesystem::absolute(std::get<std::string>(found->second)).string());
    text += fmt::format("{} = {}\n", name_of(setting->key), io::to_toml(value));
  }
  if (axes_.empty() && trajectories == 1) return text;
  text += "\n[batch]\n";
  for (const Axis& axis : axes_) {
    std::string list;
    for (const Value& value : axis.values) list += (list.empty() ? "" : ", ") + io::to_toml(value);
    text += fmt::format("\"{}\" = [{}]\n", axis.key, list);
  }
  if (trajectories != 1) text += fmt::format("trajectories = {}\n", trajectories);
  return text;
}

std::string example_config(const std::string& job) {
  if (!job_letter(job)) {
    const std::string near = nearest(job, job_names());
    throw InvalidArgument(fmt::format("'{}' is not an example; {}", job,
                                      near.empty() ? fmt::format("choose one of {}.", fmt::join(job_names(), ", "))
                                                   : fmt::format("did you mean {}?", near)));
  }
  std::string text = fmt::format("# Run with: vida run {}.toml\n", job);
  std::string section;
  for (const Setting* setting : settings_of(job)) {
    text += heading(section_of(setting->key), section);
    const auto fallback = setting->fallback_of(job);
    const std::string value = setting->key == "job" ? io::to_toml(Value(job))
                              : fallback            ? io::to_toml(*fallback)
                                                    : setting->fallback.example;
    const std::string line = fmt::format("{}{} = {}", fallback ? "" : "# ", name_of(setting->key), value);
    const bool listed = setting->kind == Kind::text && setting->choices.size() > 1 && setting->key != "job";
    text += fmt::format("{:<30} # {}{}\n", line, setting->description, listed ? "; " + expectation(*setting) : "");
  }
  if (find_setting("gain.initial")->jobs.find(job_letter(job)) != std::string::npos)
    text += fmt::format(
        "\n# [batch]                      # each entry is an axis of the batch; the axes form the product in this "
        "order\n"
        "# \"seed\" = [0, 1, 2, 3]\n# \"gain.initial\" = [0.2, 0.4]\n{}",
        job == "learn-gain" ? "# trajectories = 8             # not an axis: so many trajectories share one gain\n"
                            : "");
  return text;
}

}  // namespace vida::io
