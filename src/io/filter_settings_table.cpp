// Settings of filters side by side: what settings_table.cpp is to the other jobs.
#include "io/filter_settings_table.hpp"

#include <algorithm>

#include "io/models.hpp"
#include "io/sweep_settings_table.hpp"
#include "vida/assimilation.hpp"

namespace vida::io {
namespace {

constexpr const char* kJobs = "dw";

template <class Select>
std::vector<std::string> methods(const Select& select) {
  std::vector<std::string> names;
  for (const FilterMethod& method : filter_methods())
    if (select(method)) names.push_back(method.name);
  return names;
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Dynamics& model : known_models()) names.push_back(name_of(model));
  return names;
}

Value text_of(const std::string& text) { return text; }

/// What the model and the data are. Where other jobs have the key too, they accept less.
std::vector<Setting> system_table() {
  using enum Kind;
  using enum Scope;
  const auto none = &Fallback::none;
  const Lorenz63 lorenz;
  return {
      {"model.name", kJobs, text, batch, text_of("lorenz96"), "dynamics", model_names()},
      {"model.n", kJobs, integer, batch, none("40"), "variables; left out: the model's own number", {}, 1},
      {"model.dt", kJobs, real, run, none("0.05"), "step in model time units; left out: the model's own", {}, 0, true},
      {.key = "model.sigma",
       .jobs = kJobs,
       .kind = real,
       .scope = run,
       .fallback = lorenz.sigma,
       .description = "of lorenz63",
       .of = {"lorenz63"}},
      {.key = "model.rho",
       .jobs = kJobs,
       .kind = real,
       .scope = run,
       .fallback = lorenz.rho,
       .description = "of lorenz63",
       .of = {"lorenz63"}},
      {.key = "model.beta",
       .jobs = kJobs,
       .kind = real,
       .scope = run,
       .fallback = lorenz.beta,
       .description = "of lorenz63",
       .of = {"lorenz63"}},
      {.key = "model.period",
       .jobs = kJobs,
       .kind = real,
       .scope = run,
       .fallback = KuramotoSivashinsky{}.period,
       .description = "of x, of kuramoto-sivashinsky",
       .minimum = 0,
       .above = true,
       .of = {"kuramoto-sivashinsky"}},
      {.key = "model.matrix",
       .jobs = kJobs,
       .kind = path,
       .fallback = none("\"model.nc\""),
       .description = "NetCDF file with F [state, state] of the linear model v -> F v",
       .of = {"linear"}},
      {"observations.function",
       kJobs,
       text,
       batch,
       text_of("identity"),
       "f in y = f(H v) + noise, entry by entry",
       {"identity", "square", "cube", "absolute", "exponential"}},
      {"observations.law",
       kJobs,
       text,
       batch,
       text_of("gaussian"),
       "of the simulated noise; filters take it as Gaussian",
       {"gaussian", "laplace"}},
      {"filter.initial_mean",
       kJobs,
       numbers,
       run,
       text_of("first"),
       "of truth and members: a number, a list, \"first\" (1, 0, 0, ..), or \"file\" (m0)",
       {"first", "file"}},
      {"filter.initial_variance",
       kJobs,
       numbers,
       run,
       0.001,
       "of truth and members: variance, list of variances, or \"file\" (C0)",
       {"file"},
       0,
       true},
  };
}

std::vector<Setting> run_table() {
  using enum Kind;
  using enum Scope;
  return {
      {"run.seeds",
       kJobs,
       integer,
       batch,
       {1L, {{'w', 4L}}},
       "twin experiments; every filter works on each of them",
       {},
       1},
      {"run.burn_in", kJobs, integer, batch, {400L, {{'w', 100L}}}, "cycles before the time means begin", {}, 0},
      {"run.crps_every",
       kJobs,
       integer,
       batch,
       {20L, {{'w', 0L}}},
       "cycles between CRPS, whose cost grows with members^2; 0: never",
       {},
       0},
      {"run.diagnostics", "d", flag, batch, true, "ranks of the truth in the forecast ensembles"},
      {"run.means",
       "d",
       text,
       batch,
       text_of("auto"),
       "keep means, truth and y of every cycle; auto: up to 64 MiB",
       {"auto", "always", "never"}},
      {"run.members", "d", flag, batch, false, "keep the analysis ensembles of the last cycle"},
  };
}

std::vector<Setting> list_table() {
  using enum Kind;
  using enum Scope;
  const FilterSettings defaults;
  const auto ensembles = methods([](const FilterMethod& method) { return method.ensemble; });
  const std::vector<std::string> particles = {"particle", "optimal-particle"},
                                 backgrounds = {"climatology", "optimal-interpolation", "3dvar"};
  const auto is_in = [](const std::vector<std::string>& names, const FilterMethod& method) {
    return std::find(names.begin(), names.end(), method.name) != names.end();
  };
  const auto transformed =
      methods([&](const FilterMethod& method) { return method.ensemble && !is_in(particles, method); });
  const auto inflated =
      methods([&](const FilterMethod& method) { return !is_in(particles, method) && !is_in(backgrounds, method); });
  const auto localised = methods([](const FilterMethod& method) { return method.localised; });
  const auto entry = [](const char* name, Kind kind, Fallback fallback, const char* description,
                        std::vector<std::string> of = {}) {
    return Setting{.key = std::string(kList) + "." + name,
                   .jobs = kJobs,
                   .kind = kind,
                   .scope = run,
                   .fallback = std::move(fallback),
                   .description = description,
                   .of = std::move(of)};
  };
  const auto from = [](Setting setting, double minimum, bool above = false) {
    setting.minimum = minimum, setting.above = above;
    return setting;
  };
  Setting method = entry("method", text, text_of(defaults.method), "one of the filters that 'vida list' explains");
  method.choices = methods([](const FilterMethod&) { return true; });
  Setting tangent = entry("tangent", text, text_of(defaults.tangent), "of the model", {"ekf"});
  tangent.choices = {"exact", "frozen"};
  Setting radius =
      from(entry("radius", real, Fallback::none("4.0"), "of localisation, in components; left out: none", localised), 0,
           true);
  radius.infinite = true;
  return {
      method,
      from(entry("members", integer, Fallback(static_cast<long>(defaults.members)).with_first(24L), "N", ensembles), 2),
      from(entry("inflation", real, Fallback(defaults.inflation).with_first(1.013),
                 "factor of analysis anomalies; of Kalman filters: of covariance per unit of time", inflated),
           0, true),
      from(entry("relaxation", real, defaults.relaxation, "to prior spread, a share from 0 to 1", transformed), 0),
      entry("rotation", flag, Fallback(defaults.rotation).with_first(true), "random, keeping the mean, every cycle",
            transformed),
      radius,
      from(entry("local_states", integer, static_cast<long>(defaults.local_states), "components of a local analysis",
                 {"letkf"}),
           1),
      from(entry("xn", real, defaults.xn, "scale of the prior's parameters", {"enkf-n", "enkf-n-dual"}), 0, true),
      from(entry("tolerance", real, defaults.tolerance, "of the steps of the minimisation", {"enkf-n", "enkf-n-dual"}),
           0, true),
      from(entry("lag", integer, static_cast<long>(defaults.lag), "cycles of the window", {"ienks"}), 1),
      from(
          entry("iterations", integer, static_cast<long>(defaults.iterations), "of the Gauss-Newton method", {"ienks"}),
          1),
      from(entry("resampling_threshold", real, defaults.resampling_threshold,
                 "resample when 1 / sum w^2 is at most this share of N", particles),
           0),
      from(entry("jitter", real, defaults.jitter, "bandwidth factor of the noise on duplicates", particles), 0),
      tangent,
      from(entry("background_scale", real, defaults.background_scale, "B over the covariance C of the background",
                 {"3dvar"}),
           0, true),
      entry("background", path, Fallback::none("\"background.nc\""),
            "NetCDF file with C [state, state] and mean [state]; left out: those of the truth", backgrounds),
      entry("gain", path, Fallback::none("\"gain.nc\""),
            "NetCDF file with K [state, obs], instead of a background; \"gain.nc:2\" is run 2 of K [run, state, obs]",
            {"3dvar"}),
  };
}

}  // namespace

std::vector<Setting> filter_settings_table() {
  std::vector<Setting> table = system_table();
  const std::vector<Setting> list = list_table();
  for (const auto& part : {run_table(), sweep_settings_table(list), list})
    table.insert(table.end(), part.begin(), part.end());
  return table;
}

}  // namespace vida::io
