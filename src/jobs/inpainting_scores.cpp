#include "jobs/inpainting_scores.hpp"

#include <algorithm>
#include <cmath>

#include "inference/linear_gaussian.hpp"

namespace vida::jobs {
namespace {

/// -log of the probability that each image's class has, and the share of images whose class is the likeliest.
struct ClassScores {
  Vector log_loss;
  double accuracy = 0;
};

ClassScores class_scores(const Matrix& probability, const ImageView& images) {
  ClassScores scores{Vector({images.count()}), 0};
  for (long i = 0; i < images.count(); ++i) {
    const double* p = &probability(i, 0);
    const long classes = probability.extent(1), label = images.labels[static_cast<std::size_t>(i)];
    const double own = label < classes ? p[label] : 0;
    scores.log_loss(i) = -std::log(std::max(own, 1e-12));
    scores.accuracy += std::max_element(p, p + classes) - p == label ? 1.0 : 0.0;
  }
  scores.accuracy /= static_cast<double>(images.count());
  return scores;
}

/// Of `draws` draws, those below the truth are 0 .. draws; the central ones that hold at least `share` of them.
struct Central {
  int low, high;
  double nominal;
};
Central central(int draws, double share) {
  const int outside = static_cast<int>(std::floor((draws + 1) * (1 - share) / 2));
  return {outside, draws - outside, (draws + 1.0 - 2 * outside) / (draws + 1.0)};
}

double coverage(const Array<float, 2>& rank, const Central& ranks) {
  double inside = 0;
  for (const float r : rank) inside += r >= static_cast<float>(ranks.low) && r <= static_cast<float>(ranks.high);
  return inside / static_cast<double>(rank.size());
}

Vector squared_errors(const InpaintingPlan& plan, const Array<float, 2>& mean) {
  const auto unknown = plan.shape.unknown_pixels();
  Vector errors({plan.test.count});
  for (long i = 0; i < plan.test.count; ++i) {
    for (std::size_t k = 0; k < unknown.size(); ++k) {
      const double truth = plan.test.image(i)[unknown[k]];
      const double error = (static_cast<double>(mean(i, static_cast<long>(k))) - truth) / 255;
      errors(i) += error * error;
    }
    errors(i) /= static_cast<double>(unknown.size());
  }
  return errors;
}

}  // namespace

double psnr_of(double squared_error) { return -10 * std::log10(squared_error); }

Mean mean_of(const Vector& values) {
  const double count = static_cast<double>(values.size());
  double sum = 0, square = 0;
  for (const double value : values) sum += value;
  const double mean = sum / count;
  for (const double value : values) square += (value - mean) * (value - mean);
  return {mean, count > 1 ? std::sqrt(square / (count - 1) / count) : std::nan("")};
}

InpaintingReport report_of(const InpaintingPlan& plan, InpaintingScores scores, const Matrix& whole) {
  InpaintingReport report;
  const ImageView test = plan.test_images(), fitted = plan.fitted_images();
  report.bits = mean_of(scores.bits);
  report.squared_error = squared_errors(plan, scores.mean);
  report.psnr = psnr_of(mean_of(report.squared_error).value);
  const Central half = central(plan.samples, 0.5), most = central(plan.samples, 0.9);
  report.half_nominal = half.nominal, report.half = coverage(scores.rank, half);
  report.most_nominal = most.nominal, report.most = coverage(scores.rank, most);
  const ClassScores classes = class_scores(scores.probability, test), truth = class_scores(whole, test);
  report.log_loss = mean_of(classes.log_loss), report.accuracy = classes.accuracy;
  report.true_log_loss = mean_of(truth.log_loss).value, report.true_accuracy = truth.accuracy;
  const auto unknown = plan.shape.unknown_pixels();
  const LinearGaussian linear(fitted.pixels, fitted.size(), unknown, plan.options.seed);
  const LinearGaussianScore score = linear.score(test.pixels);
  report.linear_bits = score.bits_per_dimension, report.linear_psnr = psnr_of(score.squared_error);
  report.mean_psnr = psnr_of(mean_image_error(fitted.pixels, test.pixels, fitted.size(), unknown));
  report.scores = std::move(scores);
  return report;
}

}  // namespace vida::jobs
