#include "inference/network.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "backends.hpp"
#include "near.hpp"
#include "network.cuh"

namespace vida {
namespace {

using namespace vida::testing;

std::vector<double> wavy(std::size_t count, double phase) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = std::sin(1.3 * static_cast<double>(i) + phase);
  return values;
}

class Networks : public OnEveryBackend {};

TEST_P(Networks, DropoutKeepsTheMeanAndDrawsAnewInEachStep) {
  const Device on = device();
  Executor& executor = on.executor();
  const int rows = 37;
  const long stride = 640;
  const auto masks = [&](std::uint32_t step, std::uint32_t layer) {
    Buffer<float> values(executor, static_cast<std::size_t>(rows * stride));
    values.upload(std::vector<float>(values.size(), 1));
    const auto clock = uploaded(executor, std::vector<std::uint32_t>{step});
    launch(executor, {.items = (rows + kernels::kDropoutRows - 1) / kernels::kDropoutRows},
           kernels::Dropout<float>{values.data(), stride, rows, 1 << 14, 4.0f / 3, 11, 7, layer, clock.data()});
    return values.download();
  };
  const auto first = masks(0, 0);
  double sum = 0, alike = 0;
  const auto next = masks(1, 0), other = masks(0, 1);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(first[i] == 0 || first[i] == 4.0f / 3);
    sum += static_cast<double>(first[i]);
    alike += (first[i] == next[i]) + (first[i] == other[i]);
  }
  const double count = static_cast<double>(first.size());
  EXPECT_NEAR(sum / count, 1, 4 * std::sqrt(1.0 / 3 / count));  // four standard errors
  EXPECT_NEAR(alike / count / 2, 0.25 * 0.25 + 0.75 * 0.75, 4 * std::sqrt(0.24 / count / 2));
  EXPECT_EQ(masks(0, 0), first);
}

/// The adjoint against central differences of a random combination of the outputs, in double: the error of a central
/// difference of a piecewise quadratic function is rounding.
TEST_P(Networks, BackwardIsTheAdjointOfForward) {
  const Device on = device();
  Executor& executor = on.executor();
  const NetworkLayout layout{.inputs = 7, .widths = {9, 6, 5}};
  const long count = 33, stride = 64;
  const auto start = wavy(static_cast<std::size_t>(layout.size()), 0.4);
  auto parameters = uploaded(executor, start);
  Buffer<double> gradient(executor, start.size()), of_rest(executor, static_cast<std::size_t>(3 * stride));
  const auto inputs = uploaded(executor, wavy(static_cast<std::size_t>(4 * stride), 1.0));
  auto rest_values = wavy(static_cast<std::size_t>(3 * stride), 2.0);
  auto rest = uploaded(executor, rest_values);
  const auto clock = uploaded(executor, std::vector<std::uint32_t>{5});
  auto combination = wavy(static_cast<std::size_t>(5 * stride), 3.0);
  for (std::size_t i = 0; i < combination.size(); ++i)
    if (static_cast<long>(i) % stride >= count) combination[i] = 0;  // the padding has no part in the loss
  Network<double> network(executor, layout, {.dropout = {0.25, 0.5}, .activate_last = true, .number = 3},
                          parameters.data(), gradient.data(), count);
  const NetworkInput<double> parts[] = {{inputs.data(), nullptr, 4}, {rest.data(), of_rest.data(), 3}};
  const auto loss = [&] {
    network.forward(parts, count, {1, clock.data()});
    std::vector<double> outputs(combination.size());
    executor.download(outputs.data(), network.outputs(), outputs.size() * sizeof(double));
    double sum = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) sum += combination[i] * outputs[i];
    return sum;
  };
  loss();
  of_rest.clear();
  auto deltas = uploaded(executor, combination);
  network.backward(parts, false, deltas.data());
  const auto slope = gradient.download(), rest_slope = of_rest.download();
  std::vector<double> differences, expected;
  const double step = 1e-6;
  const auto compare = [&](Buffer<double>& buffer, const std::vector<double>& at, std::size_t i, double found) {
    std::vector<double> moved = at;
    moved[i] = at[i] + step, buffer.upload(moved);
    const double up = loss();
    moved[i] = at[i] - step, buffer.upload(moved);
    differences.push_back((up - loss()) / (2 * step));
    expected.push_back(found);
    buffer.upload(at);
  };
  for (std::size_t i = 0; i < start.size(); i += kOnShim ? 13 : 1) compare(parameters, start, i, slope[i]);
  for (std::size_t i = 0; i < rest_values.size(); i += 17)
    if (static_cast<long>(i) % stride < count) compare(rest, rest_values, i, rest_slope[i]);
  EXPECT_LE(relative_error(differences, expected), 1e-7);

  deltas.upload(combination);
  loss();
  network.backward(parts, true, deltas.data());
  auto twice = slope;
  for (double& value : twice) value *= 2;
  EXPECT_LE(relative_error(gradient.download(), twice), 1e-12);
}

TEST_P(Networks, SharedInputsAreRepeatedForTheirSamples) {
  const Device on = device();
  Executor& executor = on.executor();
  const NetworkLayout layout{.inputs = 11, .widths = {8, 6}};
  const auto parameters = uploaded(executor, wavy(static_cast<std::size_t>(layout.size()), 0.4));
  const int repeat = 13;
  const long images = 5, count = images * repeat, columns = 32, stride = 96;
  const auto shared = wavy(static_cast<std::size_t>(5 * columns), 1.0);
  std::vector<double> each(static_cast<std::size_t>(5 * stride), 0.0);
  for (long row = 0; row < 5; ++row)
    for (long i = 0; i < count; ++i)
      each[static_cast<std::size_t>(row * stride + i)] = shared[static_cast<std::size_t>(row * columns + i / repeat)];
  const auto own = uploaded(executor, wavy(static_cast<std::size_t>(6 * stride), 2.0));
  const auto shared_rows = uploaded(executor, shared), each_rows = uploaded(executor, each);
  const auto outputs = [&](const NetworkInput<double>& context) {
    Network<double> network(executor, layout, {}, parameters.data(), nullptr, count);
    const NetworkInput<double> parts[] = {{own.data(), nullptr, 6}, context};
    network.forward(parts, count);
    std::vector<double> values(static_cast<std::size_t>(6 * stride)), real;
    executor.download(values.data(), network.outputs(), values.size() * sizeof(double));
    for (long row = 0; row < 6; ++row)
      for (long i = 0; i < count; ++i) real.push_back(values[static_cast<std::size_t>(row * stride + i)]);
    return real;
  };
  EXPECT_LE(relative_error(outputs({shared_rows.data(), nullptr, 5, repeat, images}),
                           outputs({each_rows.data(), nullptr, 5})),
            1e-14);
}

TEST_P(Networks, SigmoidErrorsAndCrossEntropyAreTheFormulas) {
  const Device on = device();
  Executor& executor = on.executor();
  const int rows = 5;
  const long stride = 32;
  const std::size_t size = static_cast<std::size_t>(rows * stride);
  const auto values = wavy(size, 0.2), targets = wavy(size, 1.9), weights = wavy(static_cast<std::size_t>(stride), 0.7);
  std::vector<std::int32_t> labels;
  for (int i = 0; i < stride; ++i) labels.push_back(i % rows);
  auto squares = uploaded(executor, values), logits = uploaded(executor, values), chances = uploaded(executor, values);
  const auto on_device = uploaded(executor, targets), w = uploaded(executor, weights);
  const auto l = uploaded(executor, labels);
  Buffer<double> errors(executor, static_cast<std::size_t>(stride)), losses(executor, static_cast<std::size_t>(stride));
  launch_lanes(
      executor, stride,
      kernels::SigmoidSquares<double>{squares.data(), on_device.data(), w.data(), errors.data(), stride, rows});
  launch_lanes(executor, stride,
               kernels::Softmax<double>{logits.data(), l.data(), w.data(), losses.data(), stride, rows});
  launch_lanes(executor, stride, kernels::Softmax<double>{chances.data(), nullptr, nullptr, nullptr, stride, rows});
  std::vector<double> squares_expected(size), errors_expected, logits_expected(size), losses_expected,
      chances_expected(size);
  for (std::size_t i = 0; i < static_cast<std::size_t>(stride); ++i) {
    double error = 0, total = 0;
    const auto at = [&](int r) { return static_cast<std::size_t>(r * stride) + i; };
    for (int r = 0; r < rows; ++r) {
      const double p = 1 / (1 + std::exp(-values[at(r)])), off = p - targets[at(r)];
      error += off * off / rows;
      squares_expected[at(r)] = weights[i] * 2 / rows * off * p * (1 - p);
      total += std::exp(values[at(r)]);
    }
    errors_expected.push_back(error);
    losses_expected.push_back(std::log(total) - values[at(labels[i])]);
    for (int r = 0; r < rows; ++r) {
      chances_expected[at(r)] = std::exp(values[at(r)]) / total;
      logits_expected[at(r)] = weights[i] * (chances_expected[at(r)] - (r == labels[i]));
    }
  }
  EXPECT_LE(relative_error(squares.download(), squares_expected), 1e-13);
  EXPECT_LE(relative_error(errors.download(), errors_expected), 1e-13);
  EXPECT_LE(relative_error(logits.download(), logits_expected), 1e-13);
  EXPECT_LE(relative_error(losses.download(), losses_expected), 1e-13);
  EXPECT_LE(relative_error(chances.download(), chances_expected), 1e-13);
}
VIDA_ON_EVERY_BACKEND(Networks);

}  // namespace
}  // namespace vida
