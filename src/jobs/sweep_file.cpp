#include "jobs/sweep_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "io/netcdf.hpp"
#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

/// Of an entry of [[filters]]; empty where it is an axis.
std::string method_of(const SweepPlan& plan, long entry) {
  const bool is_axis =
      std::any_of(plan.axes.begin(), plan.axes.end(), [](const SweepAxis& axis) { return axis.name == "method"; });
  return is_axis ? "" : plan.config.text(io::list_key(entry, "method"));
}

/// The values of an axis as a coordinate; a text, a file or true and false by their number.
void put_axis(io::NetcdfWriter& file, const SweepPlan& plan, const SweepAxis& axis) {
  Vector values({axis.size()});
  for (long i = 0; i < axis.size(); ++i) {
    const io::Value& value = axis.values[static_cast<std::size_t>(i)];
    values[i] = axis.numeric() ? number_of(value) : static_cast<double>(i);
    if (axis.numeric()) continue;
    const auto* text = std::get_if<std::string>(&value);
    file.attribute(fmt::format("{}_{}", axis.name, i), axis.varies.empty() ? method_of(plan, i)
                                                       : text              ? *text
                                                                           : io::to_toml(value));
  }
  const std::string what =
      axis.varies.empty() ? "entry of [[filters]]" : io::find_setting(axis.varies, plan.config.job())->description;
  file.put(axis.name, {axis.name}, values,
           {axis.numeric() || axis.varies.empty() ? what : what + fmt::format("; {}_K says which", axis.name)});
}

/// Which axes are there, and which of them tell what to those who draw.
void put_attributes(io::NetcdfWriter& file, const SweepPlan& plan) {
  std::vector<std::string> all, data, numeric;
  for (const SweepAxis& axis : plan.axes) {
    all.push_back(axis.name);
    if (axis.of_data()) data.push_back(axis.name);
    if (axis.numeric()) numeric.push_back(axis.name);
  }
  file.attribute("axes", fmt::format("{}", fmt::join(all, " ")));
  file.attribute("axes_of_data", fmt::format("{}", fmt::join(data, " ")));
  file.attribute("axes_of_numbers", fmt::format("{}", fmt::join(numeric, " ")));
  file.attribute("method", plan.points.front().filter.method);
  for (const SweepPoint& point : plan.points)
    if (const auto unused = plan.without_use(point.filter.method); !unused.empty())
      file.attribute("axes_without_use_of_" + point.filter.method, fmt::format("{}", fmt::join(unused, " ")));
}

}  // namespace

void write_sweep(const std::filesystem::path& path, const Device& device, const SweepPlan& plan,
                 const SweepScores& scores) {
  io::NetcdfWriter file(path);
  describe(file, plan.config, device, "A sweep over settings of filters");
  file.attribute("burn_in", plan.burn_in);
  file.attribute("cycles", plan.cycles());
  put_attributes(file, plan);
  std::vector<std::string> dims;
  std::vector<long> extents;
  for (const SweepAxis& axis : plan.axes) {
    put_axis(file, plan, axis);
    dims.push_back(axis.name), extents.push_back(axis.size());
  }
  const auto put = [&](const std::string& name, const std::string& long_name, const auto& value) {
    std::vector<double> values;
    for (const long point : plan.point_of) values.push_back(value(scores.points[static_cast<std::size_t>(point)]));
    file.put(name, dims, extents, std::span<const double>(values), {long_name});
  };
  put("rmse_analysis_median", "median over seeds of the error of the analysis mean, infinite: most failed",
      [](const FilterScores& point) { return point.median.analysis_error; });
  put("rmse_analysis_error_bar", "standard error of that median",
      [](const FilterScores& point) { return point.error_bar; });
  put("lost", "seeds that lost the truth", [](const FilterScores& point) { return static_cast<double>(point.lost); });
  put("failed", "seeds whose numbers were not finite",
      [](const FilterScores& point) { return static_cast<double>(point.failed); });
  put_index(file, "seed", plan.seeds, "data set");
  dims.emplace_back("seed"), extents.push_back(plan.seeds);
  const auto put_seeds = [&](const std::string& name, const std::string& long_name, auto part) {
    using Number = std::decay_t<decltype(scores.points[0].runs[0].*part)>;
    std::vector<Number> values;
    for (const long point : plan.point_of)
      for (const AssimilationSummary& run : scores.points[static_cast<std::size_t>(point)].runs)
        values.push_back(run.*part);
    file.put(name, dims, extents, std::span<const Number>(values), {long_name});
  };
  for (const SummaryField& field : summary_fields())
    put_seeds(field.name, std::string(field.long_name) + ", mean after the burn-in", field.part);
  put_seeds("lost_at", "cycle where the truth was lost, -1: kept", &AssimilationSummary::lost_at);
  put_seeds("failed_at", "cycle with numbers that are not finite, -1: none", &AssimilationSummary::failed_at);
  file.close();
}

}  // namespace vida::jobs
