#pragma once

#include "flow.cuh"
#include "images.cuh"
#include "inference/mixture_flow_engine.hpp"
#include "vida/inpainting.hpp"

namespace vida {

/// Throws InvalidArgument for a block that does not lie in the image or leaves nothing around it, and sizes below 1.
void validate(const InpaintingShape& shape);
/// Throws InvalidArgument for images of another size than the shape's, or none.
void require_images(const InpaintingShape& shape, const ImageView& images);

/// Where the parameters of encoder, head and flow lie, in this order.
struct InpaintingLayout {
  explicit InpaintingLayout(const InpaintingShape& shape);
  NetworkLayout encoder, head;
  MixtureFlowLayout flow;
  long head_offset() const { return encoder.size(); }
  long flow_offset() const { return head_offset() + head.size(); }
  long size() const { return flow_offset() + flow.size(); }
};
std::vector<double> initial_inpainting_parameters(const InpaintingShape& shape, std::uint64_t seed);

/// A PixelMap in device memory.
class DevicePixelMap {
 public:
  DevicePixelMap(Executor& executor, const PixelMap& map);
  kernels::PixelLaws laws() const { return {lower_.data(), upper_.data(), mean_.data(), deviation_.data()}; }

 private:
  Buffer<double> lower_, upper_, mean_, deviation_;
};

/// Which uniforms dequantise the pixels: those of image first, first + 1, ... at a step.
struct Dequantisation {
  std::uint64_t seed = 0;
  Stream stream = Stream::dequantisation;
  long first = 0;
  const std::uint32_t* clock = nullptr;  // device memory: the step; null: 0
};

/// Encoder, head and flow on a batch of images in device memory.
class InpaintingModel {
 public:
  /// Room for `images`, and in the flow for `samples` of each. `gradient` null: no training. Parameters and gradient
  /// outlive the model.
  InpaintingModel(Executor& executor, const InpaintingShape& shape, const PixelMap& map, const float* parameters,
                  float* gradient, long images, int samples, const EpochOptions& options = {});

  /// Device memory of such a model, without its parameters and their gradient.
  static std::size_t bytes(const InpaintingShape& shape, bool gradient, long images, int samples);

  Executor& executor() const { return executor_; }
  const InpaintingShape& shape() const { return shape_; }
  const InpaintingLayout& layout() const { return layout_; }
  long images() const { return images_; }
  long stride() const { return round_up(images_, kernels::kFlowStride); }  ///< of one column for each image

  void load(const std::uint8_t* pixels, long images);
  /// Known pixels to features.
  void encode_context(const DropoutDraws& draws = {});
  /// Unknown pixels to the flow's numbers, the log determinant of the map included; one sample for each image.
  /// `dequantised` [unknown, stride] gets the pixels with their uniforms; null: not wanted.
  void encode_pixels(const Dequantisation& draws, double* dequantised = nullptr);
  /// values <- -log q of the loaded images in nats, without dropout; `weights` as MixtureFlowEngine takes them.
  void likelihood(const Dequantisation& draws, const float* weights, float* values);
  /// to[j, image] = scale byte + shift of the unknown pixels, or of the known ones.
  void spread(bool unknown, float* to, float scale, float shift);

  Network<float> encoder, head;
  MixtureFlowEngine<float> flow;
  DevicePixelMap map;
  /// The encoder's output as input of the flow, for one or more samples of each image.
  NetworkInput<float> features(int samples) const;
  NetworkInput<float> known() const { return {context_.data(), nullptr, shape_.known()}; }
  Buffer<float>& features_gradient() { return features_gradient_; }

 private:
  Executor& executor_;
  InpaintingShape shape_;
  InpaintingLayout layout_;
  long images_ = 0;
  Buffer<std::uint8_t> bytes_;
  Buffer<int> unknown_, known_;
  Buffer<float> context_, log_slopes_, features_gradient_;
  float* features_;
};

}  // namespace vida
