#include "inference/linear_gaussian.hpp"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "random.cuh"
#include "vida/error.hpp"
#include "vida/random.hpp"

namespace vida {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Images = std::span<const std::uint8_t>;

/// Sums over so many products of two bytes are whole numbers below 2^24, which single precision holds exactly.
constexpr long kBlock = 256;

/// Of the mean variance: what a pixel that never changes, or pixels that repeat each other, add to a diagonal.
constexpr double kRidge = 1e-6;
constexpr double kNoiseMean = 0.5, kNoiseVariance = 1.0 / 12;  // of U(0, 1)

Eigen::Map<RowMajor> as_eigen(Matrix& matrix) { return {matrix.data(), matrix.extent(0), matrix.extent(1)}; }
Eigen::Map<const RowMajor> as_eigen(const Matrix& matrix) {
  return {matrix.data(), matrix.extent(0), matrix.extent(1)};
}

void check_images(Images images, int size) {
  if (size < 1 || images.empty() || images.size() % static_cast<std::size_t>(size) != 0)
    throw InvalidArgument(
        fmt::format("a linear-Gaussian model needs images: {} bytes are no images of {} pixels.", images.size(), size));
}

/// The pixels that are not unknown.
std::vector<int> checked_context(int size, std::span<const int> unknown) {
  std::vector<bool> is_unknown(static_cast<std::size_t>(size));
  for (const int pixel : unknown) {
    if (pixel < 0 || pixel >= size)
      throw InvalidArgument(fmt::format("unknown pixel {} is not in an image of {} pixels.", pixel, size));
    if (is_unknown[static_cast<std::size_t>(pixel)])
      throw InvalidArgument(fmt::format("unknown pixel {} is named twice.", pixel));
    is_unknown[static_cast<std::size_t>(pixel)] = true;
  }
  std::vector<int> context;
  for (int pixel = 0; pixel < size; ++pixel)
    if (!is_unknown[static_cast<std::size_t>(pixel)]) context.push_back(pixel);
  if (unknown.empty() || context.empty())
    throw InvalidArgument(fmt::format("{} of {} pixels are unknown, expected some and not all.", unknown.size(), size));
  return context;
}

/// U(0, 1) of a pixel, a pure function of (seed, image, pixel); four neighbours share one Philox block.
double noise(std::uint64_t seed, long image, int pixel) {
  const r123::Philox4x32::ctr_type counter{{static_cast<std::uint32_t>(pixel / 4), 0, static_cast<std::uint32_t>(image),
                                            static_cast<std::uint32_t>(Stream::validation)}};
  const r123::Philox4x32::key_type key{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  return kernels::open_uniform<float>(r123::Philox4x32{}(counter, key)[static_cast<std::size_t>(pixel % 4)], 0);
}

/// These pixels of a block of images as columns.
template <class Real>
auto block(Images images, int size, long first, const std::vector<int>& pixels) {
  const long count = std::min<long>(kBlock, std::ssize(images) / size - first);
  Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic> columns(std::ssize(pixels), count);
  for (long i = 0; i < count; ++i)
    for (long k = 0; k < columns.rows(); ++k)
      columns(k, i) = images[static_cast<std::size_t>((first + i) * size + pixels[static_cast<std::size_t>(k)])];
  return columns;
}

void add_ridge(Eigen::MatrixXd& covariance) {
  covariance.diagonal().array() += kRidge * std::max(covariance.diagonal().mean(), kNoiseVariance);
}

}  // namespace

LinearGaussian::LinearGaussian(Images images, int size, std::span<const int> unknown, std::uint64_t seed)
    : size_(size), unknown_(unknown.begin(), unknown.end()), seed_(seed) {
  check_images(images, size);
  context_ = checked_context(size, unknown);
  const long c = std::ssize(context_), d = std::ssize(unknown_), count = std::ssize(images) / size;
  std::vector<int> pixels = context_;
  pixels.insert(pixels.end(), unknown.begin(), unknown.end());
  Eigen::MatrixXd moments = Eigen::MatrixXd::Zero(size, size);  // lower half
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(size);
  Eigen::MatrixXf products(size, size);
  for (long first = 0; first < count; first += kBlock) {
    const auto bytes = block<float>(images, size, first, pixels);
    products.setZero();
    products.selfadjointView<Eigen::Lower>().rankUpdate(bytes);
    moments += products.cast<double>();
    mean += bytes.rowwise().sum().cast<double>();
  }
  mean /= static_cast<double>(count);
  moments = Eigen::MatrixXd(moments.selfadjointView<Eigen::Lower>()) / static_cast<double>(count);
  Eigen::MatrixXd covariance = moments - mean * mean.transpose();
  // the noise, in expectation: as from infinitely many draws of it for each image
  mean.tail(d).array() += kNoiseMean;
  covariance.diagonal().tail(d).array() += kNoiseVariance;

  Eigen::MatrixXd of_context = covariance.topLeftCorner(c, c);
  add_ridge(of_context);
  const Eigen::MatrixXd across = covariance.topRightCorner(c, d);
  const Eigen::MatrixXd solution = of_context.llt().solve(across);  // W'
  // of u - W c over the images, whatever the ridge did to W: C_uu - W C_cu - C_uc W' + W C_cc W'
  Eigen::MatrixXd residual = covariance.bottomRightCorner(d, d) - solution.transpose() * across -
                             across.transpose() * solution +
                             solution.transpose() * (covariance.topLeftCorner(c, c) * solution);
  add_ridge(residual);
  weights_ = Matrix({d, c}), offset_ = Vector({d}), factor_ = Matrix({d, d});
  as_eigen(weights_) = solution.transpose();
  as_eigen(factor_) = Eigen::MatrixXd(residual.llt().matrixL());
  Eigen::Map<Eigen::VectorXd>(offset_.data(), d) = mean.tail(d) - solution.transpose() * mean.head(c);
}

LinearGaussianScore LinearGaussian::score(Images images) const {
  check_images(images, size_);
  const long d = std::ssize(unknown_), count = std::ssize(images) / size_;
  const auto weights = as_eigen(weights_), factor = as_eigen(factor_);
  const Eigen::Map<const Eigen::VectorXd> offset(offset_.data(), d);
  double distance = 0, error = 0;
  for (long first = 0; first < count; first += kBlock) {
    const auto bytes = block<double>(images, size_, first, unknown_);
    const Eigen::MatrixXd mean = (weights * block<double>(images, size_, first, context_)).colwise() + offset;
    Eigen::MatrixXd deviation = bytes - mean;
    for (long i = 0; i < bytes.cols(); ++i)
      for (long k = 0; k < d; ++k) deviation(k, i) += noise(seed_, first + i, unknown_[static_cast<std::size_t>(k)]);
    distance += factor.triangularView<Eigen::Lower>().solve(deviation).squaredNorm();
    error += ((mean.array() - kNoiseMean).max(0).min(255) - bytes.array()).square().sum();
  }
  const double pixels = static_cast<double>(count * d);
  const double log_root = factor.diagonal().array().log().mean() + 0.5 * std::log(2 * std::numbers::pi);
  return {(0.5 * distance / pixels + log_root) / std::numbers::ln2, error / (pixels * 255 * 255)};
}

double mean_image_error(Images training, Images test, int size, std::span<const int> unknown) {
  check_images(training, size);
  check_images(test, size);
  checked_context(size, unknown);
  const std::size_t pixels = static_cast<std::size_t>(size);
  const std::size_t trained = training.size() / pixels, tested = test.size() / pixels;
  double error = 0;
  for (const int pixel : unknown) {
    double mean = 0;
    for (std::size_t i = static_cast<std::size_t>(pixel); i < training.size(); i += pixels) mean += training[i];
    mean /= static_cast<double>(trained);
    for (std::size_t i = static_cast<std::size_t>(pixel); i < test.size(); i += pixels)
      error += (mean - test[i]) * (mean - test[i]);
  }
  return error / (static_cast<double>(tested * unknown.size()) * 255 * 255);
}

}  // namespace vida
