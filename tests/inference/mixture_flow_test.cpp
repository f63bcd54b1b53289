#include "vida/mixture_flow.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "backends.hpp"
#include "golden.hpp"
#include "messages.hpp"
#include "near.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

/// A flow of the golden files: weights, samples, and what they give.
struct GoldenMixtureFlow {
  MixtureFlowShape shape;
  Golden values;

  template <class Real>
  MixtureFlow<Real> flow(const Device& device, const FlowOptions& options = {}) const {
    MixtureFlow<Real> result(device, shape, options);
    const Vector parameters = values.vector("parameters");
    result.set_parameters({parameters.data(), static_cast<std::size_t>(parameters.size())});
    return result;
  }
  template <class Real>
  Array<Real, 2> rows(const std::string& name) const {
    const Matrix m = values.matrix(name);
    Array<Real, 2> result(m.extents());
    std::copy(m.begin(), m.end(), result.begin());
    return result;
  }
  template <class Real>
  Array<Real, 2> context() const {
    return shape.context ? rows<Real>("context") : Array<Real, 2>();
  }
};

GoldenMixtureFlow seven() {
  return {{.dimension = 7,
           .context = 3,
           .moved = {{0, 2, 4, 6}, {1, 3, 5}, {4, 5, 6}, {3, 0, 2, 1}, {2}},
           .hidden = 8,
           .depth = 2,
           .components = 3,
           .scale_limit = 1.5},
          Golden("mixture_flow_d7_c3.nc")};
}
GoldenMixtureFlow affine() {
  return {{.dimension = 4, .moved = {{0, 3}, {1, 2}, {0, 1, 2}}, .hidden = 5, .depth = 1, .components = 0},
          Golden("mixture_flow_affine_d4.nc")};
}

/// A random case of any size: data that the flow has not seen before.
Array<double, 2> wavy(long rows, long columns, double phase) {
  Array<double, 2> result({rows, columns});
  for (long i = 0; i < result.size(); ++i) result.data()[i] = 2 * std::sin(1.7 * static_cast<double>(i) + phase);
  return result;
}

/// Norm-wise: rounding of some thousand operations; the last sample of seven() lies forty deviations out.
template <class Real>
constexpr double kTolerance = sizeof(Real) == 8 ? 1e-10 : 2e-5;

class MixtureFlowGolden : public OnEveryBackend {
 protected:
  template <class Real>
  void expect_values(const GoldenMixtureFlow& golden) {
    auto flow = golden.flow<Real>(device());
    const auto x = golden.rows<Real>("x"), context = golden.context<Real>();
    const auto image = flow.inverse(x, context);
    EXPECT_LE(relative_error(image.points, golden.values.matrix("z")), kTolerance<Real>);
    EXPECT_LE(relative_error(image.log_det, golden.values.vector("log_det")), kTolerance<Real>);
    const auto loss = flow.negative_log_likelihood(x, context);
    EXPECT_LE(relative_error(loss.loss, golden.values.scalar("loss")), kTolerance<Real>);
    EXPECT_LE(relative_error(loss.gradient, golden.values.vector("gradient")), 5 * kTolerance<Real>);
    if (golden.shape.context) {
      EXPECT_LE(relative_error(loss.context_gradient, golden.values.matrix("context_gradient")), 5 * kTolerance<Real>);
    }
    const auto back = flow.forward(image.points, context);
    EXPECT_LE(relative_error(back.points, x), 10 * kTolerance<Real>);
    Array<Real, 1> log_det = back.log_det;
    for (Real& value : log_det) value = -value;
    EXPECT_LE(relative_error(log_det, image.log_det), 10 * kTolerance<Real>);
  }
};

TEST_P(MixtureFlowGolden, MixturesAgreeWithTheGoldenFile) { expect_values<double>(seven()); }
TEST_P(MixtureFlowGolden, MixturesAgreeInSinglePrecision) { expect_values<float>(seven()); }
TEST_P(MixtureFlowGolden, AffineLayersAgreeWithTheGoldenFile) { expect_values<double>(affine()); }
TEST_P(MixtureFlowGolden, AffineLayersAgreeInSinglePrecision) { expect_values<float>(affine()); }

/// Components so narrow and far apart that between them the density underflows: 100 deviations from every mean.
TEST_P(MixtureFlowGolden, InvertsAcrossGapsOfTheMixture) {
  const MixtureFlowShape shape{.dimension = 2, .moved = {{1}}, .hidden = 1, .depth = 1, .components = 2};
  std::vector<double> parameters(static_cast<std::size_t>(flow_parameter_count(shape)), 0.0);
  const std::size_t bias = parameters.size() - 8;  // o, a, two logits, two means, two r
  parameters[bias + 4] = -20, parameters[bias + 5] = 20;
  parameters[bias + 6] = parameters[bias + 7] = -50;  // as narrow as they get, exp(-2.5)
  MixtureFlow<double> flow(device(), shape);
  flow.set_parameters(parameters);
  Array<double, 2> x({41, 2});
  for (long i = 0; i < 41; ++i) x(i, 1) = static_cast<double>(2 * i - 40);
  const auto z = flow.inverse(x);
  const auto back = flow.forward(z.points);
  for (long i = 0; i < 41; ++i) {
    EXPECT_TRUE(std::isfinite(z.log_det(i))) << x(i, 1);
    if (std::abs(x(i, 1)) < 19) {  // z is flat to a slope of exp(-200): any x that gives this z is as good
      EXPECT_NEAR(flow.inverse(back.points).points(i, 1), z.points(i, 1), 1e-9) << x(i, 1);
      continue;
    }
    EXPECT_NEAR(back.points(i, 1), x(i, 1), 1e-9);
  }
}

TEST_P(MixtureFlowGolden, ResultsDoNotDependOnTheChunk) {
  const auto golden = seven();
  const auto x = wavy(600, 7, 0.3), context = wavy(600, 3, 1.1);
  auto whole = golden.flow<double>(device(), {.chunk = 1024}), cut = golden.flow<double>(device(), {.chunk = 256});
  const auto one = whole.inverse(x, context), other = cut.inverse(x, context);
  const auto loss = whole.negative_log_likelihood(x, context), pieces = cut.negative_log_likelihood(x, context);
  if (device().is_cuda()) {  // cuBLAS may choose another kernel for another shape
    EXPECT_LE(relative_error(one.points, other.points), 1e-12);
    EXPECT_LE(relative_error(loss.gradient, pieces.gradient), 1e-12);
    return;
  }
  EXPECT_EQ(one.points, other.points);
  EXPECT_EQ(one.log_det, other.log_det);
  EXPECT_EQ(loss.gradient, pieces.gradient);
  EXPECT_EQ(loss.context_gradient, pieces.context_gradient);
}

TEST_P(MixtureFlowGolden, SaysWhatIsWrongWithItsInput) {
  const auto golden = seven();
  auto flow = golden.flow<double>(device());
  EXPECT_THAT(message_of<InvalidArgument>([&] { flow.inverse(wavy(4, 6, 0), wavy(4, 3, 0)); }),
              HasSubstr("points has shape [4, 6], expected [4, 7]"));
  EXPECT_THAT(message_of<InvalidArgument>([&] { flow.inverse(wavy(4, 7, 0)); }), HasSubstr("context has shape"));
  EXPECT_THAT(message_of<InvalidArgument>([&] { flow.set_parameters(std::vector<double>(3)); }),
              HasSubstr("3 parameters were given"));
}
VIDA_ON_EVERY_BACKEND(MixtureFlowGolden);

TEST(MixtureFlowShape, IsRefusedWhereItCannotBe) {
  const auto complaint = [](MixtureFlowShape shape) {
    return message_of<InvalidArgument>([&] { flow_parameter_count(shape); });
  };
  const MixtureFlowShape good{.dimension = 3, .context = 1, .moved = {{0, 1}, {2}}};
  MixtureFlowShape bad = good;
  bad.moved = {{0, 3}};
  EXPECT_THAT(complaint(bad), HasSubstr("layer 0 moves coordinate 3, expected 0 .. 2"));
  bad.moved = {{0}, {1, 1}};
  EXPECT_THAT(complaint(bad), HasSubstr("layer 1 moves coordinate 1 twice"));
  bad.moved = {{}};
  EXPECT_THAT(complaint(bad), HasSubstr("moves no coordinate"));
  bad.moved = {{0, 1, 2}};
  EXPECT_EQ(flow_parameter_count(bad) > 0, true) << "a context alone may move every coordinate";
  bad.context = 0;
  EXPECT_THAT(complaint(bad), HasSubstr("moves every coordinate"));
  bad = good, bad.moved = {};
  EXPECT_THAT(complaint(bad), HasSubstr("flow.layers is 0"));
  bad = good, bad.components = -1;
  EXPECT_THAT(complaint(bad), HasSubstr("flow.components is -1"));
  bad = good, bad.scale_limit = NAN;
  EXPECT_THAT(complaint(bad), HasSubstr("flow.scale_limit"));
}

TEST(ImageSplits, MoveEachPixelOnceInEveryPairOfLayers) {
  for (const auto& [height, width] : {std::pair{14, 14}, {3, 5}, {1, 4}, {7, 1}, {2, 1}}) {
    const auto splits = image_splits(height, width, 12);
    ASSERT_EQ(splits.size(), 12u);
    for (std::size_t i = 0; i < 12; i += 2) {
      EXPECT_FALSE(splits[i].empty() || splits[i + 1].empty()) << height << " x " << width << ", layer " << i;
      std::set<int> all(splits[i].begin(), splits[i].end());
      all.insert(splits[i + 1].begin(), splits[i + 1].end());
      EXPECT_EQ(all.size(), static_cast<std::size_t>(height * width));
      EXPECT_EQ(splits[i].size() + splits[i + 1].size(), all.size());
    }
  }
  EXPECT_THROW(image_splits(1, 1, 2), InvalidArgument);
}

}  // namespace
}  // namespace vida
