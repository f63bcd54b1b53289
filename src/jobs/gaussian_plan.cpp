#include "jobs/gaussian_plan.hpp"

#include "jobs/problem.hpp"
#include "vida/error.hpp"

namespace vida::jobs {

GaussianViOptions gaussian_options(const io::Config& config) {
  if (!config.axes().empty())
    throw InvalidArgument("[batch] is not part of job \"gaussian-vi\"; its observations are the batch.");
  GaussianViOptions options;
  options.family = config.text("fit.family") == "full" ? GaussianFamily::full : GaussianFamily::mean_field;
  options.expectation = config.text("fit.expectation") == "quadrature" ? GaussianExpectation::quadrature
                                                                       : GaussianExpectation::monte_carlo;
  options.precision = precision_of(config);
  options.nodes = static_cast<int>(config.integer("fit.nodes"));
  options.draws = static_cast<int>(config.integer("fit.draws"));
  options.steps = config.integer("fit.steps");
  options.step = config.real("fit.step");
  options.clip = config.real("fit.clip");
  options.average = config.real("fit.average");
  options.seed = static_cast<std::uint64_t>(config.integer("seed"));
  return options;
}

}  // namespace vida::jobs
