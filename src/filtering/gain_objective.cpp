#include <fmt/format.h>

#include <numeric>

#include "filtering/gain_engine.hpp"
#include "filtering/validate.hpp"

namespace vida {

class GainObjective::Implementation {
 public:
  Implementation(const Device& device_in, std::span<const FilterProblem> problems, const GainObjectiveOptions& options)
      : device(device_in),
        engine(GainEngine::make(device, problems, options)),
        system(problems[0].system),
        size(static_cast<long>(problems.size())) {}

  Device device;  // keeps the executor alive
  std::unique_ptr<GainEngine> engine;
  StateSpaceModel system;
  long size;
  std::vector<FilterResult> ekf;
};

GainObjective::GainObjective(const Device& device, std::span<const FilterProblem> problems,
                             const GainObjectiveOptions& options)
    : implementation_(std::make_unique<Implementation>(device, problems, options)) {}
GainObjective::~GainObjective() = default;
GainObjective::GainObjective(GainObjective&&) noexcept = default;

const std::vector<FilterResult>& GainObjective::track_ekf() {
  if (implementation_->ekf.empty()) implementation_->ekf = implementation_->engine->track_ekf();
  return implementation_->ekf;
}

std::vector<GainValue> GainObjective::evaluate(std::span<const long> which, std::span<const Matrix> gains,
                                               bool gradient, long iteration) {
  if (which.size() != gains.size())
    throw InvalidArgument(
        fmt::format("evaluate got {} problems and {} gains; give one gain per problem.", which.size(), gains.size()));
  for (const Matrix& gain : gains) validate_gain(gain, implementation_->system);
  for (long problem : which)
    if (problem < 0 || problem >= implementation_->size)
      throw InvalidArgument(
          fmt::format("problem {} does not exist; the objective holds {}.", problem, implementation_->size));
  std::vector<GainValue> values;
  for (GainEvaluation& one :
       implementation_->engine->evaluate(which, gains, {.gradient = gradient, .iteration = iteration}))
    values.push_back(std::move(one.value));
  return values;
}

std::vector<GainValue> GainObjective::evaluate(std::span<const Matrix> gains, bool gradient, long iteration) {
  std::vector<long> all(static_cast<std::size_t>(implementation_->size));
  std::iota(all.begin(), all.end(), 0L);
  return evaluate(all, gains, gradient, iteration);
}

std::size_t GainObjective::memory_bytes() const { return implementation_->engine->memory_bytes(); }
std::size_t GainObjective::reference_bytes() const { return implementation_->engine->reference_bytes(); }

Matrix scaled_transpose(const Matrix& observation_operator, double scale) {
  Matrix gain({observation_operator.extent(1), observation_operator.extent(0)});
  for (long j = 0; j < observation_operator.extent(0); ++j)
    for (long i = 0; i < observation_operator.extent(1); ++i) gain(i, j) = scale * observation_operator(j, i);
  return gain;
}

}  // namespace vida
