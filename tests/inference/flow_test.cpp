#include "vida/flow.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "backend/executor.hpp"
#include "backends.hpp"
#include "golden.hpp"
#include "inference/flow_engine.hpp"
#include "io/safetensors.hpp"
#include "near.hpp"
#include "vida/optimizer.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

/// log N(y; G(u), 1e-3 I) + log N(u; 0, I) of the BOD model at the first observation of the golden files, and its
/// gradient, from the formulas.
double oxygen_demand(const double* u, double* gradient) {
  constexpr double y[] = {.1615, .1868, .3949, .3728, .4177}, variance = 1e-3;
  const auto cdf = [](double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; };
  const auto density = [](double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); };
  const double A = 0.4 + 0.8 * cdf(u[0]), B = 0.01 + 0.3 * cdf(u[1]);
  double value = -std::log(2 * std::numbers::pi) - (u[0] * u[0] + u[1] * u[1]) / 2;
  gradient[0] = -u[0], gradient[1] = -u[1];
  for (int t = 1; t <= 5; ++t) {
    const double decay = std::exp(-B * t), residual = y[t - 1] - A * (1 - decay);
    value -= (std::log(2 * std::numbers::pi * variance) + residual * residual / variance) / 2;
    gradient[0] += residual / variance * (1 - decay) * 0.8 * density(u[0]);
    gradient[1] += residual / variance * A * t * decay * 0.3 * density(u[1]);
  }
  return value;
}

using PointFunction = std::function<double(const double* point, double* gradient)>;

/// A target computed on the host, point by point.
template <class Real>
FlowTarget<Real> on_host(const Device& device, int d, PointFunction function) {
  return [device, d, function](const FlowTargetBatch<Real>& batch) {
    const auto size = static_cast<std::size_t>(batch.problems * batch.stride), n = static_cast<std::size_t>(d);
    std::vector<Real> points(size * n), gradient(size * n), value(size);
    device.executor().download(points.data(), batch.points, points.size() * sizeof(Real));
    std::vector<double> point(n), slope(n);
    for (long p = 0; p < batch.problems; ++p)
      for (long i = 0; i < batch.stride; ++i) {
        const auto at = [&](std::size_t k) {
          return (static_cast<std::size_t>(p) * n + k) * static_cast<std::size_t>(batch.stride) +
                 static_cast<std::size_t>(i);
        };
        for (std::size_t k = 0; k < n; ++k) point[k] = static_cast<double>(points[at(k)]);
        value[static_cast<std::size_t>(p * batch.stride + i)] = static_cast<Real>(function(point.data(), slope.data()));
        for (std::size_t k = 0; k < n; ++k) gradient[at(k)] = static_cast<Real>(slope[k]);
      }
    device.executor().upload(batch.log_density, value.data(), value.size() * sizeof(Real));
    device.executor().upload(batch.gradient, gradient.data(), gradient.size() * sizeof(Real));
  };
}

/// A flow of the golden files: weights, samples, and what they give.
struct GoldenFlow {
  explicit GoldenFlow(const std::string& name, const FlowShape& s)
      : shape(s), values(name + ".nc"), tensors(std::string(VIDA_TEST_DATA) + "/" + name + ".safetensors") {}
  FlowShape shape;
  Golden values;
  io::Safetensors tensors;

  /// The parameter vector of tensors whose names begin with `prefix` in place of "params".
  std::vector<double> vector(const std::string& prefix) const {
    std::vector<double> result(static_cast<std::size_t>(flow_parameter_count(shape)), NAN);
    for (const FlowTensor& t : flow_tensors(shape)) {
      const std::string name = prefix + t.name.substr(t.name.find('.'));
      const auto copy = [&](const auto& from) { std::copy(from.begin(), from.end(), result.begin() + t.offset); };
      if (t.extents.size() == 2)
        copy(tensors.array<double, 2>(name, {t.extents[0], t.extents[1]}));
      else
        copy(tensors.array<double, 1>(name, {t.extents[0]}));
    }
    return result;
  }

  template <class Real>
  Array<Real, 3> rows(const std::string& name) const {
    const Matrix m = values.matrix(name);
    Array<Real, 3> result({1, m.extent(0), m.extent(1)});
    std::copy(m.begin(), m.end(), result.begin());
    return result;
  }
  template <class Real>
  Array<Real, 3> context() const {
    return shape.context ? rows<Real>("context") : Array<Real, 3>();
  }

  template <class Real>
  Flow<Real> flow(const Device& device) const {
    Flow<Real> result(device, shape);
    result.set_parameters(0, vector("params"));
    return result;
  }
};

GoldenFlow plane() { return GoldenFlow("flow_d2", {.dimension = 2, .layers = 6, .hidden = 16}); }
GoldenFlow seven() { return GoldenFlow("flow_d7_c3", {.dimension = 7, .context = 3, .layers = 4, .hidden = 24}); }

/// Norm-wise: rounding of some thousand operations, whose condition is below a hundred.
template <class Real>
constexpr double kTolerance = sizeof(Real) == 8 ? 1e-10 : 1e-5;

class FlowGolden : public OnEveryBackend {
 protected:
  template <class Real>
  void expect_values(const GoldenFlow& golden) {
    auto flow = golden.flow<Real>(device());
    const auto z = golden.rows<Real>("z"), x = golden.rows<Real>("x"), context = golden.context<Real>();
    const auto forward = flow.forward(z, context), inverse = flow.inverse(x, context);
    EXPECT_LE(relative_error(forward.points, golden.values.matrix("x_of_z")), kTolerance<Real>);
    EXPECT_LE(relative_error(forward.log_det, golden.values.vector("logdet_of_z")), kTolerance<Real>);
    EXPECT_LE(relative_error(inverse.points, golden.values.matrix("z_of_x")), kTolerance<Real>);
    EXPECT_LE(relative_error(inverse.log_det, golden.values.vector("logdet_inverse_of_x")), kTolerance<Real>);
    EXPECT_LE(relative_error(flow.log_density(x, context), golden.values.vector("log_prob_of_x")), kTolerance<Real>);
    EXPECT_LE(relative_error(flow.inverse(forward.points, context).points, z), kTolerance<Real>);
    const auto nll = flow.negative_log_likelihood(x, context);
    EXPECT_LE(relative_error(nll.loss[0], golden.values.scalar("nll")), kTolerance<Real>);
    EXPECT_LE(relative_error(nll.gradient, golden.vector("grad_nll")), kTolerance<Real>);
  }

  template <class Real>
  void expect_reverse_kl() {
    const GoldenFlow golden = plane();
    const Device on = device();  // work on it is ordered, between two devices it is not
    auto flow = golden.flow<Real>(on);
    const auto z = golden.rows<Real>("z");
    const auto target = on_host<Real>(on, 2, oxygen_demand);
    const auto first = flow.reverse_kl(z, target);
    EXPECT_LE(relative_error(first.loss[0], golden.values.scalar("reverse_kl_loss")), kTolerance<Real>);
    EXPECT_LE(relative_error(first.gradient, golden.vector("grad_reverse_kl")), kTolerance<Real>);

    auto parameters = golden.vector("params");
    Adam adam(1e-3);
    for (int step = 0; step < 10; ++step) {
      const auto loss = flow.reverse_kl(z, target);
      adam.step(parameters, std::vector<double>(loss.gradient.begin(), loss.gradient.end()));
      flow.set_parameters(0, parameters);
    }
    EXPECT_LE(relative_error(parameters, golden.vector("adam10")), kTolerance<Real>);
    EXPECT_LE(relative_error(flow.reverse_kl(z, target).loss[0], golden.values.scalar("reverse_kl_loss_after_adam10")),
              kTolerance<Real>);
  }
};
VIDA_ON_EVERY_BACKEND(FlowGolden);

TEST_P(FlowGolden, TwoDimensions) { expect_values<double>(plane()); }
TEST_P(FlowGolden, TwoDimensionsFloat32) { expect_values<float>(plane()); }
TEST_P(FlowGolden, SevenDimensionsWithContext) { expect_values<double>(seven()); }
TEST_P(FlowGolden, SevenDimensionsWithContextFloat32) { expect_values<float>(seven()); }
TEST_P(FlowGolden, ReverseKlAndTenStepsOfAdam) { expect_reverse_kl<double>(); }
TEST_P(FlowGolden, ReverseKlAndTenStepsOfAdamFloat32) { expect_reverse_kl<float>(); }

/// Points without any order.
template <class Real>
Array<Real, 3> scattered(long problems, long samples, long width, double phase) {
  Array<Real, 3> result({problems, samples, width});
  long i = 0;
  for (Real& value : result) value = static_cast<Real>(1.5 * std::sin(phase + 12.9898 * static_cast<double>(++i)));
  return result;
}

/// Flows that move far from the identity, each problem its own.
template <class Real>
Flow<Real> flows(const Device& device, const FlowShape& shape, long problems = 1, const FlowOptions& options = {}) {
  Flow<Real> result(device, shape, problems, options);
  for (long p = 0; p < problems; ++p)
    result.set_parameters(p, initial_flow_parameters(shape, 5, static_cast<std::uint32_t>(p), false));
  return result;
}

using FlowFacts = OnEveryBackend;
VIDA_ON_EVERY_BACKEND(FlowFacts);

TEST_P(FlowFacts, ZeroLastMapsGiveTheIdentity) {
  const FlowShape shape{.dimension = 3, .context = 2, .layers = 3, .hidden = 5};
  Flow<double> flow(device(), shape);
  flow.set_parameters(0, initial_flow_parameters(shape, 1));
  const auto z = scattered<double>(1, 9, 3, 0);
  const auto image = flow.forward(z, scattered<double>(1, 9, 2, 4));
  EXPECT_EQ(relative_error(image.points, z), 0);
  for (double value : image.log_det) EXPECT_EQ(value, 0);
}

TEST_P(FlowFacts, LogDetIsThatOfTheJacobian) {
  const FlowShape shape{.dimension = 3, .context = 1, .layers = 5, .hidden = 8, .depth = 3, .scale_limit = 0.7};
  auto flow = flows<double>(device(), shape);
  const auto context = scattered<double>(1, 1, 1, 2);
  Array<double, 3> z({1, 7, 3});  // a point, and steps of 1e-5 each way
  for (long i = 0; i < 7; ++i)
    for (long k = 0; k < 3; ++k) z(0, i, k) = 0.4 - 0.3 * static_cast<double>(k);
  for (long k = 0; k < 3; ++k) z(0, 1 + k, k) += 1e-5, z(0, 4 + k, k) -= 1e-5;
  const auto image = flow.forward(z, context);
  double J[3][3];
  for (long k = 0; k < 3; ++k)
    for (long i = 0; i < 3; ++i) J[i][k] = (image.points(0, 1 + k, i) - image.points(0, 4 + k, i)) / 2e-5;
  const double determinant = J[0][0] * (J[1][1] * J[2][2] - J[1][2] * J[2][1]) -
                             J[0][1] * (J[1][0] * J[2][2] - J[1][2] * J[2][0]) +
                             J[0][2] * (J[1][0] * J[2][1] - J[1][1] * J[2][0]);
  EXPECT_NEAR(std::log(std::abs(determinant)), image.log_det(0, 0),
              1e-8);  // differences lose 1e-16 / 1e-5, a step 1e-10
}

TEST_P(FlowFacts, DensityIntegratesToOne) {
  if (on_cuda() && kOnShim) GTEST_SKIP() << "too many points for the shim";
  const FlowShape shape{.dimension = 2, .context = 1, .layers = 4, .hidden = 8};
  auto flow = flows<double>(device(), shape);
  constexpr long kSide = 400;  // the trapezium rule on [-12, 12]^2, of which the corners hold nothing
  Array<double, 3> x({1, kSide * kSide, 2});
  const double step = 24.0 / kSide;
  for (long i = 0; i < kSide * kSide; ++i)
    x(0, i, 0) = -12 + step * static_cast<double>(i / kSide), x(0, i, 1) = -12 + step * static_cast<double>(i % kSide);
  double mass = 0;
  for (double value : flow.log_density(x, scattered<double>(1, 1, 1, 2))) mass += std::exp(value) * step * step;
  EXPECT_NEAR(mass, 1,
              1e-4);  // LeakyReLU bends the density, so the rule is of second order: step^2 / 12 = 3e-4 at most
}

/// Central differences of a loss along a direction through all parameters, and along one through the contexts.
struct Directional {
  FlowShape shape{.dimension = 5, .context = 2, .layers = 3, .hidden = 6};
  long samples = 40;
  std::vector<double> parameters = initial_flow_parameters(shape, 3, 0, false);
  std::vector<double> towards = initial_flow_parameters(shape, 4, 0, false);
  Array<double, 3> points = scattered<double>(1, samples, 5, 1), context = scattered<double>(1, samples, 2, 2),
                   context_towards = scattered<double>(1, samples, 2, 3);

  template <class Loss>
  void expect_gradient(const Device& device, Loss loss) {
    Flow<double> flow(device, shape);
    const auto at = [&](double along, double along_context, FlowGradients wanted) {
      std::vector<double> moved = parameters;
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += along * towards[i];
      Array<double, 3> c = context;
      for (long i = 0; i < c.size(); ++i) c.data()[i] += along_context * context_towards.data()[i];
      flow.set_parameters(0, moved);
      return loss(flow, points, c, wanted);
    };
    const auto here = at(0, 0, {.parameters = true, .context = true});
    double slope = 0, context_slope = 0;
    for (std::size_t i = 0; i < towards.size(); ++i) slope += towards[i] * here.gradient.data()[i];
    for (long i = 0; i < context.size(); ++i)
      context_slope += context_towards.data()[i] * here.context_gradient.data()[i];
    constexpr double h = 1e-6;  // rounding of the loss over h: 1e-9; LeakyReLU bends at a few samples at worst
    const auto value = [&](double a, double b) { return at(a, b, {.parameters = false}).loss[0]; };
    EXPECT_LE(relative_error(slope, (value(h, 0) - value(-h, 0)) / (2 * h)), 1e-6);
    EXPECT_LE(relative_error(context_slope, (value(0, h) - value(0, -h)) / (2 * h)), 1e-6);
  }
};

TEST_P(FlowFacts, GradientOfTheLikelihoodIsItsDifferenceQuotient) {
  Directional().expect_gradient(device(), [](Flow<double>& flow, const auto& x, const auto& c, FlowGradients wanted) {
    return flow.negative_log_likelihood(x, c, wanted);
  });
}

/// log N(x; 0.2, diag) with a slant: any smooth density does.
double slanted_normal(const double* x, double* gradient) {
  double value = 0;
  for (int k = 0; k < 5; ++k) {
    const double r = x[k] - 0.2 - (k ? 0.3 * x[k - 1] : 0);
    value -= r * r;
    gradient[k] = -2 * r;
    if (k) gradient[k - 1] += 0.6 * r;
  }
  return value;
}

TEST_P(FlowFacts, GradientOfReverseKlIsItsDifferenceQuotient) {
  const Device on = device();
  const auto target = on_host<double>(on, 5, slanted_normal);
  Directional().expect_gradient(on, [&](Flow<double>& flow, const auto& z, const auto& c, FlowGradients wanted) {
    return flow.reverse_kl(z, target, c, wanted);
  });
}

/// With the flow itself as target every draw's gradient is zero when it sticks to the landing, and only the mean of the
/// usual estimator is.
TEST_P(FlowFacts, StickingToTheLandingHasNoVarianceAtTheOptimum) {
  const FlowShape shape{.dimension = 5, .context = 2, .layers = 3, .hidden = 6};
  const Device on = device();
  auto flow = flows<double>(on, shape), copy = flows<double>(on, shape);
  const auto z = scattered<double>(1, 20, 5, 1), c = scattered<double>(1, 1, 2, 2);
  const auto target = on_host<double>(on, 5, [&](const double* x, double* gradient) {
    const auto density = [&](int k, double step) {
      Array<double, 3> point({1, 1, 5});
      std::copy(x, x + 5, point.data());
      point(0, 0, k) += step;
      return copy.log_density(point, c)(0, 0);
    };
    for (int k = 0; k < 5; ++k) gradient[k] = (density(k, 1e-5) - density(k, -1e-5)) / 2e-5;
    return density(0, 0);
  });
  const auto norm = [](const FlowLoss<double>& loss) {
    double squares = 0;
    for (double g : loss.gradient) squares += g * g;
    return std::sqrt(squares);
  };
  const auto landed = flow.reverse_kl(z, target, c, {}, true), usual = flow.reverse_kl(z, target, c);
  EXPECT_LE(norm(landed), 1e-7 * norm(usual));  // the target's gradient is good to 1e-9
  EXPECT_EQ(landed.loss[0], usual.loss[0]);
}

TEST_P(FlowFacts, DrawsDependOnSeedProblemAndNumberAlone) {
  const FlowShape shape{.dimension = 3, .layers = 2, .hidden = 4};
  auto both = flows<double>(device(), shape, 2), one = Flow<double>(device(), shape);
  one.set_parameters(0, both.parameters(1));
  const auto all = both.sample({.seed = 9}, 70).points;
  const auto part = one.sample({.seed = 9, .first_problem = 1, .first = 30}, 20).points;
  for (long i = 0; i < 20; ++i)
    for (long k = 0; k < 3; ++k) EXPECT_EQ(part(0, i, k), all(1, 30 + i, k));
  Flow<double> identity(device(), shape);
  const auto z = identity.sample({.seed = 9}, 3).points;
  EXPECT_EQ(z(0, 2, 1), standard_normal({.seed = 9, .stream = Stream::training, .problem = 0, .step = 2}, 1));
}

/// The kernel works with the bias corrections folded into step and epsilon, so it agrees to rounding.
TEST_P(FlowFacts, AdamOnTheDeviceIsTheOptimizer) {
  const FlowShape shape{.layers = 2, .hidden = 40};
  const Device on = device();
  auto expected = initial_flow_parameters(shape, 1);
  const auto parameters = uploaded(on.executor(), expected);
  FlowEngine<double> engine(on.executor(), shape, 1, 32, parameters.data(), true);
  const FlowTrainingOptions options{
      .schedule = LearningSchedule::constant, .beta1 = 0.8, .beta2 = 0.99, .epsilon = 1e-6, .clip = 0};
  engine.set_count(32, 32);
  on.executor().clear(engine.values(), 32 * sizeof(double));
  FlowOptimizer<double> optimizer(on.executor(), engine.optimized(), options, 5, {0.01});
  Adam adam(0.01, 0.8, 0.99, 1e-6);
  std::vector<double> gradient(expected.size());
  for (long t = 1; t <= 5; ++t) {
    for (std::size_t i = 0; i < gradient.size(); ++i)
      gradient[i] = std::sin(static_cast<double>(i) + static_cast<double>(t));
    on.executor().upload(engine.gradient(), gradient.data(), gradient.size() * sizeof(double));
    optimizer.step(engine.sum_shards(), engine.shards(), 1.0 / static_cast<double>(engine.count()));
    adam.step(expected, gradient);
  }
  EXPECT_LE(relative_error(parameters.download(), expected), 1e-13);
}

/// Every number a flow gives, for comparisons bit by bit.
template <class Real>
std::vector<double> everything(const Device& device, long chunk, long problems, long only = -1) {
  const FlowShape shape{.dimension = 5, .context = 3, .layers = 3, .hidden = 37};
  const long first = only < 0 ? 0 : only, count = only < 0 ? problems : 1, samples = 700;
  Flow<Real> flow(device, shape, count, {.chunk = chunk});
  const auto all_x = scattered<Real>(problems, samples, 5, 1), all_c = scattered<Real>(problems, samples, 3, 2);
  Array<Real, 3> x({count, samples, 5}), c({count, samples, 3});
  std::copy_n(all_x.data() + first * samples * 5, x.size(), x.data());
  std::copy_n(all_c.data() + first * samples * 3, c.size(), c.data());
  for (long p = 0; p < count; ++p)
    flow.set_parameters(p, initial_flow_parameters(shape, 5, static_cast<std::uint32_t>(first + p), false));
  std::vector<double> numbers;
  const auto append = [&](const auto& values) {
    for (auto value : values) numbers.push_back(static_cast<double>(value));
  };
  const auto target = on_host<Real>(device, 5, slanted_normal);
  for (const auto& loss : {flow.negative_log_likelihood(x, c, {.context = true}),
                           flow.reverse_kl(x, target, c, {}, false), flow.reverse_kl(x, target, c, {}, true)}) {
    append(loss.loss);
    append(loss.gradient);
    append(loss.context_gradient);
  }
  const auto image = flow.sample({.seed = 2, .first_problem = static_cast<std::uint32_t>(first)}, samples, c);
  append(image.points);
  append(image.log_det);
  append(flow.log_density(x, c));
  return numbers;
}

TEST(FlowInvariance, SameBitsForAnyThreadsChunksAndBatch) {
  const auto whole = everything<double>(Device::cpu(1), 1024, 1);
  for (int threads : {1, 2, 3})
    for (long chunk : {256L, 512L, 0L}) {
      EXPECT_EQ(everything<double>(Device::cpu(threads), chunk, 1), whole) << threads << " threads, chunk " << chunk;
      EXPECT_EQ(everything<float>(Device::cpu(threads), chunk, 1), everything<float>(Device::cpu(1), 1024, 1));
    }
}

TEST(FlowInvariance, SameBitsAloneAndInABatch) {
  const auto batch = everything<float>(Device::cpu(2), 256, 3);
  std::vector<double> alone;
  for (long p = 0; p < 3; ++p) {
    const auto one = everything<float>(Device::cpu(2), 256, 3, p);
    for (double value : one) EXPECT_TRUE(std::isfinite(value));
    alone.insert(alone.end(), one.begin(), one.end());
  }
  auto sorted = batch;
  std::sort(sorted.begin(), sorted.end());
  std::sort(alone.begin(), alone.end());
  EXPECT_EQ(sorted, alone);  // the same numbers, whose order differs
}

TEST(FlowInput, IsRefusedByMessage) {
  const auto message_of = [](auto call) {
    try {
      call();
    } catch (const InvalidArgument& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const Device cpu = Device::cpu(1);
  const auto shape = [&](const FlowShape& s) { return message_of([&] { Flow<float>(cpu, s); }); };
  EXPECT_THAT(shape({.dimension = 1}), HasSubstr("flow.dimension is 1, expected at least 2"));
  EXPECT_THAT(shape({.context = -1}), HasSubstr("flow.context is -1"));
  EXPECT_THAT(shape({.layers = 0}), HasSubstr("flow.layers is 0"));
  EXPECT_THAT(shape({.hidden = 0}), HasSubstr("flow.hidden is 0"));
  EXPECT_THAT(shape({.depth = 0}), HasSubstr("flow.depth is 0"));
  EXPECT_THAT(shape({.scale_limit = NAN}), HasSubstr("flow.scale_limit is nan"));
  EXPECT_THAT(message_of([&] { Flow<float>(cpu, {}, 0); }), HasSubstr("flow.problems is 0"));
  EXPECT_THAT(message_of([&] { Flow<float>(cpu, {}, 1, {.chunk = 100}); }), HasSubstr("expected a multiple of 256"));
  Flow<float> flow(cpu, {.dimension = 3, .context = 2});
  EXPECT_THAT(message_of([&] { flow.set_parameters(0, std::vector<double>(7)); }),
              HasSubstr("7 parameters were given, but a flow of this shape has " +
                        std::to_string(flow_parameter_count(flow.shape()))));
  EXPECT_THAT(message_of([&] { flow.parameters(1); }), HasSubstr("problem 1 was asked for, but the batch holds 1"));
  const Array<float, 3> x({1, 4, 3}), c({1, 4, 2}), wrong({1, 4, 1});
  EXPECT_THAT(message_of([&] { flow.forward(wrong, c); }), HasSubstr("points has shape [1, 4, 1], expected [1, 4, 3]"));
  EXPECT_THAT(message_of([&] { flow.forward(x, wrong); }),
              HasSubstr("context has shape [1, 4, 1], expected [1, 4, 2]"));
  EXPECT_THAT(message_of([&] { flow.forward(x); }), HasSubstr("context has shape [0, 0, 0]"));
  EXPECT_THAT(message_of([&] { flow.sample({}, 0, c); }), HasSubstr("0 draws were asked for"));
  EXPECT_THAT(message_of([&] { flow.sample({.first = (1L << 32) - 2}, 4, c); }), HasSubstr("stay between 0 and 2^32"));
}

}  // namespace
}  // namespace vida
