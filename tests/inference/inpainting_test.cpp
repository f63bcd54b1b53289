// Training and use of in-painting models and classifiers.

#include "vida/inpainting.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "backends.hpp"
#include "inference/images/inpainting_objective.hpp"
#include "inference/linear_gaussian.hpp"
#include "messages.hpp"
#include "near.hpp"

namespace vida {
namespace {

using namespace vida::testing;
using ::testing::HasSubstr;

/// Images of 8 x 8 whose left and right side are dark or light, and whose middle is dark where the two agree: no linear
/// law of the sides knows it. Class 1: dark.
struct Sides {
  static constexpr int kSide = 8;
  std::vector<std::uint8_t> pixels, labels;

  explicit Sides(long count, std::uint32_t seed) {
    std::mt19937 random(seed);
    for (long i = 0; i < count; ++i) {
      const bool left = random() % 2, right = random() % 2;
      for (int row = 0; row < kSide; ++row)
        for (int column = 0; column < kSide; ++column) {
          const bool inside = row > 1 && row < 6 && column > 1 && column < 6;
          const bool dark = inside ? left == right : column < 4 ? left : right;
          pixels.push_back(static_cast<std::uint8_t>(dark ? 180 + random() % 60 : random() % 8));
        }
      labels.push_back(left == right);
    }
  }
  ImageView view() const { return {pixels, labels, kSide, kSide}; }
};

InpaintingShape small_shape() {
  return {.rows = 8,
          .columns = 8,
          .block = {2, 2, 4, 4},
          .encoder = 32,
          .features = 16,
          .layers = 4,
          .hidden = 32,
          .depth = 2,
          .components = 3};
}

EpochOptions short_training(int epochs) {
  EpochOptions options;
  options.epochs = epochs, options.batch = 32, options.validation = 64, options.seed = 3;
  return options;
}

double mean_of(const Vector& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

class Inpainting : public OnEveryBackend {};

TEST_P(Inpainting, LearnsWhatALinearLawCannot) {
  if (kOnShim && on_cuda()) GTEST_SKIP() << "full-size training; its kernels run in kernels_on_shim_test";
  const Sides training(1200, 1), test(200, 2);
  const InpaintingShape shape = small_shape();
  const PixelMap map = pixel_map_of(training.view(), shape);
  const ClassifierShape classifier{.pixels = 64, .hidden = {16, 8}, .classes = 2};
  const EpochFit fit = fit_inpainting(device(), training.view(), map, shape, short_training(30));
  const EpochFit judge = fit_classifier(device(), training.view(), classifier, short_training(5));
  Inpainter inpainter(device(), shape, map, fit.parameters, classifier, judge.parameters, 4);
  const InpaintingScores scores = inpainter.score(test.view(), 30);
  const LinearGaussian linear(training.pixels, 64, shape.unknown_pixels(), 0);
  EXPECT_LT(mean_of(scores.bits), linear.score(test.pixels).bits_per_dimension - 1);
  double squares = 0, right = 0;
  for (long i = 0; i < 200; ++i) {
    for (long k = 0; k < shape.unknown(); ++k) {
      const int pixel = shape.unknown_pixels()[static_cast<std::size_t>(k)];
      const double error = scores.mean(i, k) - test.pixels[static_cast<std::size_t>(i * 64 + pixel)];
      squares += error * error / 255 / 255 / 200 / shape.unknown();
    }
    right += scores.probability(i, test.labels[static_cast<std::size_t>(i)]) > 0.5;
  }
  EXPECT_LT(squares, 0.3 * mean_image_error(training.pixels, test.pixels, 64, shape.unknown_pixels()));
  EXPECT_GT(right, 180);
  EXPECT_LT(fit.validation.back(), fit.validation.front());
  EXPECT_NEAR(mean_of(scores.bits), *std::min_element(fit.validation.begin(), fit.validation.end()), 0.5);
}

/// The slope of the loss along its gradient is the gradient's squared norm. The weight of the squared error, which the
/// values do not hold, is negligible.
TEST_P(Inpainting, GradientIsThatOfTheLoss) {
  const Sides sides(32, 5);
  const InpaintingShape shape = small_shape();
  const Device on = device();
  Executor& executor = on.executor();
  EpochOptions options = short_training(1);
  options.mean_weight = 1e-20;
  auto start = initial_inpainting_parameters(shape, 7);
  for (std::size_t i = 0; i < start.size(); ++i) start[i] += 0.05 * std::sin(static_cast<double>(i));
  Buffer<float> parameters(executor, start.size()), gradient(executor, start.size());
  InpaintingObjective objective(executor, shape, pixel_map_of(sides.view(), shape), parameters.data(), gradient.data(),
                                options);
  objective.load(sides.pixels.data(), nullptr, 32);
  ShardSummer<float> sums(executor, 32);
  const auto loss_at = [&](const std::vector<float>& direction, double step) {
    std::vector<float> values(start.begin(), start.end());
    for (std::size_t i = 0; i < direction.size(); ++i) values[i] += static_cast<float>(step) * direction[i];
    parameters.upload(values);
    objective.differentiate({options.seed, nullptr});
    return objective.unit() * sums.total(objective.values(), 32) / 32;
  };
  loss_at({}, 0);
  const auto slope = gradient.download();
  double square = 0;
  for (const float value : slope) square += static_cast<double>(value) * static_cast<double>(value);
  const double step = 2e-3 / std::sqrt(square);  // curvature and rounding are below a hundredth at this length
  const double difference = (loss_at(slope, step) - loss_at(slope, -step)) / (2 * step);
  EXPECT_LE(relative_error(difference, square), 0.02);
}

TEST_P(Inpainting, ShiftsMoveTrainingImagesAndNothingElse) {
  const Sides sides(160, 6);
  const InpaintingShape shape = small_shape();
  const PixelMap map = pixel_map_of(sides.view(), shape);
  EpochOptions options = short_training(2);
  const EpochFit still = fit_inpainting(device(), sides.view(), map, shape, options);
  options.shift = 1;
  const EpochFit moved = fit_inpainting(device(), sides.view(), map, shape, options);
  EXPECT_NE(moved.losses, still.losses);
  EXPECT_EQ(fit_inpainting(device(), sides.view(), map, shape, options).parameters, moved.parameters);
  std::vector<std::uint8_t> blank(sides.pixels.size(), 0);  // a shift leaves nothing of its own behind
  const ImageView empty{blank, sides.labels, 8, 8};
  options.shift = 0;
  const EpochFit none = fit_inpainting(device(), empty, map, shape, options);
  options.shift = 3;
  EXPECT_EQ(fit_inpainting(device(), empty, map, shape, options).parameters, none.parameters);
}

TEST_P(Inpainting, DrawsBelongToTheImageAndNotToItsCompany) {
  const Sides sides(60, 8);
  const InpaintingShape shape = small_shape();
  const PixelMap map = pixel_map_of(sides.view(), shape);
  auto parameters = initial_inpainting_parameters(shape, 7);
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] += 0.05 * std::sin(static_cast<double>(i));
  Inpainter inpainter(device(), shape, map, parameters, {}, {}, 9);
  const auto all = inpainter.sample(sides.view().part(0, 10), 4);
  const auto one = inpainter.sample(sides.view().part(7, 1), 4, 7);
  const auto scores = inpainter.score(sides.view().part(0, 10), 4);
  EXPECT_TRUE(scores.probability.empty());
  for (long k = 0; k < shape.unknown(); ++k) {
    double sum = 0;
    for (long s = 0; s < 4; ++s) {
      sum += all(7, s, k) / 4.0;
      EXPECT_EQ(one(0, s, k), all(7, s, k));
    }
    EXPECT_FLOAT_EQ(scores.mean(7, k), static_cast<float>(sum));
    EXPECT_GE(scores.rank(7, k), 0);
    EXPECT_LE(scores.rank(7, k), 4);
  }
  EXPECT_EQ(inpainter.bits(sides.view().part(7, 1), 7)(0), inpainter.bits(sides.view().part(0, 10))(7));
}
VIDA_ON_EVERY_BACKEND(Inpainting);

TEST(InpaintingOnTheCpu, DoesNotDependOnTheThreads) {
  const Sides sides(160, 6);
  const InpaintingShape shape = small_shape();
  const auto fit = [&](int threads) {
    return fit_inpainting(Device::cpu(threads), sides.view(), pixel_map_of(sides.view(), shape), shape,
                          short_training(2))
        .parameters;
  };
  EXPECT_EQ(fit(1), fit(3));
}

TEST(InpaintingInput, IsRefusedWhereItCannotBe) {
  const Device cpu = Device::cpu(1);
  const Sides sides(160, 6);
  const InpaintingShape shape = small_shape();
  const PixelMap map = pixel_map_of(sides.view(), shape);
  const auto complaint = [&](const InpaintingShape& s, const EpochOptions& options) {
    return message_of<InvalidArgument>([&] { fit_inpainting(cpu, sides.view(), map, s, options); });
  };
  InpaintingShape bad = shape;
  bad.block = {5, 2, 4, 4};
  EXPECT_THAT(complaint(bad, short_training(1)), HasSubstr("do not lie in images of 8 x 8 pixels"));
  bad.block = {0, 0, 8, 8};
  EXPECT_THAT(complaint(bad, short_training(1)), HasSubstr("the unknown block is the whole image"));
  bad = shape, bad.rows = 9;
  EXPECT_THAT(complaint(bad, short_training(1)), HasSubstr("the images have 8 x 8 pixels"));
  bad = shape, bad.features = 0;
  EXPECT_THAT(complaint(bad, short_training(1)), HasSubstr("flow.features is 0"));
  EpochOptions options = short_training(1);
  options.validation = 150;
  EXPECT_THAT(complaint(shape, options), HasSubstr("too few for one train.batch of 32"));
  options = short_training(1), options.dropout = 1;
  EXPECT_THAT(complaint(shape, options), HasSubstr("train.dropout is 1"));
  options = short_training(1), options.step = NAN;
  EXPECT_THAT(complaint(shape, options), HasSubstr("train.step is nan"));

  ImageView unlabelled = sides.view();
  unlabelled.labels = {};
  const ClassifierShape two{.pixels = 64, .hidden = {8, 4}, .classes = 2};
  EXPECT_THAT(message_of<InvalidArgument>([&] { fit_classifier(cpu, unlabelled, two, short_training(1)); }),
              HasSubstr("160 images but 0 labels"));
  const ClassifierShape one{.pixels = 64, .hidden = {8, 4}, .classes = 1};
  EXPECT_THAT(message_of<InvalidArgument>([&] { fit_classifier(cpu, sides.view(), one, short_training(1)); }),
              HasSubstr("is not a class, expected 0 .. 0"));
  EXPECT_THAT(message_of<InvalidArgument>([&] { Inpainter(cpu, shape, map, std::vector<double>(3), {}, {}, 0); }),
              HasSubstr("3 parameters were given"));
}

}  // namespace
}  // namespace vida
