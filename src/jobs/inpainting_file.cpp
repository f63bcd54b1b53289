#include "jobs/inpainting_file.hpp"

#include <fmt/format.h>

#include <cmath>

#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

std::size_t size(long value) { return static_cast<std::size_t>(value); }

template <int Rank>
Array<double, Rank> doubles(const Array<float, Rank>& from) {
  Array<double, Rank> result(from.extents());
  std::copy(from.begin(), from.end(), result.begin());
  return result;
}

void put_per_image(io::NetcdfWriter& file, const InpaintingPlan& plan, const InpaintingReport& report) {
  const std::vector<long> labels(plan.test.labels.begin(), plan.test.labels.end());
  put_index(file, "image", plan.test.count, "test image");
  put_index(file, "class", plan.classifier.classes, "class");
  std::vector<long> rows, columns;
  for (const int pixel : plan.shape.unknown_pixels())
    rows.push_back(pixel / plan.shape.columns), columns.push_back(pixel % plan.shape.columns);
  file.put("pixel_row", {"pixel"}, {std::ssize(rows)}, rows, {"row of an unknown pixel"});
  file.put("pixel_column", {"pixel"}, {std::ssize(rows)}, columns, {"column of an unknown pixel"});
  file.put("label", {"image"}, {std::ssize(labels)}, labels, {"class of the test image"});
  file.put("bits", {"image"}, report.scores.bits, {"-log2 q(unknown | known) for each unknown pixel", "bit"});
  file.put("squared_error", {"image"}, report.squared_error,
           {"of the conditional mean, byte / 255, mean over the unknown pixels"});
  file.put("class_probability", {"image", "class"}, report.scores.probability,
           {"the classifier's on completed images, mean over the draws"});
  file.put("pixel_mean", {"image", "pixel"}, doubles(report.scores.mean), {"conditional mean of the bytes"});
  file.put("pixel_deviation", {"image", "pixel"}, doubles(report.scores.deviation),
           {"conditional standard deviation of the bytes"});
  file.put("rank", {"image", "pixel"}, doubles(report.scores.rank),
           {"draws below the dequantised true pixel; uniform where q is exact"});
}

void put_examples(io::NetcdfWriter& file, const InpaintingPlan& plan, const InpaintingReport& report,
                  const Array<std::uint8_t, 3>& drawn) {
  const long examples = std::ssize(plan.examples), rows = plan.shape.rows, columns = plan.shape.columns;
  const auto unknown = plan.shape.unknown_pixels();
  Matrix known({rows, columns}, 1.0);
  for (const int pixel : unknown) known.data()[pixel] = 0;
  file.put("known", {"row", "column"}, known, {"1: the pixel is observed, 0: it is in-painted"});
  if (!examples) return;
  Array<double, 3> truth({examples, rows, columns}), mean(truth), deviation(truth);
  Array<double, 4> sample({examples, plan.samples, rows, columns});
  Matrix probability({examples, plan.classifier.classes});
  std::vector<long> labels;
  for (long e = 0; e < examples; ++e) {
    const long image = plan.examples[size(e)];
    const std::uint8_t* pixels = plan.test.image(image);
    labels.push_back(plan.test.labels[size(image)]);
    std::copy_n(pixels, rows * columns, &truth(e, 0, 0));
    std::copy_n(pixels, rows * columns, &mean(e, 0, 0));
    for (long c = 0; c < plan.classifier.classes; ++c) probability(e, c) = report.scores.probability(image, c);
    for (long k = 0; k < std::ssize(unknown); ++k) {
      (&mean(e, 0, 0))[unknown[size(k)]] = static_cast<double>(report.scores.mean(image, k));
      (&deviation(e, 0, 0))[unknown[size(k)]] = static_cast<double>(report.scores.deviation(image, k));
    }
    for (long s = 0; s < plan.samples; ++s) {
      std::copy_n(pixels, rows * columns, &sample(e, s, 0, 0));
      for (long k = 0; k < std::ssize(unknown); ++k) (&sample(e, s, 0, 0))[unknown[size(k)]] = drawn(e, s, k);
    }
  }
  file.put("example", {"example"}, {examples}, plan.examples, {"test image"});
  file.put("example_label", {"example"}, {examples}, labels, {"its class"});
  file.put("truth", {"example", "row", "column"}, truth, {"bytes of the test image"});
  file.put("mean", {"example", "row", "column"}, mean, {"conditional mean of the bytes"});
  file.put("deviation", {"example", "row", "column"}, deviation, {"conditional standard deviation of the bytes"});
  file.put("sample", {"example", "sample", "row", "column"}, sample, {"completed images, bytes"});
  file.put("example_probability", {"example", "class"}, probability, {"of the classes"});
}

}  // namespace

void write_inpainting_result(const std::filesystem::path& path, const Device& device, const io::Config& config,
                             const InpaintingPlan& plan, const EpochFit& fit, const InpaintingReport& report,
                             const Array<std::uint8_t, 3>& drawn) {
  io::NetcdfWriter file(path);
  describe(file, config, device, "In-painting with a conditional flow");
  if (!fit.losses.empty()) {
    file.put("loss", {"step"}, {std::ssize(fit.losses)}, std::span<const double>(fit.losses),
             {"-log2 q for each unknown pixel, mean over the batch of the step", "bit"});
    file.put("validation", {"validated"}, {std::ssize(fit.validation)}, std::span<const double>(fit.validation),
             {"the same over the images held out", "bit"});
    file.put("validated_after", {"validated"}, {std::ssize(fit.validation)},
             std::span<const double>(fit.validated_after), {"steps taken before each validation"});
  }
  put_per_image(file, plan, report);
  put_examples(file, plan, report, drawn);
  file.close();
}

std::string inpainting_table(const InpaintingPlan& plan, const InpaintingReport& report,
                             const InpaintingSeconds& seconds) {
  std::string text = fmt::format("{:<24}{:>12}{:>12}{:>16}{:>10}\n", fmt::format("{} test images", plan.test.count),
                                 "bits/pixel", "PSNR [dB]", "class log-loss", "accuracy");
  text += fmt::format("{:<24}{:>12.3f}{:>12.2f}{:>16.3f}{:>10.3f}\n", "flow", report.bits.value, report.psnr,
                      report.log_loss.value, report.accuracy);
  text += fmt::format("{:<24}{:>12.3f}{:>12.2f}\n", "linear-Gaussian", report.linear_bits, report.linear_psnr);
  text += fmt::format("{:<24}{:>12}{:>12.2f}\n", "mean image", "", report.mean_psnr);
  text += fmt::format("{:<24}{:>12}{:>12}{:>16.3f}{:>10.3f}\n", "the whole images", "", "", report.true_log_loss,
                      report.true_accuracy);
  text +=
      fmt::format("{:.1f} % of the true pixels in their central {:.1f} % intervals, {:.1f} % in those of {:.1f} %\n",
                  100 * report.most, 100 * report.most_nominal, 100 * report.half, 100 * report.half_nominal);
  if (std::isfinite(seconds.training))
    text += fmt::format("training {:.1f} s, ", seconds.training + seconds.classifier);
  return text + fmt::format("{} draws of each image in {:.1f} s\n", plan.samples, seconds.sampling);
}

}  // namespace vida::jobs
