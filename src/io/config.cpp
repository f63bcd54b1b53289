#include "io/config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "io/models.hpp"
#include "vida/assimilation.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

bool in_list(const Setting& setting) { return section_of(setting.key) == kList; }

bool has_list(const std::string& job) {
  return find_setting(std::string(kList) + ".method")->jobs.find(job_letter(job)) != std::string::npos;
}

[[noreturn]] void unknown(const std::string& key, const std::string& job) {
  const auto entry = list_key(key);
  if (find_setting(key)) throw InvalidArgument(fmt::format("{} is not a setting of job \"{}\".", key, job));
  std::vector<std::string> keys;
  if (key == kList && has_list(job))
    throw InvalidArgument(fmt::format("{0} is a list of tables; write [[{0}]] above the settings of each.", key));
  for (const Setting* setting : settings_of(job))
    if (section_of(setting->key) == key)
      throw InvalidArgument(fmt::format("{} is a section; write its settings below [{}].", key, key));
  for (const Setting* setting : settings_of(job))
    if (!in_list(*setting))
      keys.push_back(setting->key);
    else if (entry)
      keys.push_back(list_key(entry->index, name_of(setting->key)));
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
  return section == kList ? fmt::format("\n[[{}]]\n", section) : fmt::format("\n[{}]\n", section);
}

/// The setting of this key that the job has, under the key's own name; throws when there is none.
Setting required(const std::string& key, const std::string& job) {
  const Setting* found = find_setting(key, job);
  if (!found || found->jobs.find(job_letter(job)) == std::string::npos) unknown(key, job);
  if (in_list(*found) && !list_key(key))
    throw InvalidArgument(
        fmt::format("{}: {} is a list; write [[{}]] above the settings of each, or name one as in {}.", key, kList,
                    kList, list_key(0, name_of(key))));
  Setting setting = *found;
  setting.key = key;
  return setting;
}

/// A path is written from the root, so that the text means the same wherever it is kept.
std::string text_of(const Setting& setting, const Value& value) {
  const auto* path = setting.kind == Kind::path ? &std::get<std::string>(value) : nullptr;
  return io::to_toml(path ? Value(std::filesystem::absolute(*path).string()) : value);
}

std::string line_of(const Setting& setting, const Value& value) {
  return fmt::format("{} = {}\n", name_of(setting.key), text_of(setting, value));
}

/// "[20, 40]"
std::string list_of(const Setting& setting, const std::vector<Value>& values) {
  std::vector<std::string> texts;
  for (const Value& value : values) texts.push_back(text_of(setting, value));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

bool in_sweep(const Axis& axis) { return section_of(axis.key) == kSweep; }

bool has_one_of(const Setting& setting, const std::vector<Value>& choosers) {
  return setting.of.empty() || std::any_of(choosers.begin(), choosers.end(), [&](const Value& chooser) {
           return std::find(setting.of.begin(), setting.of.end(), std::get<std::string>(chooser)) != setting.of.end();
         });
}

}  // namespace

Config::Config(const std::string& job) {
  values_["job"] = job;
  for (const Setting* setting : settings_of(job))
    if (const auto value = setting->fallback_of(job); value && !in_list(*setting)) values_[setting->key] = *value;
  values_["job"] = job;
  for (const Setting* setting : settings_of(job))
    if (!setting->fallback.values.empty()) axes_.push_back({setting->key, setting->fallback.values});
  if (!has_list(job)) return;
  add_filter();
  for (const Setting* setting : settings_of(job))
    if (const auto& value = setting->fallback.first) values_[list_key(0, name_of(setting->key))] = *value;
}

void Config::add_filter() {
  for (const Setting* setting : settings_of(job()))
    if (const auto value = setting->fallback_of(job()); value && in_list(*setting))
      values_[list_key(filters_, name_of(setting->key))] = *value;
  ++filters_;
}

void Config::clear_filters() {
  const auto is_entry = [](const auto& item) { return list_key(item.first).has_value(); };
  std::erase_if(values_, is_entry);
  std::erase_if(given_, is_entry);
  filters_ = 0;
}

const Value& Config::at(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) throw InvalidArgument(fmt::format("{} has no value; set it in the configuration.", key));
  return found->second;
}

void Config::give(const std::string& key, const Value& value) {
  const Value fine = checked(required(key, job()), value);
  if (const auto entry = list_key(key)) {
    if (entry->index > filters_)
      throw InvalidArgument(fmt::format("{}: there are {} entries in {}, counted from 0.", key, filters_, kList));
    if (entry->index == filters_) add_filter();
  }
  values_[key] = fine;
  given_[key] = true;
}

void Config::add_axis(const std::string& key, const std::vector<Value>& values) {
  const Setting setting = required(key, job());
  if (setting.scope == Scope::batch) throw InvalidArgument(why_not_an_axis(setting));
  if (values.empty()) throw InvalidArgument(fmt::format("[batch] {} = []: give at least one value.", key));
  Axis axis{key, {}};
  for (const Value& value : values) axis.values.push_back(checked(setting, value));
  for (const Value& value : axis.values)
    if (std::holds_alternative<std::string>(value))
      throw InvalidArgument(
          fmt::format("[batch] {}: {} cannot be one value of an axis; give numbers.", key, io::to_toml(value)));
  std::erase_if(axes_, [&](const Axis& other) { return other.key == key; });
  axes_.push_back(axis);
}

void Config::sweep(const std::string& key, const std::vector<Value>& values) {
  const Setting setting = required(key, job());
  if (values.empty()) throw InvalidArgument(fmt::format("{} = []: give at least one value.", key));
  Axis axis{key, {}};
  for (const Value& value : values) {
    const Value fine = checked(setting, value);
    if (std::find(axis.values.begin(), axis.values.end(), fine) != axis.values.end())
      throw InvalidArgument(fmt::format("{} holds {} twice; give each value once.", key, io::to_toml(fine)));
    axis.values.push_back(fine);
  }
  const auto same = std::find_if(axes_.begin(), axes_.end(), [&](const Axis& other) { return other.key == key; });
  if (same != axes_.end())
    *same = axis;
  else
    axes_.push_back(axis);
}

std::vector<Value> Config::values_of(const std::string& key) const {
  for (const Axis& axis : axes_)
    if (find_setting(axis.key, job())->varies == key) return axis.values;
  if (section_of(key) != kList) return {at(key)};
  std::vector<Value> values;
  for (long index = 0; index < filters_; ++index) values.push_back(at(list_key(index, name_of(key))));
  return values;
}

void Config::refuse_axes_without_use() const {
  for (const Axis& axis : axes_) {
    if (!in_sweep(axis)) continue;
    const Setting& varied = *find_setting(find_setting(axis.key, job())->varies, job());
    const std::string chooser = in_list(varied) ? std::string(kList) + ".method" : "model.name";
    const auto choosers = values_of(chooser);
    if (has_one_of(varied, choosers)) continue;
    std::vector<std::string> names;
    for (const Value& one : choosers) names.push_back(std::get<std::string>(one));
    throw InvalidArgument(fmt::format("{}: {} {} no such setting; it is one of {}.", axis.key, fmt::join(names, ", "),
                                      names.size() > 1 ? "have" : "has", fmt::join(varied.of, ", ")));
  }
}

void Config::complete() {
  if (job() == "learn-gain" && !has("optimizer.step"))
    derive("optimizer.step", text("optimizer.name") == "adam" ? 0.02 : 1e-5);
  leave_out_what_does_not_apply();
  refuse_axes_without_use();
  if (!has_list(job())) return;
  const Dynamics model = known_model(text("model.name"));
  if (!has("model.dt")) derive("model.dt", step_length(model));
  if (!has("model.n") && dimension(model) > 0) derive("model.n", static_cast<long>(dimension(model)));
}

void Config::leave_out_what_does_not_apply() {
  const auto values = values_;
  for (const auto& [key, value] : values) {
    const Setting& setting = *find_setting(key, job());
    const auto entry = list_key(key);
    if (setting.of.empty()) continue;
    const bool swept = entry && std::any_of(axes_.begin(), axes_.end(), [](const Axis& axis) {
                         return axis.key == std::string(kSweep) + ".method";
                       });
    const std::string chooser = entry                          ? list_key(entry->index, "method")
                                : section_of(key) == "problem" ? "problem.target"
                                                               : "model.name";
    if (has_one_of(setting, swept ? values_of(std::string(kList) + ".method") : std::vector<Value>{at(chooser)}))
      continue;
    if (given(key))
      throw InvalidArgument(fmt::format(
          "{} = {}: {} such setting; it is one of {}.", key, io::to_toml(value),
          swept ? "no method of sweep.method has any" : fmt::format("{} = \"{}\" has no", chooser, text(chooser)),
          fmt::join(setting.of, ", ")));
    forget(key);
  }
}

std::map<std::string, std::string> Config::texts() const {
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : values_) texts[key] = text_of(*find_setting(key, job()), value);
  for (const Axis& axis : axes_)
    texts[(in_sweep(axis) ? "" : "batch.") + axis.key] = list_of(*find_setting(axis.key, job()), axis.values);
  if (trajectories != 1) texts["batch.trajectories"] = std::to_string(trajectories);
  return texts;
}

std::string Config::to_toml() const {
  std::string text, section;
  for (const Setting* setting : settings_of(job())) {
    const auto found = values_.find(setting->key);
    if (found == values_.end()) continue;
    text += heading(section_of(setting->key), section);
    text += line_of(*setting, found->second);
  }
  for (const Axis& axis : axes_)
    if (in_sweep(axis))
      text += heading(kSweep, section) +
              fmt::format("{} = {}\n", name_of(axis.key), list_of(*find_setting(axis.key, job()), axis.values));
  for (long index = 0; index < filters_; ++index) {
    text += fmt::format("\n[[{}]]\n", kList);
    for (const Setting* setting : settings_of(job()))
      if (const auto found = values_.find(list_key(index, name_of(setting->key)));
          in_list(*setting) && found != values_.end())
        text += line_of(*setting, found->second);
  }
  if (std::all_of(axes_.begin(), axes_.end(), in_sweep) && trajectories == 1) return text;
  text += "\n[batch]\n";
  for (const Axis& axis : axes_)
    if (!in_sweep(axis))
      text += fmt::format("\"{}\" = {}\n", axis.key, list_of(*find_setting(axis.key, job()), axis.values));
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
  Config defaults(job);
  defaults.complete();
  std::string text = fmt::format("# Run with: vida run {}.toml\n", job);
  std::string section;
  for (const Setting* setting : settings_of(job)) {
    text += heading(section_of(setting->key), section);
    const auto fallback = setting->fallback_of(job);
    const std::string key = in_list(*setting) ? list_key(0, name_of(setting->key)) : setting->key;
    const auto& axis = setting->fallback.values;
    const bool active = !axis.empty() || (fallback && defaults.has(key));  // else it is shown as a comment
    const std::string value = !axis.empty() ? list_of(*setting, axis)
                              : active      ? io::to_toml(defaults.at(key))
                              : fallback    ? io::to_toml(*fallback)
                                            : setting->fallback.example;
    const std::string line = fmt::format("{}{} = {}", active ? "" : "# ", name_of(setting->key), value);
    const bool listed =
        setting->kind == Kind::text && setting->choices.size() > 1 && setting->key != "job" && setting->varies.empty();
    text += fmt::format("{:<30} # {}{}\n", line, setting->description, listed ? "; " + expectation(*setting) : "");
  }
  if (find_setting("gain.initial")->jobs.find(job_letter(job)) != std::string::npos)
    text += fmt::format(
        "\n# [batch]                      # each entry is an axis of the batch; the axes form the product in this "
        "order\n"
        "# \"seed\" = [0, 1, 2, 3]\n# \"gain.initial\" = [0.2, 0.4]\n{}",
        job == "learn-gain" ? "# trajectories = 8             # not an axis: so many trajectories share one gain\n"
                            : "");
  if (has_list(job))
    text += fmt::format("\n# [[{}]]                  # and so on: another filter of the same data\n# method = \"{}\"\n",
                        kList, filter_methods().back().name);
  return text;
}

}  // namespace vida::io
