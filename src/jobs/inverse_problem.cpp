#include "jobs/inverse_problem.hpp"

#include <fmt/format.h>

#include "io/netcdf.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {

std::span<const double> row(const Matrix& matrix, long index) {
  return {matrix.data() + index * matrix.extent(1), static_cast<std::size_t>(matrix.extent(1))};
}

Matrix file_matrix(const io::Config& config, const char* name, const char* axes) {
  if (!config.has("problem.file"))
    throw InvalidArgument(
        fmt::format("problem.target \"{}\" needs {} {} in problem.file.", config.text("problem.target"), name, axes));
  const std::string& path = config.text("problem.file");
  const io::NetcdfReader file(path, "problem.file");
  if (!file.has(name)) throw FileError(fmt::format("problem.file: '{}' holds no {} {}.", path, name, axes));
  return file.array<2>(name);
}

std::shared_ptr<const Target> make_target(const io::Config& config, InverseProblems& problems) {
  const std::string& name = config.text("problem.target");
  problems.noise_variance = config.real("problem.noise_variance");
  if (name == "oxygen-demand") return oxygen_demand(problems.noise_variance);
  if (name == "banana") return banana(config.real("problem.width"), config.real("problem.bend"));
  if (name == "two-moons") return two_moons();
  problems.linear_map = file_matrix(config, "A", "[obs, state]");
  return linear_gaussian(problems.linear_map, problems.noise_variance);
}

Matrix make_observations(const Device& device, const io::Config& config, const Target& target) {
  const long p = target.observations(), simulated = config.integer("problem.simulate");
  if (p == 0) {
    for (const char* key : {"problem.simulate", "problem.observation", "problem.file"})
      if (config.given(key) && !(std::string(key) == "problem.simulate" && simulated == 0))
        throw InvalidArgument(
            fmt::format("{}: target {} is a density without data. Remove the setting.", key, target.name()));
    return Matrix({1, 0});
  }
  if (simulated > 0) return simulate(device, target, simulated, static_cast<std::uint64_t>(config.integer("seed"))).y;
  if (config.has("problem.file")) {
    Matrix y = file_matrix(config, "y", "[problem, obs]");
    if (y.extent(1) != p)
      throw FileError(fmt::format("problem.file: '{}' holds y with shape {}, but target {} needs [problem, {}].",
                                  config.text("problem.file"), to_string<2>(y.extents()), target.name(), p));
    return y;
  }
  const io::Value& value = config.at("problem.observation");
  const auto* list = std::get_if<std::vector<double>>(&value);
  if (!list || list->empty() || std::ssize(*list) % p != 0)
    throw InvalidArgument(fmt::format("problem.observation = {}: target {} needs a list of {} numbers.",
                                      io::to_toml(value), target.name(), p));
  Matrix y({std::ssize(*list) / p, p});
  std::copy(list->begin(), list->end(), y.begin());
  return y;
}

}  // namespace

InverseProblems make_inverse_problems(const Device& device, const io::Config& config) {
  InverseProblems problems;
  problems.target = make_target(config, problems);
  problems.observations = make_observations(device, config, *problems.target);
  return problems;
}

std::optional<PosteriorTruth> posterior_truth(const InverseProblems& problems, long index) {
  const auto y = row(problems.observations, index);
  if (!problems.linear_map.empty()) {
    const auto truth = linear_gaussian_posterior(problems.linear_map, problems.noise_variance, y);
    return PosteriorTruth{truth.log_evidence, truth.mean, truth.covariance};
  }
  if (problems.target->dimension() > 2) return std::nullopt;
  QuadratureOptions options;
  options.tolerance = 1e-6;
  const auto moments =
      quadrature_moments(log_density_function(problems.target, y), problems.target->dimension(), options);
  return PosteriorTruth{moments.log_evidence, moments.mean, moments.covariance};
}

}  // namespace vida::jobs
