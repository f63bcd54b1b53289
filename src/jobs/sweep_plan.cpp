#include "jobs/sweep_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "jobs/assimilation_plan.hpp"
#include "jobs/filter_entries.hpp"

namespace vida::jobs {
namespace {
using io::Config;

bool of_list(const std::string& key) { return io::section_of(key) == io::kList; }

std::vector<SweepAxis> axes_of(const Config& config) {
  std::vector<SweepAxis> axes;
  if (config.filters() > 1) {
    SweepAxis& entries = axes.emplace_back(SweepAxis{"filter", "", {}});
    for (long i = 0; i < config.filters(); ++i) entries.values.emplace_back(i);
  }
  for (const io::Axis& axis : config.axes()) {
    if (io::section_of(axis.key) != io::kSweep)
      throw InvalidArgument(fmt::format("[batch] is not part of job \"{}\"; list values in [sweep].", config.job()));
    axes.push_back({io::name_of(axis.key), io::find_setting(axis.key, config.job())->varies, axis.values});
  }
  if (config.axes().empty())
    throw InvalidArgument("a sweep needs an axis: write a list in [sweep], as in inflation = [1.0, 1.02, 1.05].");
  return axes;
}

/// Goes to the next index of a product, the last axis fastest; false after the last one.
bool advance(std::vector<long>& at, const std::vector<SweepAxis>& axes) {
  for (std::size_t i = axes.size(); i-- > 0;) {
    if (++at[i] < axes[i].size()) return true;
    at[i] = 0;
  }
  return false;
}

/// The configurations of all kinds of data, the first axis slowest.
std::vector<Config> kinds_of_data(const Config& config, const std::vector<SweepAxis>& axes) {
  std::vector<Config> kinds = {config};
  for (const SweepAxis& axis : axes) {
    if (!axis.of_data()) continue;
    if (config.has("observations.file"))
      throw InvalidArgument(
          fmt::format("sweep.{} is an axis of simulated data; leave it out with observations.file.", axis.name));
    std::vector<Config> product;
    for (const Config& kind : kinds)
      for (const io::Value& value : axis.values) product.emplace_back(kind).give(axis.varies, value);
    kinds = std::move(product);
  }
  return kinds;
}

/// Entry `index` with the values of a point; settings that its method does not have are left out.
Config at_point(const SweepPlan& plan, long index, const std::string& method, const std::vector<long>& at) {
  Config config = plan.config;
  for (std::size_t i = 0; i < plan.axes.size(); ++i)
    if (const SweepAxis& axis = plan.axes[i]; of_list(axis.varies) && plan.uses(method, axis))
      config.give(io::list_key(index, axis.name), axis.values[static_cast<std::size_t>(at[i])]);
  for (const io::Setting* setting : io::settings_of(config.job()))
    if (of_list(setting->key) && !setting->of.empty() &&
        std::find(setting->of.begin(), setting->of.end(), method) == setting->of.end())
      config.forget(io::list_key(index, io::name_of(setting->key)));
  return config;
}

/// ", noise 0.5, every:2": the data of a point.
std::string data_label(const std::vector<SweepAxis>& axes, const std::vector<long>& at) {
  std::string label;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!axes[i].of_data() || axes[i].size() < 2) continue;
    const io::Value& value = axes[i].values[static_cast<std::size_t>(at[i])];
    const auto* text = std::get_if<std::string>(&value);
    label += ", " + axes[i].name + " " + (text ? *text : axes[i].numeric() ? io::to_toml(value) : "");
  }
  return label;
}

/// Fills in the points, the cells that they stand for and the groups.
void lay_out(SweepPlan& plan) {
  std::map<std::vector<long>, long> known;
  std::map<std::pair<std::vector<long>, std::string>, long> groups;
  std::vector<long> at(plan.axes.size(), 0);
  do {
    long index = 0, kind = 0;
    std::string method;
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (plan.axes[i].varies.empty()) index = at[i];
      if (plan.axes[i].name == "method")
        method = std::get<std::string>(plan.axes[i].values[static_cast<std::size_t>(at[i])]);
      if (plan.axes[i].of_data()) kind = kind * plan.axes[i].size() + at[i];
    }
    if (method.empty()) method = plan.config.text(io::list_key(index, "method"));
    std::vector<long> own = at;
    for (std::size_t i = 0; i < at.size(); ++i)
      if (!plan.uses(method, plan.axes[i])) own[i] = 0;
    const auto [found, added] = known.try_emplace(own, static_cast<long>(plan.points.size()));
    plan.point_of.push_back(found->second);
    if (!added) continue;
    const auto [group, first] = groups.try_emplace({{index, kind}, method}, static_cast<long>(plan.groups.size()));
    const std::string data = data_label(plan.axes, at);
    if (first)
      plan.groups.push_back(method + (plan.config.filters() > 1 ? fmt::format(" of filter {}", index) : std::string()) +
                            data);
    const Config config = at_point(plan, index, method, own);
    plan.points.push_back(
        {own, filter_settings(config, index), filter_label(config, index) + data, kind, group->second});
  } while (advance(at, plan.axes));
}

}  // namespace

bool SweepAxis::of_data() const { return !varies.empty() && !of_list(varies); }

bool SweepAxis::numeric() const {
  return !varies.empty() &&
         (std::holds_alternative<long>(values.front()) || std::holds_alternative<double>(values.front()));
}

bool SweepPlan::uses(const std::string& method, const SweepAxis& axis) const {
  if (!of_list(axis.varies)) return true;
  const auto& of = io::find_setting(axis.varies, config.job())->of;
  return of.empty() || std::find(of.begin(), of.end(), method) != of.end();
}

std::vector<std::string> SweepPlan::without_use(const std::string& method) const {
  std::vector<std::string> names;
  for (const SweepAxis& axis : axes)
    if (axis.size() > 1 && !uses(method, axis)) names.push_back(axis.name);
  return names;
}

SweepPlan make_sweep_plan(const Device& device, const Config& config) {
  SweepPlan plan{.config = config,
                 .axes = axes_of(config),
                 .data = {},
                 .problems = {},
                 .points = {},
                 .point_of = {},
                 .groups = {},
                 .burn_in = config.integer("run.burn_in")};
  plan.data = kinds_of_data(config, plan.axes);
  for (Config& kind : plan.data) {
    auto sets = data_sets(device, kind);
    if (sets.front().data.truth.empty())
      throw InvalidArgument(
          fmt::format("observations.file: '{}' holds no truth, and a sweep ranks settings by their "
                      "error. Add truth [cycle, state], or use job \"assimilate\".",
                      config.text("observations.file")));
    plan.seeds = static_cast<long>(sets.size());
    std::move(sets.begin(), sets.end(), std::back_inserter(plan.problems));
  }
  if (plan.data.size() == 1) plan.config = plan.data.front();
  if (config.has("observations.file") && config.integer("sweep.validate") > 0)
    throw InvalidArgument("sweep.validate simulates further twins; leave it out with observations.file.");
  lay_out(plan);
  return plan;
}

}  // namespace vida::jobs
