#include "io/settings_reference.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "io/settings.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kIntroduction = R"(# Configuration

To look up a setting: this page lists all of them, with what they accept, their defaults and the jobs that have them.
`vida schema` prints it, `vida schema JOB` the part of one job, `vida schema --json` the same for programs. A configuration
to start from, with every default, comes from `vida init JOB`; `vida check` tells what one would do.

```sh
vida schema learn-gain
vida init learn-gain > gain.toml
vida check gain.toml --set optimizer.iterations=20
```

## How a configuration is read
* A configuration is a TOML file. `job` says what to do; everything else has a default or may be left out.
* A setting that the job does not have is an error, and so is a value that is not accepted: nothing is ignored.
* Paths start at the folder of the configuration, those of `--set` at the current one.
* A number that is dimensionless has no unit below. Time is in model time units, cycles or steps, as the meaning says;
  noise and uncertainty are variances, in the square of the state's unit.
* `[batch]`, in learn-gain and evaluate-gain: each entry, as in `"gain.initial" = [0.2, 0.4]`, is an axis of a batch; the
  runs are the product of the axes. `trajectories = 8` (learn-gain) lets so many trajectories share one gain.
* `[sweep]`, in sweep: each entry lists the values of a setting of the filters or the data; the points are their product.
* `[[filters]]`, in assimilate and sweep: a table for each filter; `filters.1.members` in `--set` is a setting of the second.

## On the command line
| option | default | meaning |
|---|---|---|
| `--set SECTION.KEY=VALUE` | | replaces one setting; the value as in TOML, a bare word is a text; may be given several times |
| `--device NAME`, else `VIDA_DEVICE` | `auto` | `cpu`, `cuda`, `cuda:K`; `auto`: the first usable GPU, else the CPU |
| `--threads N`, else `VIDA_THREADS` | 0 | threads of the CPU; 0: every core that this process may use |
)";

void require_job(const std::string& job) {
  if (job.empty() || job_letter(job)) return;
  const std::string near = nearest(job, job_names());
  throw InvalidArgument(fmt::format(
      "'{}' is not a job; {}", job,
      near.empty() ? fmt::format("choose one of {}.", fmt::join(job_names(), ", ")) : "did you mean " + near + "?"));
}

std::vector<const Setting*> chosen(const std::string& job) {
  require_job(job);
  if (!job.empty()) return settings_of(job);
  std::vector<const Setting*> all;
  for (const Setting& setting : settings()) all.push_back(&setting);
  return all;
}

std::vector<std::string> jobs_of(const Setting& setting, const std::string& job) {
  std::vector<std::string> names;
  for (const auto& name : job_names())
    if ((job.empty() || name == job) && setting.jobs.find(job_letter(name)) != std::string::npos) names.push_back(name);
  return names;
}

bool in_list(const Setting& setting) { return section_of(setting.key) == kList; }

/// Whether [batch] may make an axis of it: numbers that may differ between the runs of a gain job.
bool can_be_an_axis(const Setting& setting) {
  const bool number = setting.kind == Kind::integer || setting.kind == Kind::real || setting.kind == Kind::numbers;
  return number && setting.scope == Scope::run && setting.jobs.find_first_of("le") != std::string::npos;
}

std::string accepted(const Setting& setting) {
  const std::string one = expectation(setting) + (setting.infinite ? ", or inf" : "");
  return setting.varies.empty() ? one : "list, each " + one;
}

/// "4000; 8000 in amortized"
std::string default_text(const Setting& setting, const std::vector<std::string>& jobs) {
  std::vector<std::pair<std::string, std::vector<std::string>>> texts;  // value, jobs
  for (const auto& job : jobs) {
    const auto value = setting.fallback_of(job);
    const std::string text = value ? fmt::format("`{}`", to_toml(*value)) : "";
    const auto same = std::find_if(texts.begin(), texts.end(), [&](const auto& one) { return one.first == text; });
    if (same == texts.end())
      texts.push_back({text, {job}});
    else
      same->second.push_back(job);
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < texts.size(); ++i)
    parts.push_back(i ? fmt::format("{} in {}", texts[i].first, fmt::join(texts[i].second, ", ")) : texts[i].first);
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string meaning(const Setting& setting) {
  std::string text = setting.description;
  if (!setting.varies.empty()) text = fmt::format("values of `{}`: {}", setting.varies, text);
  const bool told = setting.of.size() == 1 && text.find(setting.of.front()) != std::string::npos;
  if (!setting.of.empty() && !told) text += fmt::format("; only {}", fmt::join(setting.of, ", "));
  if (can_be_an_axis(setting)) text += "; can be an axis of `[batch]`";
  return text;
}

std::string heading(const std::string& section) {
  if (section.empty()) return "## At the top of the file";
  return section == kList ? "## [[filters]]" : fmt::format("## [{}]", section);
}

/// The sections in the order of the table, each with its settings together: an insertion may have split one.
std::vector<std::string> sections_of(const std::vector<const Setting*>& list) {
  std::vector<std::string> sections;
  for (const Setting* setting : list)
    if (const auto section = section_of(setting->key);
        std::find(sections.begin(), sections.end(), section) == sections.end())
      sections.push_back(section);
  return sections;
}

/// "Without any table there is one: members = 24, ..": the entry that stands for a list that is not there.
std::string first_entry(const std::vector<const Setting*>& list) {
  std::vector<std::string> texts;
  for (const Setting* setting : list)
    if (const auto& value = setting->fallback.first)
      texts.push_back(fmt::format("`{} = {}`", name_of(setting->key), to_toml(*value)));
  return fmt::format("A configuration without such a table has one filter, with {}.\n\n", fmt::join(texts, ", "));
}

Json json_of(const Value& value) {
  return std::visit(
      [](const auto& one) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, double>)
          if (!std::isfinite(one)) return to_toml(one);
        return one;
      },
      value);
}

const char* type_name(const Setting& setting) {
  switch (setting.kind) {
    case Kind::integer:
      return "integer";
    case Kind::real:
      return "real";
    case Kind::text:
      return "text";
    case Kind::path:
      return "path";
    case Kind::numbers:
      return "numbers";
    case Kind::indices:
      return "indices";
    case Kind::flag:
      return "flag";
  }
  return "";
}

Json json_of(const Setting& setting, const std::string& job) {
  Json json;
  json["key"] = setting.key;
  json["jobs"] = jobs_of(setting, job);
  json["type"] = type_name(setting);
  json["accepts"] = accepted(setting);
  json["default"] = Json::object();
  for (const auto& name : jobs_of(setting, job))
    if (const auto value = setting.fallback_of(name)) json["default"][name] = json_of(*value);
  if (std::isfinite(setting.minimum)) json[setting.above ? "above" : "minimum"] = setting.minimum;
  if (!setting.choices.empty()) json["choices"] = setting.choices;
  if (!setting.of.empty()) json["of"] = setting.of;
  if (!setting.varies.empty()) json["varies"] = setting.varies;
  json["batch"] = can_be_an_axis(setting);
  json["meaning"] = setting.description;
  return json;
}

}  // namespace

std::string settings_page(const std::string& job) {
  const auto list = chosen(job);
  std::string text = job.empty() ? kIntroduction : fmt::format("# Settings of {}\n", job);
  for (const auto& section : sections_of(list)) {
    text += fmt::format("\n{}\n", heading(section));
    if (section == kList) text += first_entry(list);
    const char* jobs_column = job.empty() ? " jobs |" : "";
    text += fmt::format("| setting | accepts | default |{} meaning |\n|---|---|---|{}---|\n", jobs_column,
                        job.empty() ? "---|" : "");
    for (const Setting* setting : list) {
      if (section_of(setting->key) != section) continue;
      const auto jobs = jobs_of(*setting, job);
      const std::string named = jobs.size() == job_names().size() ? "all" : fmt::format("{}", fmt::join(jobs, ", "));
      text +=
          fmt::format("| `{}` | {} | {} |{} {} |\n", name_of(setting->key), accepted(*setting),
                      default_text(*setting, jobs), job.empty() ? fmt::format(" {} |", named) : "", meaning(*setting));
    }
  }
  return text;
}

std::string settings_json(const std::string& job) {
  Json json;
  json["settings"] = Json::array();
  for (const Setting* setting : chosen(job)) json["settings"].push_back(json_of(*setting, job));
  return json.dump(2) + "\n";
}

std::string settings_words(const std::string& job) {
  std::string text, last;
  for (const Setting* setting : chosen(job)) {
    const std::string key = in_list(*setting) ? list_key(0, name_of(setting->key)) : setting->key;
    const auto words = setting->kind == Kind::flag ? std::vector<std::string>{"true", "false"} : setting->choices;
    const std::string line = fmt::format("{}{}{}\n", key, words.empty() ? "" : " ", fmt::join(words, " "));
    if (line != last) text += line;
    last = line;
  }
  return text;
}

}  // namespace vida::io
