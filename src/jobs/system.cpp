#include "jobs/system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "jobs/model.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {
using io::Config;
using io::DataFile;

bool same(double a, double b) { return std::abs(a - b) <= 1e-12 * std::max(std::abs(a), std::abs(b)); }

bool same(const Matrix& a, const Matrix& b) {
  return a.extents() == b.extents() &&
         std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) { return same(x, y); });
}

[[noreturn]] void disagree(const std::string& key, const std::string& value, const DataFile& file,
                           const std::string& name, const std::string& held) {
  throw InvalidArgument(fmt::format("{} = {}, but '{}' holds {}{}. Remove one of the two.", key, value,
                                    file.path().string(), name, held));
}

void adopt_number(Config& config, const std::string& key, const DataFile& file, const std::string& name, double value) {
  const io::Value& set = config.at(key);
  const bool whole = std::holds_alternative<long>(set);
  const double number = whole ? static_cast<double>(std::get<long>(set)) : std::get<double>(set);
  if (config.given(key) && !same(number, value))
    disagree(key, io::to_toml(set), file, name, fmt::format(" = {}", value));
  if (whole && value != std::floor(value))
    throw InvalidArgument(
        fmt::format("{}: '{}' holds {} = {}; expected a whole number.", key, file.path().string(), name, value));
  if (whole)
    config.give(key, static_cast<long>(value));
  else
    config.give(key, value);
}

/// The components that the operator picks, in order.
std::vector<long> observed_components(const Config& config, long n) {
  const std::string& name = config.text("observations.operator");
  std::vector<long> components;
  if (name == "indices") {
    if (!config.has("observations.indices"))
      throw InvalidArgument(
          "observations.operator = \"indices\" needs observations.indices = [...], the observed "
          "components from 0.");
    for (const double index : std::get<std::vector<double>>(config.at("observations.indices"))) {
      if (index >= n)
        throw InvalidArgument(
            fmt::format("observations.indices holds {}; the model has components 0 to {}.", index, n - 1));
      components.push_back(static_cast<long>(index));
    }
    auto sorted = components;
    std::sort(sorted.begin(), sorted.end());
    if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end())
      throw InvalidArgument(fmt::format("observations.indices holds {} twice; name each component once.", *twice));
    return components;
  }
  const long stride = name == "identity" ? 1 : std::stol(name.substr(6));
  if (stride > n)
    throw InvalidArgument(fmt::format("observations.operator = \"{}\": the model has only {} components.", name, n));
  for (long i = 0; i < n; i += stride) components.push_back(i);
  return components;
}

Matrix selection(const std::vector<long>& components, long n) {
  Matrix H({static_cast<long>(components.size()), n});
  for (std::size_t row = 0; row < components.size(); ++row) H(static_cast<long>(row), components[row]) = 1;
  return H;
}

/// What the user may write instead when y has p columns: STYLE of messages is what, where, expected, what to do.
std::string operator_advice(long p, long n) {
  const std::string matrix = fmt::format("give H ({} x {}) in the file", p, n);
  for (long stride = 1; stride <= n; ++stride)
    if ((n + stride - 1) / stride == p)
      return fmt::format("Set observations.operator = \"{}\", or {}.",
                         stride == 1 ? std::string("identity") : fmt::format("every:{}", stride), matrix);
  return fmt::format("Set model.n, list the components with operator \"indices\", or {}.", matrix);
}

Matrix observation_operator(const Config& config, const DataFile* data, long item) {
  const long n = config.integer("model.n");
  const std::string& name = config.text("observations.operator");
  if (name == "matrix") {
    if (!data || !data->has("H"))
      throw InvalidArgument(
          fmt::format("observations.operator = \"matrix\" needs H [obs, state] in observations.file{}.",
                      data ? fmt::format("; '{}' holds none", data->path().string()) : ""));
    return data->matrix("H", item);
  }
  Matrix H = selection(observed_components(config, n), n);
  if (data && data->observed() != H.extent(0))
    throw InvalidArgument(
        fmt::format("observations.file: '{}' holds y with shape {}, but observations.operator \"{}\" needs "
                    "[cycle, {}]. {}",
                    data->path().string(), data->shape("y"), name, H.extent(0), operator_advice(data->observed(), n)));
  if (data && data->has("H") && !same(H, data->matrix("H", item)))
    disagree("observations.operator", fmt::format("\"{}\"", name), *data, "H", " that is another matrix");
  return H;
}

/// The list for one setting of kind `numbers`: one for each component.
Vector components(const std::string& key, const io::Value& value, long size, const char* what) {
  Vector result({size});
  if (const auto* list = std::get_if<std::vector<double>>(&value)) {
    if (static_cast<long>(list->size()) != size)
      throw InvalidArgument(fmt::format("{} lists {} numbers; there are {} {}.", key, list->size(), size, what));
    std::copy(list->begin(), list->end(), result.begin());
  } else {
    std::fill(result.begin(), result.end(), std::get<double>(value));
  }
  return result;
}

bool from_file(const Config& config, const std::string& key, const DataFile* data, const std::string& name) {
  const auto* text = std::get_if<std::string>(&config.at(key));
  if (text && (!data || !data->has(name)))
    throw InvalidArgument(
        fmt::format("{} = \"file\" needs {} in observations.file{}.", key, name,
                    data ? fmt::format("; '{}' holds none", data->path().string()) : ", which is not set"));
  return text != nullptr;
}

Matrix covariance(const Config& config, const std::string& key, const DataFile* data, const std::string& name,
                  long item, long size, const char* what) {
  if (from_file(config, key, data, name)) {
    const Matrix stored = data->matrix(name, item);
    Matrix matrix(stored.extents());
    for (long i = 0; i < size; ++i)
      for (long j = 0; j < size; ++j) matrix(i, j) = 0.5 * (stored(i, j) + stored(j, i));  // the reader allows rounding
    return matrix;
  }
  const Vector diagonal = components(key, config.at(key), size, what);
  Matrix matrix({size, size});
  for (long i = 0; i < size; ++i) matrix(i, i) = diagonal[i];
  if (data && data->has(name) && !same(matrix, data->matrix(name, item)))
    disagree(key, io::to_toml(config.at(key)), *data, name, " that is another matrix");
  return matrix;
}

Vector initial_mean(const Config& config, const DataFile* data, long item) {
  const std::string key = "filter.initial_mean";
  const long n = config.integer("model.n");
  const bool first = config.at(key) == io::Value(std::string("first"));
  if (!first && from_file(config, key, data, "m0")) return data->vector("m0", item);
  Vector mean({n});
  if (first)
    mean[0] = 1;
  else
    mean = components(key, config.at(key), n, "components");
  if (data && data->has("m0")) {
    const Vector held = data->vector("m0", item);
    if (!std::equal(mean.begin(), mean.end(), held.begin(), [](double x, double y) { return same(x, y); }))
      disagree(key, io::to_toml(config.at(key)), *data, "m0", " that is another vector");
  }
  return mean;
}

ObservationFunction observation_function(const std::string& name) {
  using enum ObservationFunction;
  static const std::map<std::string, ObservationFunction> functions = {
      {"identity", identity}, {"square", square}, {"cube", cube}, {"absolute", absolute}, {"exponential", exponential}};
  return functions.at(name);
}

}  // namespace

bool starts_as_the_filter(const Config& config) {
  return config.has("observations.start") && config.text("observations.start") == "filter";
}

void adopt(Config& config, const DataFile& file) {
  if (file.states()) adopt_number(config, "model.n", file, "states with n", static_cast<double>(file.states()));
  adopt_number(config, "observations.cycles", file, "y with cycles", static_cast<double>(file.cycles()));
  const char* simulated = config.integer("observations.spin_up") != 0 ? "observations.spin_up"
                          : starts_as_the_filter(config)              ? "observations.start"
                                                                      : nullptr;
  if (simulated)
    throw InvalidArgument(
        fmt::format("{} is for simulated observations; leave it out with observations.file.", simulated));
  for (const auto& [key, name] :
       {std::pair{"model.forcing", "F"}, {"model.dt", "dt"}, {"model.steps_per_cycle", "steps_per_cycle"}}) {
    if (!file.has(name)) continue;
    if (!config.has(key))
      throw InvalidArgument(
          fmt::format("'{}' holds {}, but {} has no {}.", file.path().string(), name, config.text("model.name"), key));
    if (!file.batched(name)) {
      adopt_number(config, key, file, name, file.scalar(name, 0));
    } else if (config.given(key) || std::string(name) == "steps_per_cycle") {
      throw InvalidArgument(fmt::format("{}: '{}' holds {} for each data set; {}.", key, file.path().string(), name,
                                        config.given(key) ? "leave the setting out" : "it must be one number"));
    }
  }
  for (const auto& [key, name] : {std::pair{"model.process_noise", "Q"},
                                  {"observations.noise", "R"},
                                  {"filter.initial_mean", "m0"},
                                  {"filter.initial_variance", "C0"}})
    if (file.has(name) && !config.given(key)) config.derive(key, std::string("file"));
  if (file.has("H") && !config.given("observations.operator"))
    config.derive("observations.operator", std::string("matrix"));
}

StateSpaceModel filter_system(const Config& config, const DataFile* data, long item) {
  StateSpaceModel system;
  const long n = config.integer("model.n");
  system.model = filter_model(config, data, item);
  system.steps_per_cycle = static_cast<int>(config.integer("model.steps_per_cycle"));
  system.observation_operator = observation_operator(config, data, item);
  const long p = system.observation_operator.extent(0);
  system.process_noise = config.has("filter.process_noise")
                             ? covariance(config, "filter.process_noise", nullptr, "Q", item, n, "components")
                             : covariance(config, "model.process_noise", data, "Q", item, n, "components");
  system.observation_noise = covariance(config, "observations.noise", data, "R", item, p, "observations");
  system.initial_mean = initial_mean(config, data, item);
  system.initial_covariance = covariance(config, "filter.initial_variance", data, "C0", item, n, "components");
  if (config.has("observations.function"))
    system.observation_function = observation_function(config.text("observations.function"));
  return system;
}

StateSpaceModel truth_system(const Config& config, const DataFile* data, long item, TruthStart start) {
  StateSpaceModel system = filter_system(config, data, item);
  system.model = true_model(config, data, item);
  system.process_noise =
      covariance(config, "model.process_noise", data, "Q", item, config.integer("model.n"), "components");
  if (start == TruthStart::as_the_filter) return system;
  system.initial_mean = Vector({system.n()});
  system.initial_covariance = scaled_identity(system.n(), 1.0);
  return system;
}

}  // namespace vida::jobs
