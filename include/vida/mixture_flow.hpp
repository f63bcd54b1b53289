#pragma once

#include <memory>
#include <span>
#include <vector>

#include "vida/flow.hpp"

namespace vida {

/// A coupling flow between data x and latent z whose layers move any set of coordinates by the others and a context c
/// (Ho et al. 2019, Flow++). Each moved coordinate passes
///   z = y exp(b) + a,   y = logit F(x),   F(x) = sum_k w_k sigma((x - mean_k) exp(-s_k)),   k = 1 .. components,
/// and without components y = x, which is the affine coupling of RealNVP. One net of [x_kept, c] gives, in blocks of
/// one row for each moved coordinate, o, a, then `components` blocks each of logits (w = softmax), means, and r: b =
/// scale_limit tanh(o), s = 2.5 tanh(r / 2.5). A net has `depth` hidden layers of `hidden` units with ReLU. Layer 0
/// meets the data first.
struct MixtureFlowShape {
  int dimension = 2;                    ///< d
  int context = 0;                      ///< c; 0: none
  std::vector<std::vector<int>> moved;  ///< of each layer, the coordinates that move; the net sees the rest in order
  int hidden = 64;
  int depth = 2;
  int components = 4;      ///< logistic laws in a mixture; 0: affine layers
  double scale_limit = 2;  ///< bound of |b|
};

/// Alternating splits of a block of height x width pixels, in pairs that move one half and then the other: a
/// checkerboard, upper and lower half, odd and even rows, odd and even columns, left and right half, and over again.
/// Throws InvalidArgument for fewer than two pixels.
std::vector<std::vector<int>> image_splits(int height, int width, int layers);

/// The parameters of a flow in order: layers, in each the linear maps of its net, weight (row-major) and bias, named
/// params.layers.{i}.{k}.{weight|bias}. Throws InvalidArgument for a shape that cannot be.
std::vector<FlowTensor> flow_tensors(const MixtureFlowShape& shape);
long flow_parameter_count(const MixtureFlowShape& shape);

/// Parameters to start from: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), but the last map of each net has normal weights of
/// deviation .01 and biases 0, the means -1.5 .. 1.5 evenly. A pure function of the seed.
std::vector<double> initial_flow_parameters(const MixtureFlowShape& shape, std::uint64_t seed);

/// A flow on a device. Points are rows [sample, d]; contexts [sample, c], empty when c = 0. Real is float or double.
/// Throws InvalidArgument for wrong extents and DeviceError without cuBLAS on a GPU.
///
/// Device memory: parameters and, when gradients are asked for, as many again; of each sample in a chunk about layers
/// (2 d + depth hidden + (2 + 3 components) d / 2) numbers.
template <class Real>
class MixtureFlow {
 public:
  /// What a map gives.
  struct Image {
    Array<Real, 2> points;   ///< [sample, d]
    Array<Real, 1> log_det;  ///< [sample]: log |det| of the map that made them
  };
  struct Loss {
    double loss = 0;
    Array<Real, 1> gradient;          ///< d loss / d parameters
    Array<Real, 2> context_gradient;  ///< d loss / d context [sample, c]
  };

  MixtureFlow(const Device& device, const MixtureFlowShape& shape, const FlowOptions& options = {});
  ~MixtureFlow();
  MixtureFlow(MixtureFlow&&) noexcept;

  const MixtureFlowShape& shape() const;
  void set_parameters(std::span<const double> parameters);

  /// x = T(z; c). Each layer's mixtures are inverted by Newton's method within a bracket, to rounding.
  Image forward(View<const Real, 2> z, View<const Real, 2> context = {});
  /// z = T^-1(x; c), in closed form.
  Image inverse(View<const Real, 2> x, View<const Real, 2> context = {});
  /// mean[1/2 |z|^2 - log |det dz/dx|] + d/2 log 2 pi with its gradients.
  Loss negative_log_likelihood(View<const Real, 2> x, View<const Real, 2> context = {});

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace vida
