#include "io/sweep_settings_table.hpp"

#include <algorithm>
#include <limits>

namespace vida::io {
namespace {

constexpr const char* kJobs = "w";

std::string key_of(const std::string& name) { return std::string(kSweep) + "." + name; }

Value text_of(const char* text) { return std::string(text); }

/// An axis over a setting of the filters. values: those of the example, if it has the axis.
Setting filter_axis(const std::vector<Setting>& filters, const std::string& name, const char* example,
                    const char* description, std::vector<Value> values = {}) {
  const std::string varied = std::string(kList) + "." + name;
  Setting axis = *std::find_if(filters.begin(), filters.end(), [&](const Setting& one) { return one.key == varied; });
  axis.key = key_of(name), axis.jobs = kJobs, axis.description = description;
  axis.fallback = Fallback::none(example), axis.fallback.values = std::move(values);
  axis.of.clear(), axis.varies = varied;
  return axis;
}

/// An axis over a setting of the data.
Setting data_axis(const std::string& name, const char* varied, Kind kind, const char* example,
                  const char* description) {
  return {.key = key_of(name),
          .jobs = kJobs,
          .kind = kind,
          .scope = Scope::run,
          .fallback = Fallback::none(example),
          .description = description,
          .varies = varied};
}

}  // namespace

std::vector<Setting> sweep_settings_table(const std::vector<Setting>& filters) {
  const auto filter = [&](auto... words) { return filter_axis(filters, words...); };
  Setting noise = data_axis("noise", "observations.noise", Kind::real, "[0.5, 1.0]", "variance of the observations"),
          observed = data_axis("operator", "observations.operator", Kind::text, "[\"identity\", \"every:2\"]",
                               "which components are observed"),
          steps = data_axis("steps_per_cycle", "model.steps_per_cycle", Kind::integer, "[1, 2]",
                            "steps between observations");
  noise.minimum = 0, noise.above = true;
  observed.choices = {"identity", "every:", "indices", "matrix"};
  steps.minimum = 1;
  const double none = std::numeric_limits<double>::infinity();
  return {
      {key_of("validate"),
       kJobs,
       Kind::integer,
       Scope::batch,
       0L,
       "further twins on which the best settings are run again",
       {},
       0},
      filter_axis(filters, "method", "[\"etkf\", \"letkf\"]", "each axis lists values; the sweep is their product",
                  {text_of("etkf"), text_of("serial")}),
      filter_axis(filters, "members", "[20, 40]", "N", {10L, 20L}),
      filter_axis(filters, "inflation", "[1.0, 1.02, 1.05]", "see [[filters]] for what each is",
                  {1.0, 1.02, 1.05, 1.1}),
      filter_axis(filters, "radius", "[4.0, inf]", "inf: no localisation", {2.0, 4.0, 8.0, none}),
      filter("relaxation", "[0.0, 0.3]", "to prior spread"),
      filter("rotation", "[false, true]", "of the ensemble"),
      filter("local_states", "[1, 2]", "of letkf"),
      filter("xn", "[1.0, 2.0]", "of enkf-n and enkf-n-dual"),
      filter("lag", "[1, 2]", "of ienks"),
      filter("resampling_threshold", "[0.2, 0.5]", "of particle filters"),
      filter("jitter", "[0.5, 0.7]", "of particle filters"),
      filter("tangent", "[\"exact\", \"frozen\"]", "of ekf"),
      filter("gain", "[\"a.nc\", \"b.nc\"]", "of 3dvar, files"),
      noise,
      observed,
      data_axis("forcing", "model.forcing", Kind::real, "[7.0, 8.0]", "F of truth and filter"),
      steps,
  };
}

}  // namespace vida::io
