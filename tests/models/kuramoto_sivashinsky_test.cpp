#include <gmock/gmock.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "backend/host/team.hpp"
#include "backends.hpp"
#include "filtering/model_data.hpp"
#include "messages.hpp"
#include "vida/vida.hpp"

namespace vida {
namespace {

using ::testing::HasSubstr;

/// Nearly without noise in the initial state.
StateSpaceModel system_of(const KuramotoSivashinsky& model, const std::vector<double>& start, int steps) {
  Vector mean({model.n});
  std::copy(start.begin(), start.end(), mean.begin());
  return {.model = model,
          .steps_per_cycle = steps,
          .process_noise = Matrix({model.n, model.n}),
          .observation_operator = scaled_identity(model.n, 1),
          .observation_noise = scaled_identity(model.n, 1),
          .initial_mean = mean,
          .initial_covariance = scaled_identity(model.n, 1e-30)};
}

std::vector<double> start_of(int n) {
  std::vector<double> u;
  for (int i = 0; i < n; ++i) {
    const double x = 2 * std::numbers::pi * i / n;
    u.push_back(0.1 + std::cos(x) * (1 + std::sin(x)) + 0.3 * std::sin(5 * x));
  }
  return u;
}

/// The state after some steps.
std::vector<double> after(const Device& device, const KuramotoSivashinsky& model, int steps) {
  const StateSpaceModel system = system_of(model, start_of(model.n), steps);
  const TwinOptions twin{.cycles = 1};
  const Observations data = simulate(device, {&system, 1}, {&twin, 1})[0];
  return {data.truth.begin(), data.truth.end()};
}

double apart(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

class KuramotoSivashinskyModel : public testing::OnEveryBackend {};
VIDA_ON_EVERY_BACKEND(KuramotoSivashinskyModel);

/// Numbers of tests/data/kuramoto_sivashinsky.py: the same method with another transform and other coefficients.
TEST_P(KuramotoSivashinskyModel, AgreesWithAnIndependentProgram) {
  const std::vector<double> expected = {
      -0.06994658629356937, -0.1282811267070032, 0.595032713700875,   2.144115371738302,
      1.355426348370323,    -1.537445856484798,  -1.738336001068546,  -0.2961019572811999,
      0.3236453464540545,   0.2411558876922045,  0.07936317743734023, 0.09441457545731469,
      0.09781397372572032,  0.1023919836830757,  0.1570010276738024,  0.1797511219021038};
  EXPECT_LT(apart(after(device(), {.n = 16, .period = 22, .dt = 0.25}, 20), expected), 1e-12);
}

TEST_P(KuramotoSivashinskyModel, KeepsTheMean) {
  const auto u = after(device(), {.n = 64, .period = 30, .dt = 0.25}, 40);
  EXPECT_NEAR(std::accumulate(u.begin(), u.end(), 0.0) / 64, 0.1, 1e-13);
}

/// The order is reached from below: the stiff part of the spectrum is resolved late.
TEST(KuramotoSivashinskyStep, IsOfFourthOrder) {
  const auto at = [&](int steps) { return after(Device::cpu(1), {.n = 32, .period = 22, .dt = 1.0 / steps}, steps); };
  const auto best = at(2048);
  const double coarse = apart(at(128), best), fine = apart(at(256), best);
  EXPECT_NEAR(std::log2(coarse / fine), 4, 0.15);
}

/// J P of one step against differences of the step.
TEST(KuramotoSivashinskyTangent, IsTheDerivativeOfTheStep) {
  using namespace kernels;
  const KuramotoSivashinsky model{.n = 16, .period = 22, .dt = 0.25};
  constexpr int W = host::kPackBytes / static_cast<int>(sizeof(double)), kColumns = 16;
  const ModelShape shape{ModelKind::kuramoto_sivashinsky, model.n, W, model.n,
                         Model<double>::kMatrixOffset + SpectralParameters<double>::elements(model.n)};
  std::vector<double> parameters;
  append_parameters(shape, model, parameters);
  Pieces<double> count;
  (void)Model<double>::Work(count, shape);
  std::vector<double> memory(static_cast<std::size_t>(count.used));
  Pieces<double> pieces{memory.data()};
  const Model<double>::Work work(pieces, shape);
  const Model<double> step{shape, parameters.data()};
  const host::Team team(nullptr);
  const std::vector<double> start = start_of(model.n);
  constexpr double kApart = 1e-5;
  std::vector<double> P(static_cast<std::size_t>(model.n) * kColumns), up(P), down(P), mean = start;
  for (int i = 0; i < model.n; ++i)
    for (int c = 0; c < kColumns; ++c) {
      const auto at = static_cast<std::size_t>(i * kColumns + c);
      P[at] = i == c;
      up[at] = start[static_cast<std::size_t>(i)] + kApart * P[at];
      down[at] = start[static_cast<std::size_t>(i)] - kApart * P[at];
    }
  step.advance(team, up.data(), kColumns, kColumns, 1, work);
  step.advance(team, down.data(), kColumns, kColumns, 1, work);
  step.linearize(team, mean.data(), Tangent::exact, work);
  step.tangent(team, P.data(), kColumns, kColumns, Tangent::exact, work);
  double error = 0;
  for (std::size_t e = 0; e < P.size(); ++e) error = std::max(error, std::abs(P[e] - (up[e] - down[e]) / (2 * kApart)));
  EXPECT_LT(error, 1e-9);  // kApart^2 times third derivatives of order one
  EXPECT_LT(apart(mean, after(Device::cpu(1), model, 1)), 1e-13);
}

/// All points seen every two steps; published for six members: .14.
TEST(KuramotoSivashinskyFilter, FollowsTheTruth) {
  const KuramotoSivashinsky model;
  std::vector<double> start;
  for (int i = 0; i < model.n; ++i) {
    const double x = 2 * std::numbers::pi * i / model.n;
    start.push_back(std::cos(x) * (1 + std::sin(x)));  // without a mean, which would be conserved
  }
  StateSpaceModel system = system_of(model, start, 2);
  const TwinOptions spin_up{.cycles = 1, .spin_up = 149}, twin{.cycles = 200, .seed = 3};
  const Matrix settled = simulate(Device::cpu(1), {&system, 1}, {&spin_up, 1})[0].truth;
  std::copy(settled.begin(), settled.end(), system.initial_mean.begin());
  system.initial_covariance = scaled_identity(model.n, 0.001);
  const FilterProblem problem{.system = system, .data = simulate(Device::cpu(1), {&system, 1}, {&twin, 1})[0]};
  const AssimilationRun run{.filter = {.method = "letkf",
                                       .members = 12,
                                       .inflation = 1.06,
                                       .rotation = true,
                                       .radius = 25 / 1.82,
                                       .local_states = 4}};
  const auto summary = summarize(assimilate(Device::cpu(1), {&problem, 1}, {&run, 1})[0], 100);
  EXPECT_EQ(summary.failed_at, -1);
  EXPECT_EQ(summary.lost_at, -1);
  EXPECT_LT(summary.analysis_error, 0.2);
}

std::string refusal(const KuramotoSivashinsky& model) {
  return testing::message_of([&] { validate(Dynamics(model)); });
}

TEST(BadKuramotoSivashinsky, IsNamed) {
  for (const int n : {4, 12, 0, -8})
    EXPECT_THAT(refusal({.n = n}), HasSubstr("expected a power of two, at least 8")) << n;
  EXPECT_THAT(refusal({.period = 0}), HasSubstr("model.period is 0, expected a positive number"));
  EXPECT_THAT(refusal({.dt = -1}), HasSubstr("model.dt is -1, expected a positive number"));
}

}  // namespace
}  // namespace vida
