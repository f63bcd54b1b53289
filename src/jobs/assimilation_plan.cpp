#include "jobs/assimilation_plan.hpp"

#include <fmt/format.h>

#include <optional>

#include "jobs/filter_entries.hpp"
#include "jobs/model.hpp"
#include "jobs/problem.hpp"
#include "jobs/system.hpp"

namespace vida::jobs {
namespace {
using io::Config;

constexpr double kMeansWithoutAsking = 64.0 * (1 << 20);  // bytes

std::vector<FilterProblem> measured(Config& config) {
  const io::DataFile data(config.text("observations.file"));
  for (const char* key : {"run.seeds", "observations.law"})
    if (config.given(key) && config.at(key) != *io::find_setting(key, config.job())->fallback_of(config.job()))
      throw InvalidArgument(fmt::format("{} = {} is for simulated observations; leave it out with observations.file.",
                                        key, io::to_toml(config.at(key))));
  adopt(config, data);
  std::vector<FilterProblem> problems;
  for (long item = 0; item < data.count(); ++item) {
    FilterProblem problem{filter_system(config, &data, item),
                          {data.matrix("y", item), {}},
                          static_cast<std::uint64_t>(config.integer("seed")),
                          static_cast<std::uint32_t>(item)};
    if (data.has("truth")) problem.data.truth = data.matrix("truth", item);
    problems.push_back(std::move(problem));
  }
  return problems;
}

/// Twins with the numbers first, first + 1, ..
std::vector<FilterProblem> simulated(const Device& device, const Config& config, std::uint32_t first, long count) {
  const StateSpaceModel system = filter_system(config, nullptr, 0),
                        truth = truth_system(config, nullptr, 0, TruthStart::as_the_filter);
  std::vector<TwinOptions> twins;
  std::vector<FilterProblem> problems;
  for (long k = 0; k < count; ++k) {
    const auto seed = static_cast<std::uint64_t>(config.integer("seed"));
    const auto number = first + static_cast<std::uint32_t>(k);
    twins.push_back({config.integer("observations.cycles"), config.integer("observations.spin_up"), seed, number,
                     config.text("observations.law") == "laplace" ? NoiseLaw::laplace : NoiseLaw::gaussian});
    problems.push_back({system, {}, seed, number});
  }
  auto observations = simulate(device, {&truth, 1}, twins);
  for (std::size_t k = 0; k < problems.size(); ++k) problems[k].data = std::move(observations[k]);
  return problems;
}

}  // namespace

std::vector<FilterProblem> data_sets(const Device& device, Config& config) {
  adopt_model(config);
  auto problems =
      config.has("observations.file") ? measured(config) : simulated(device, config, 0, config.integer("run.seeds"));
  for (const FilterProblem& problem : problems) validate(problem);
  const long cycles = problems.front().data.y.extent(0), burn_in = config.integer("run.burn_in");
  if (burn_in >= cycles)
    throw InvalidArgument(
        fmt::format("run.burn_in = {}, but there are {} cycles; leave some to average over.", burn_in, cycles));
  return problems;
}

std::vector<FilterProblem> held_out_sets(const Device& device, const Config& config, long count) {
  return simulated(device, config, kHeldOut, count);
}

AssimilationOptions assimilation_options(const Config& config, long runs) {
  const std::string& means = config.text("run.means");
  const double bytes = 3.0 * sizeof(double) * static_cast<double>(runs) *
                       static_cast<double>(config.integer("model.n")) *
                       static_cast<double>(config.integer("observations.cycles"));
  return {.precision = precision_of(config),
          .keep_means = means == "always" || (means == "auto" && bytes <= kMeansWithoutAsking),
          .keep_ranks = config.flag("run.diagnostics"),
          .keep_members = config.flag("run.members"),
          .crps_every = static_cast<int>(config.integer("run.crps_every"))};
}

AssimilationPlan make_assimilation_plan(const Device& device, const Config& config) {
  if (!config.axes().empty())
    throw InvalidArgument(fmt::format(
        "[batch] is not part of job \"{}\"; list the filters as [[filters]] and set run.seeds.", config.job()));
  AssimilationPlan plan{.config = config,
                        .problems = {},
                        .filters = {},
                        .labels = {},
                        .runs = {},
                        .options = {},
                        .burn_in = config.integer("run.burn_in")};
  plan.problems = data_sets(device, plan.config);
  for (long i = 0; i < config.filters(); ++i) {
    plan.filters.push_back(filter_settings(config, i));
    plan.labels.push_back(filter_label(config, i));
  }
  for (const FilterSettings& filter : plan.filters)
    for (long set = 0; set < plan.sets(); ++set)
      plan.runs.push_back({set, filter, plan.problems[static_cast<std::size_t>(set)].seed, {}});
  plan.options = assimilation_options(plan.config, static_cast<long>(plan.runs.size()));
  return plan;
}

}  // namespace vida::jobs
