#pragma once

#include "io/idx.hpp"
#include "jobs/job.hpp"
#include "vida/inpainting.hpp"

namespace vida::jobs {

/// What a configuration of job "inpainting" asks for, with its images.
struct InpaintingPlan {
  io::ImageSet training, test;
  InpaintingShape shape;
  EpochOptions options;
  ClassifierShape classifier;
  EpochOptions classifier_options;
  std::vector<long> examples;  // of the test images
  int samples = 100;

  ImageView training_images() const { return view(training); }
  ImageView test_images() const { return view(test); }
  static ImageView view(const io::ImageSet& set);
  /// The images that are not held out for validation.
  ImageView fitted_images() const;
};

/// Reads the images and checks that everything fits together. Throws FileError and InvalidArgument.
InpaintingPlan make_inpainting_plan(const io::Config& config);

}  // namespace vida::jobs
