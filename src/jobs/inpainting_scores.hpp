#pragma once

#include "jobs/inpainting_plan.hpp"

namespace vida::jobs {

/// A mean over test images with its standard error.
struct Mean {
  double value = 0, standard_error = 0;
};
Mean mean_of(const Vector& values);

/// What the test images say of a model.
struct InpaintingReport {
  InpaintingScores scores;
  Vector squared_error;  ///< [image] of the conditional mean, x = byte / 255, mean over the unknown pixels
  Mean bits;             ///< a pixel
  double psnr = 0;       ///< dB of the conditional mean, from the pooled squared error
  double half_nominal = 0, half = 0, most_nominal = 0, most = 0;  ///< coverage of central intervals near 50 and 90 %
  Mean log_loss;  ///< nats, of the class probabilities of completed images
  double accuracy = 0;
  double true_log_loss = 0, true_accuracy = 0;  ///< of the classifier on the whole images
  double linear_bits = 0, linear_psnr = 0;      ///< the linear-Gaussian law
  double mean_psnr = 0;                         ///< the mean training image
};

/// PSNR of a mean squared error of numbers in [0, 1].
double psnr_of(double squared_error);

/// Scores of a model with `model` draws, and of what it is held against. `whole`: the classifier's probabilities on the
/// whole test images.
InpaintingReport report_of(const InpaintingPlan& plan, InpaintingScores scores, const Matrix& whole);

}  // namespace vida::jobs
