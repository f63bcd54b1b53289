#include <fmt/format.h>

#include <numeric>

#include "filtering/gain_engine.hpp"
#include "filtering/validate.hpp"

namespace vida {

std::vector<FilterResult> fixed_gain_filter(const Device& device, std::span<const FilterProblem> problems,
                                            std::span<const Matrix> gains, Precision precision) {
  if (problems.empty()) return {};
  if (problems.size() != gains.size())
    throw InvalidArgument(fmt::format("fixed_gain_filter got {} problems and {} gains; give one gain per problem.",
                                      problems.size(), gains.size()));
  for (const Matrix& gain : gains) validate_gain(gain, problems[0].system);
  const auto engine = GainEngine::make(device, problems, {.precision = precision});
  std::vector<long> all(problems.size());
  std::iota(all.begin(), all.end(), 0L);
  std::vector<FilterResult> results;
  for (GainEvaluation& one : engine->evaluate(all, gains, {.chi_square = true})) {
    const std::size_t i = results.size();
    const double mse = mean_squared_error(one.value.analysis_mean, problems[i].data.truth);
    results.push_back({.analysis_mean = std::move(one.value.analysis_mean),
                       .analysis_cov_last = std::move(one.value.analysis_cov_last),
                       .gain_last = gains[i],
                       .gain_steady = gains[i],
                       .chi_square = one.chi_square,
                       .mse = mse});
  }
  return results;
}

}  // namespace vida
