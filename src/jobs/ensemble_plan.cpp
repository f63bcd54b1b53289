#include "jobs/ensemble_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/netcdf.hpp"
#include "jobs/problem.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {

/// States of the file and what they say about n and the number of members, taken into the configuration.
Matrix initial_states(io::Config& config) {
  const std::string& path = config.text("ensemble.file");
  const io::NetcdfReader file(path, "ensemble.file");
  if (!file.has("states")) throw FileError(fmt::format("ensemble.file: '{}' holds no states [member, state].", path));
  Matrix states = file.array<2>("states");
  for (const auto& [key, axis] : {std::pair{"ensemble.members", 0}, {"model.n", 1}}) {
    if (config.given(key) && config.integer(key) != states.extent(axis))
      throw InvalidArgument(fmt::format("{} = {}, but '{}' holds states with shape {}. Remove one of the two.", key,
                                        config.integer(key), path, to_string<2>(states.extents())));
    config.give(key, states.extent(axis));
  }
  if (!std::all_of(states.begin(), states.end(), [](double value) { return std::isfinite(value); }))
    throw FileError(fmt::format("ensemble.file: '{}': states holds a value that is not finite.", path));
  return states;
}

/// Members integrated at once on a CPU: about a second of work, so that progress shows and an interruption is heard.
long cpu_chunk(long steps) { return std::clamp(50'000'000L / steps, 1024L, 65'536L); }

}  // namespace

EnsembleOptions ensemble_options(const Device& device, io::Config& config) {
  if (!config.axes().empty())
    throw InvalidArgument("[batch] is not part of job \"ensemble\"; its members are the batch.");
  EnsembleOptions options;
  if (config.has("ensemble.file")) options.initial_states = initial_states(config);
  options.model = {static_cast<int>(config.integer("model.n")), config.real("model.forcing"), config.real("model.dt")};
  options.members = config.integer("ensemble.members");
  options.steps = config.integer("ensemble.steps");
  options.initial_mean = config.real("ensemble.initial_mean");
  options.initial_variance = config.real("ensemble.initial_variance");
  options.seed = static_cast<std::uint64_t>(config.integer("seed"));
  options.precision = precision_of(config);
  options.snapshot_every = config.integer("ensemble.snapshot_every");
  options.snapshot_members = std::min(config.integer("ensemble.snapshot_members"), options.members);
  options.lyapunov_exponents = static_cast<int>(config.integer("ensemble.lyapunov_exponents"));
  if (options.lyapunov_exponents > options.model.n)
    throw InvalidArgument(fmt::format("ensemble.lyapunov_exponents = {}: a model of {} variables has {}.",
                                      options.lyapunov_exponents, options.model.n, options.model.n));
  options.chunk = config.integer("ensemble.chunk");
  if (options.chunk == 0 && !device.is_cuda()) options.chunk = cpu_chunk(options.steps);
  return options;
}

}  // namespace vida::jobs
