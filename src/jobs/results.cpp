#include "jobs/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace vida::jobs {
namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
}

void describe(io::NetcdfWriter& file, const io::Config& config, const Device& device, const std::string& title) {
  file.attribute("title", title);
  file.attribute("source", fmt::format("vida {}", kVersion));
  file.attribute("version", std::string(kVersion));
  file.attribute("job", config.job());
  file.attribute("seed", config.integer("seed"));
  file.attribute("precision", config.text("precision"));
  file.attribute("device", device.name());
  file.attribute("device_description", device.description());
  file.attribute("configuration", config.to_toml());
}

nlohmann::ordered_json summary_header(const io::Config& config, const Device& device) {
  nlohmann::ordered_json summary;
  summary["job"] = config.job();
  summary["version"] = kVersion;
  summary["device"] = device.name();
  summary["device_description"] = device.description();
  summary["threads"] = device.threads();
  summary["precision"] = config.text("precision");
  summary["seed"] = config.integer("seed");
  return summary;
}

nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json json_of(const io::Value& value) {
  const std::string text = io::to_toml(value);
  return text == "inf" ? nlohmann::ordered_json(text) : nlohmann::ordered_json::parse(text);
}

double number_of(const io::Value& value) {
  if (const auto* whole = std::get_if<long>(&value)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  return kNaN;
}

void put_index(io::NetcdfWriter& file, const std::string& dimension, long size, const std::string& meaning,
               long first) {
  std::vector<long> index(static_cast<std::size_t>(size));
  for (long i = 0; i < size; ++i) index[static_cast<std::size_t>(i)] = first + i;
  file.put(dimension, {dimension}, {size}, std::span<const long>(index), {meaning, "1"});
}

void put_time(io::NetcdfWriter& file, const std::string& name, const std::string& dimension,
              const FilterProblem& problem, long spin_up) {
  const double cycle = problem.system.steps_per_cycle * step_length(problem.system.model);
  Vector time({problem.data.y.extent(0)});
  for (long j = 0; j < time.size(); ++j) time[j] = static_cast<double>(spin_up + j + 1) * cycle;
  file.put(name, {dimension}, time, {"time of the analysis", "model time units"});
}

Matrix stack(std::span<const std::vector<double>> rows) {
  std::size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  Matrix result({static_cast<long>(rows.size()), static_cast<long>(longest)}, kNaN);
  for (std::size_t i = 0; i < rows.size(); ++i) std::copy(rows[i].begin(), rows[i].end(), result.data() + i * longest);
  return result;
}

Array<double, 3> stack(std::span<const Matrix> matrices) {
  Extents<2> extents{};
  for (const Matrix& matrix : matrices)
    if (!matrix.empty()) extents = matrix.extents();
  Array<double, 3> result({static_cast<long>(matrices.size()), extents[0], extents[1]}, kNaN);
  for (std::size_t i = 0; i < matrices.size(); ++i)
    std::copy(matrices[i].begin(), matrices[i].end(), result[static_cast<long>(i)].begin());
  return result;
}

void write_summary(io::OutputFolder& folder, const io::Config& config, const Outcome& outcome,
                   nlohmann::ordered_json summary) {
  summary["interrupted"] = outcome.interrupted;
  summary["flagged"] = outcome.flagged;
  summary["notes"] = outcome.notes;
  io::write_text(folder.pending("config.toml"), config.to_toml());
  io::write_text(folder.pending("summary.json"), summary.dump(2) + "\n");
}

}  // namespace vida::jobs
