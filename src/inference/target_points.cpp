#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "inference/prepared_target.hpp"
#include "vida/target.hpp"

namespace vida {
namespace {

void check_observation(const Target& target, std::span<const double> y) {
  if (static_cast<int>(y.size()) != target.observations())
    throw InvalidArgument(
        fmt::format("target {} takes {} observations; got {}.", target.name(), target.observations(), y.size()));
}

/// One point at a time, in a pack of which the first element counts.
class PointEvaluator {
 public:
  PointEvaluator(std::shared_ptr<const Target> target, std::span<const double> y)
      : device_(Device::cpu(1)),
        target_(std::move(target)),
        d_(target_->dimension()),
        prepared_(prepare<double>(*target_, device_.executor())),
        observations_(uploaded(device_.executor(), std::vector<double>(y.begin(), y.end()))),
        points_(device_.executor(), size()),
        gradient_(device_.executor(), size()),
        values_(device_.executor(), kDrawStride) {
    points_.clear();
  }

  double operator()(std::span<const double> u) {
    for (long k = 0; k < d_; ++k)
      points_.upload(&u[static_cast<std::size_t>(k)], 1, static_cast<std::size_t>(k * kDrawStride));
    prepared_->evaluate({1, kDrawStride, points_.data(), observations_.data(), values_.data(), gradient_.data()});
    double value = 0;
    values_.download(&value, 1);
    return value;
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(d_ * kDrawStride); }
  Device device_;
  std::shared_ptr<const Target> target_;
  long d_;
  std::unique_ptr<PreparedTarget<double>> prepared_;
  Buffer<double> observations_, points_, gradient_, values_;
};

}  // namespace

void check_observations(const char* caller, const Target& target, const Matrix& observations) {
  if (observations.extent(1) != target.observations())
    throw InvalidArgument(fmt::format("{}: observations have shape {}; target {} needs [problem, {}].", caller,
                                      to_string<2>(observations.extents()), target.name(), target.observations()));
  for (long i = 0; i < observations.extent(0); ++i)
    for (long t = 0; t < observations.extent(1); ++t)
      if (!std::isfinite(observations(i, t)))
        throw InvalidArgument(fmt::format("{}: observation {} of problem {} is {}; expected a finite number.", caller,
                                          t, i, observations(i, t)));
}

Matrix log_density(const Device& device, const Target& target, View<const double, 3> u, const Matrix& observations) {
  const long problems = u.extent(0), count = u.extent(1), d = target.dimension(), p = target.observations();
  if (u.extent(2) != d || observations.extents() != Extents<2>{problems, p})
    throw InvalidArgument(
        fmt::format("log_density: target {} takes points [problem, point, {}] and observations [problem, {}]; got {} "
                    "and {}.",
                    target.name(), d, p, to_string<3>(u.extents()), to_string<2>(observations.extents())));
  Matrix result({problems, count});
  if (result.empty()) return result;
  Executor& executor = device.executor();
  const long stride = round_up(count, kDrawStride);
  std::vector<double> columns(static_cast<std::size_t>(problems * d * stride), 0.0);
  for (long j = 0; j < problems; ++j)
    for (long i = 0; i < count; ++i)
      for (long k = 0; k < d; ++k) columns[static_cast<std::size_t>((j * d + k) * stride + i)] = u(j, i, k);
  const auto points = uploaded(executor, columns);
  const auto y = uploaded(executor, std::vector<double>(observations.begin(), observations.end()));
  Buffer<double> values(executor, static_cast<std::size_t>(problems * stride)), gradient(executor, columns.size());
  prepare<double>(target, executor)
      ->evaluate({problems, stride, points.data(), y.data(), values.data(), gradient.data()});
  const auto padded = values.download();
  for (long j = 0; j < problems; ++j) std::copy_n(padded.begin() + j * stride, count, &result(j, 0));
  return result;
}

std::vector<double> log_density(const Device& device, const Target& target, View<const double, 2> u,
                                std::span<const double> y) {
  check_observation(target, y);
  Matrix observations({1, target.observations()});
  std::copy(y.begin(), y.end(), observations.begin());
  const Matrix values =
      log_density(device, target, View<const double, 3>(u.data(), {1, u.extent(0), u.extent(1)}), observations);
  return {values.begin(), values.end()};
}

JointDraws simulate(const Device& device, const Target& target, long count, std::uint64_t seed, long first) {
  if (count < 1) throw InvalidArgument(fmt::format("simulate: {} draws asked for, expected at least 1.", count));
  Executor& executor = device.executor();
  const long d = target.dimension(), p = target.observations(), stride = round_up(count, kDrawStride);
  const auto take = [&](long rows) { return Buffer<double>(executor, static_cast<std::size_t>(rows * stride)); };
  Buffer<double> u = take(d), noise = take(p), y = take(p);
  prepare<double>(target, executor)
      ->simulate({count, stride, seed, first, 0, nullptr, u.data(), noise.data(), y.data()});
  const auto transposed = [&](const Buffer<double>& from, long rows) {
    const auto columns = from.download();
    Matrix result({count, rows});
    for (long i = 0; i < count; ++i)
      for (long k = 0; k < rows; ++k) result(i, k) = columns[static_cast<std::size_t>(k * stride + i)];
    return result;
  };
  return {transposed(u, d), transposed(y, p)};
}

std::function<double(std::span<const double>)> log_density_function(std::shared_ptr<const Target> target,
                                                                    std::span<const double> y) {
  check_observation(*target, y);
  const auto evaluator = std::make_shared<PointEvaluator>(std::move(target), y);
  return [evaluator](std::span<const double> u) { return (*evaluator)(u); };
}

}  // namespace vida
