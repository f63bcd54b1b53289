#include "report/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/html.hpp"
#include "report/job_results.hpp"
#include "report/run_section.hpp"
#include "report/table.hpp"

namespace vida::report {
namespace {

using Json = nlohmann::ordered_json;
using Group = std::vector<const RunFolder*>;  // runs of one job

std::string overview(const std::vector<RunFolder>& runs, const std::vector<std::string>& ids) {
  Table table({{"run"}, {"job"}, {"ended"}, {"device"}, {"CPU threads"}, {"precision"}, {"seed"}, {"time", "s"}});
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Json& summary = runs[i].summary;
    Cell link = text_cell(runs[i].name);
    link.markup = fmt::format("<a href=\"#{}\">{}</a>", ids[i], link.markup);
    table.row({link, text_cell(text_in(summary, "job")), marked_if(!ended_well(summary), text_cell(status_of(summary))),
               text_cell(text_in(summary, "device")), number_cell(number_in(summary, "threads")),
               text_cell(text_in(summary, "precision")), text_cell(member(summary, "seed").dump()),
               number_cell(seconds_of(summary))});
  }
  return table.markup("The runs");
}

/// The value of a setting; nothing where the run does not have it.
const std::string* find(const RunFolder& run, const std::string& key) {
  const auto found = std::find_if(run.settings.begin(), run.settings.end(),
                                  [&](const SettingText& setting) { return setting.first == key; });
  return found == run.settings.end() ? nullptr : &found->second;
}

/// Every setting that any of the runs has, in the order in which they come.
std::vector<std::string> keys_of(const Group& group) {
  std::vector<std::string> keys;
  for (const RunFolder* run : group)
    for (const auto& [key, value] : run->settings)
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  return keys;
}

Table differing_settings(const Group& group) {
  std::vector<Column> columns = {{"setting"}};
  for (const RunFolder* run : group) columns.push_back({run->name});
  Table table(columns);
  const auto row = [&](const std::string& name, const auto& value_of) {
    std::vector<Cell> cells = {text_cell(name)};
    bool differ = false;
    for (const RunFolder* run : group) {
      cells.push_back(value_of(*run));
      differ |= cells.back().markup != cells[1].markup;
    }
    if (differ) table.row(std::move(cells));
  };
  for (const char* fact : {"version", "device_description", "threads"})
    row(fact, [&](const RunFolder& run) {
      return Cell{json_cell(member(run.summary, fact)).markup};  // a number among words is one of them
    });
  for (const std::string& key : keys_of(group))
    row(key, [&](const RunFolder& run) {
      const std::string* value = find(run, key);
      return value ? text_cell(*value) : Cell{};
    });
  return table;
}

std::string side_by_side(const Group& group, const std::string& job) {
  std::string text;
  const Table settings = differing_settings(group);
  if (settings.empty())
    text += html::element("p", html::escaped("All settings of the runs of " + job + " are the same."));
  else
    text += settings.markup("Settings that differ, " + job);
  ResultTable all = score_table(group.front()->summary);
  all.table.lead({"run"}, text_cell(group.front()->name));
  for (std::size_t i = 1; i < group.size(); ++i) {
    Table one = score_table(group[i]->summary).table;
    one.lead({"run"}, text_cell(group[i]->name));
    all.table.append(one);
  }
  if (all.table.empty()) return text;
  return text + all.table.markup(all.caption + ", " + job);
}

}  // namespace

std::string comparison(const std::vector<RunFolder>& runs, const std::vector<std::string>& ids) {
  std::string text = html::element("h2", "Comparison") + overview(runs, ids);
  std::vector<std::string> jobs;
  for (const RunFolder& run : runs)
    if (const std::string job = text_in(run.summary, "job"); std::find(jobs.begin(), jobs.end(), job) == jobs.end())
      jobs.push_back(job);
  for (const std::string& job : jobs) {
    Group group;
    for (const RunFolder& run : runs)
      if (text_in(run.summary, "job") == job) group.push_back(&run);
    if (group.size() > 1) text += side_by_side(group, job);
  }
  return html::element("section", "\n" + text);
}

}  // namespace vida::report
