#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "golden.hpp"

namespace vida {
namespace {

using testing::Golden;
using ::testing::HasSubstr;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "no InvalidArgument";
}

std::string message_for(const std::function<void(FilterProblem&)>& spoil) {
  FilterProblem problem = Golden::reference_problem(Matrix({3, 40}), Matrix({3, 40}));
  spoil(problem);
  return message_of([&] { validate(problem); });
}

TEST(BadProblem, IsNamedInOneMessage) {
  EXPECT_THAT(message_for([](auto& p) { std::get<Lorenz96>(p.system.model).n = 3; }),
              HasSubstr("model.n is 3, expected at least 4"));
  EXPECT_THAT(message_for([](auto& p) { std::get<Lorenz96>(p.system.model).dt = 0; }),
              HasSubstr("model.dt is 0, expected a positive"));
  EXPECT_THAT(message_for([](auto& p) { std::get<Lorenz96>(p.system.model).forcing = NAN; }),
              HasSubstr("model.forcing is nan"));
  EXPECT_THAT(message_for([](auto& p) { p.system.steps_per_cycle = 0; }), HasSubstr("steps_per_cycle is 0"));
  EXPECT_THAT(message_for([](auto& p) { p.system.observation_noise(2, 2) = 0; }),
              HasSubstr("R is not positive definite"));
  EXPECT_THAT(message_for([](auto& p) { p.system.observation_noise(2, 1) = 0.3; }),
              HasSubstr("R is not symmetric: [2, 1] is 0.3, [1, 2] is 0"));
  EXPECT_THAT(message_for([](auto& p) { p.system.process_noise(0, 0) = -1; }),
              HasSubstr("Q is not positive semi-definite"));
  EXPECT_THAT(message_for([](auto& p) { p.system.initial_covariance(0, 0) = 0; }),
              HasSubstr("C0 is not positive definite"));
  EXPECT_THAT(message_for([](auto& p) { p.system.initial_mean = Vector({39}); }),
              HasSubstr("m0 has 39 entries, expected 40"));
  EXPECT_THAT(message_for([](auto& p) {
                p.data.y = Matrix({3, 20});
              }),
              HasSubstr("y has shape [3, 20], expected [cycle, 40]"));
  EXPECT_THAT(message_for([](auto& p) { p.data.y(1, 5) = INFINITY; }), HasSubstr("y holds inf at [1, 5]"));
  EXPECT_THAT(message_for([](auto& p) {
                p.data.truth = Matrix({4, 40});
              }),
              HasSubstr("truth has shape [4, 40], expected [3, 40]"));
}

TEST(BadProblem, ZeroProcessNoiseAndMissingObservationsAreAllowed) {
  FilterProblem problem = Golden::reference_problem(Matrix({3, 40}, NAN), Matrix());
  problem.system.process_noise = Matrix({40, 40});
  EXPECT_NO_THROW(validate(problem));
}

TEST(BadProblem, OfAnotherShapeThanTheRestOfTheBatchIsRefused) {
  const std::vector<FilterProblem> batch{Golden::reference_problem(Matrix({3, 40}), {}),
                                         Golden::reference_problem(Matrix({4, 40}), {})};
  EXPECT_THAT(message_of([&] { GainObjective(Device::cpu(1), batch); }),
              HasSubstr("problem 1 of the batch has n = 40, p = 40, 4 cycles"));
}

TEST(BadGain, IsNamed) {
  const FilterProblem problem = Golden::reference_problem(Matrix({3, 40}), {});
  GainObjective objective(Device::cpu(1), {&problem, 1});
  const std::vector<Matrix> narrow(1, Matrix({40, 39}));
  EXPECT_THAT(message_of([&] { objective.evaluate(narrow); }), HasSubstr("K has shape [40, 39], expected [40, 40]"));
  const std::vector<Matrix> broken(1, Matrix({40, 40}, NAN));
  EXPECT_THAT(message_of([&] { objective.evaluate(broken); }), HasSubstr("K holds nan at [0, 0]"));
}

TEST(BadOption, IsNamed) {
  const FilterProblem problem = Golden::reference_problem(Matrix({3, 40}), {});
  const auto with = [&](GainObjectiveOptions options) {
    return message_of([&] { GainObjective(Device::cpu(1), {&problem, 1}, options); });
  };
  EXPECT_THAT(with({.expectation = Expectation::monte_carlo, .samples = 0}), HasSubstr("objective.samples is 0"));
  EXPECT_THAT(with({.chunk = 0}), HasSubstr("objective.chunk is 0"));
  EXPECT_THAT(with({.checkpoint_interval = -1}), HasSubstr("objective.checkpoint_interval is -1"));
  EXPECT_THAT(message_of([&] {
                const GainRun run{{0}, scaled_identity(40, 0.4), -1.0};
                learn_gain(Device::cpu(1), {&problem, 1}, {&run, 1}, {});
              }),
              HasSubstr("optimizer.step is -1, expected a positive number"));
}

TEST(BadStructure, IsNamed) {
  const Matrix identity = scaled_identity(40, 1.0);
  EXPECT_THAT(message_of([&] { GainStructure("triangular", identity); }),
              HasSubstr("gain.structure is \"triangular\""));
  EXPECT_THAT(message_of([&] { GainStructure("banded:21", identity); }), HasSubstr("W between 0 and n / 2 = 20"));
  EXPECT_THAT(message_of([&] { GainStructure("circulant", Golden("filter_general_n12_p8.nc").matrix("H")); }),
              HasSubstr("single components"));
  Matrix every_third({13, 40});
  for (long j = 0; j < 13; ++j) every_third(j, 3 * j) = 1;
  EXPECT_THAT(message_of([&] { GainStructure("circulant", every_third); }), HasSubstr("k dividing n = 40"));
}

}  // namespace
}  // namespace vida
