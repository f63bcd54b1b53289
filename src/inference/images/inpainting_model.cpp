#include "inference/images/inpainting_model.hpp"

#include <fmt/format.h>

#include "network.cuh"
#include "vida/error.hpp"

namespace vida {
namespace {

using namespace kernels;

constexpr float kScale = 2.0f / 255, kShift = -0.26f;  // known pixels of digits have about mean 0 then

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

std::vector<int> pixels_where(const InpaintingShape& shape, bool unknown) {
  std::vector<int> result;
  const ImageBlock& b = shape.block;
  for (int row = 0; row < shape.rows; ++row)
    for (int column = 0; column < shape.columns; ++column) {
      const bool inside = row >= b.top && row < b.top + b.height && column >= b.left && column < b.left + b.width;
      if (inside == unknown) result.push_back(row * shape.columns + column);
    }
  return result;
}

void add(std::vector<FlowTensor>& tensors, const NetworkLayout& net, const std::string& name, long offset) {
  for (int k = 0; k < net.maps(); ++k) {
    tensors.push_back({fmt::format("{}.{}.weight", name, k), offset + net.weight(k), {net.out(k), net.in(k)}});
    tensors.push_back({fmt::format("{}.{}.bias", name, k), offset + net.bias(k), {net.out(k)}});
  }
}

}  // namespace

ImageView ImageView::part(long first, long images) const {
  return {pixels.subspan(count_of(first * size()), count_of(images * size())),
          labels.empty() ? labels : labels.subspan(count_of(first), count_of(images)), rows, columns};
}

std::vector<int> InpaintingShape::unknown_pixels() const { return pixels_where(*this, true); }
std::vector<int> InpaintingShape::known_pixels() const { return pixels_where(*this, false); }

MixtureFlowShape InpaintingShape::flow() const {
  return {.dimension = unknown(),
          .context = features,
          .moved = image_splits(block.height, block.width, layers),
          .hidden = hidden,
          .depth = depth,
          .components = components,
          .scale_limit = scale_limit};
}

void validate_block(const InpaintingShape& shape) {
  const ImageBlock& b = shape.block;
  if (b.height < 1 || b.width < 1 || long{b.height} * b.width < 2 || b.top < 0 || b.left < 0 ||
      b.top + b.height > shape.rows || b.left + b.width > shape.columns)
    throw InvalidArgument(
        fmt::format("the unknown block has rows {} .. {} and columns {} .. {}, which do not lie in images of {} x {} "
                    "pixels. Set mask.top, mask.left, mask.height and mask.width (at least two pixels).",
                    b.top, b.top + b.height - 1, b.left, b.left + b.width - 1, shape.rows, shape.columns));
  if (shape.known() == 0)
    throw InvalidArgument("the unknown block is the whole image: nothing is known of it. Make mask.height smaller.");
}

void validate(const InpaintingShape& shape) {
  validate_block(shape);
  for (const auto& [name, value] : {std::pair{"encoder", shape.encoder}, {"features", shape.features}})
    if (value < 1) throw InvalidArgument(fmt::format("flow.{} is {}, expected at least 1.", name, value));
  validate(shape.flow());
}

void require_images(const InpaintingShape& shape, const ImageView& images) {
  if (images.rows != shape.rows || images.columns != shape.columns)
    throw InvalidArgument(fmt::format("the images have {} x {} pixels, but the model was made for {} x {}.",
                                      images.rows, images.columns, shape.rows, shape.columns));
  if (images.count() < 1) throw InvalidArgument("there are no images.");
}

PixelMap pixel_map_of(const ImageView& images, const InpaintingShape& shape) {
  require_images(shape, images);
  const auto unknown = shape.unknown_pixels();
  std::vector<std::uint8_t> pixels;
  pixels.reserve(unknown.size() * count_of(images.count()));
  for (long i = 0; i < images.count(); ++i)
    for (const int pixel : unknown) pixels.push_back(images.pixels[count_of(i * images.size() + pixel)]);
  return PixelMap(pixels, shape.unknown());
}

InpaintingLayout::InpaintingLayout(const InpaintingShape& shape)
    : encoder{shape.known(), {shape.encoder, shape.features}},
      head{shape.features, {shape.unknown()}},
      flow(shape.flow()) {}

std::vector<FlowTensor> inpainting_tensors(const InpaintingShape& shape) {
  validate(shape);
  const InpaintingLayout layout(shape);
  std::vector<FlowTensor> tensors;
  add(tensors, layout.encoder, "encoder", 0);
  add(tensors, layout.head, "head", layout.head_offset());
  for (FlowTensor tensor : flow_tensors(shape.flow())) {
    tensor.offset += layout.flow_offset();
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

std::vector<double> initial_inpainting_parameters(const InpaintingShape& shape, std::uint64_t seed) {
  const InpaintingLayout layout(shape);
  auto parameters = initial_network_parameters(layout.encoder, seed, 0);
  const auto head = initial_network_parameters(layout.head, seed, layout.head_offset());
  const auto flow = initial_flow_parameters(shape.flow(), seed + 1);
  parameters.insert(parameters.end(), head.begin(), head.end());
  parameters.insert(parameters.end(), flow.begin(), flow.end());
  return parameters;
}

DevicePixelMap::DevicePixelMap(Executor& executor, const PixelMap& map)
    : lower_(uploaded(executor, map.lower())),
      upper_(uploaded(executor, map.upper())),
      mean_(uploaded(executor, map.mean())),
      deviation_(uploaded(executor, map.deviation())) {}

InpaintingModel::InpaintingModel(Executor& executor, const InpaintingShape& shape, const PixelMap& pixel_map,
                                 const float* parameters, float* gradient, long images, int samples,
                                 const EpochOptions& options)
    : encoder(executor, InpaintingLayout(shape).encoder,
              {.dropout = {options.input_dropout}, .activate_last = true, .number = 0}, parameters, gradient, images),
      head(executor, InpaintingLayout(shape).head, {.number = 1}, parameters + InpaintingLayout(shape).head_offset(),
           gradient ? gradient + InpaintingLayout(shape).head_offset() : nullptr, images),
      flow(executor, shape.flow(), parameters + InpaintingLayout(shape).flow_offset(),
           gradient ? gradient + InpaintingLayout(shape).flow_offset() : nullptr, images * samples,
           {.dropout = options.dropout, .first_number = 2}),
      map(executor, pixel_map),
      executor_(executor),
      shape_(shape),
      layout_(shape) {
  const long stride = round_up(images, kFlowStride);
  bytes_ = Buffer<std::uint8_t>(executor, count_of(images * shape.rows * shape.columns));
  unknown_ = uploaded(executor, shape.unknown_pixels()), known_ = uploaded(executor, shape.known_pixels());
  context_ = Buffer<float>(executor, count_of(shape.known() * stride));
  log_slopes_ = Buffer<float>(executor, count_of(shape.unknown() * stride));
  if (gradient) features_gradient_ = Buffer<float>(executor, count_of(shape.features * stride));
  features_ = encoder.outputs();
}

std::size_t InpaintingModel::bytes(const InpaintingShape& shape, bool gradient, long images, int samples) {
  const InpaintingLayout layout(shape);
  const long rows = shape.known() + shape.unknown() + (gradient ? shape.features : 0);
  return Network<float>::bytes(layout.encoder, gradient, images) +
         Network<float>::bytes(layout.head, gradient, images) +
         MixtureFlowEngine<float>::bytes(shape.flow(), gradient, images * samples) +
         sizeof(float) * count_of(rows * round_up(images, kFlowStride)) + count_of(images * shape.rows * shape.columns);
}

void InpaintingModel::load(const std::uint8_t* pixels, long images) {
  images_ = images;
  bytes_.upload(pixels, count_of(images * shape_.rows * shape_.columns));
}

void InpaintingModel::spread(bool unknown, float* to, float scale, float shift) {
  const Buffer<int>& pixels = unknown ? unknown_ : known_;
  launch(executor_, {.items = static_cast<long>(pixels.size())},
         SpreadPixels<float>{bytes_.data(), pixels.data(), to, stride(), images_, shape_.rows * shape_.columns, scale,
                             shift});
}

void InpaintingModel::encode_context(const DropoutDraws& draws) {
  spread(false, context_.data(), kScale, kShift);
  const NetworkInput<float> inputs[] = {known()};
  encoder.forward(inputs, images_, draws);
}

void InpaintingModel::encode_pixels(const Dequantisation& draws, double* dequantised) {
  flow.set_count(images_);
  launch(executor_, {.items = shape_.unknown()},
         EncodePixels<float>{bytes_.data(), unknown_.data(), map.laws(), flow.points(), log_slopes_.data(), dequantised,
                             stride(), images_, draws.first, shape_.rows * shape_.columns, draws.seed,
                             static_cast<std::uint32_t>(draws.stream), 0, draws.clock});
  launch_lanes(executor_, stride(),
               AddRows<float>{log_slopes_.data(), flow.log_det(), stride(), shape_.unknown(), 1.0f});
}

void InpaintingModel::likelihood(const Dequantisation& draws, const float* weights, float* values) {
  encode_context();
  encode_pixels(draws);
  flow.inverse(features(1));
  flow.likelihood_terms(weights, values);
}

NetworkInput<float> InpaintingModel::features(int samples) const {
  return {features_, samples == 1 ? features_gradient_.data() : nullptr, shape_.features, samples, images_};
}

}  // namespace vida
