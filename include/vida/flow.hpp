#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vida/array.hpp"
#include "vida/device.hpp"
#include "vida/random.hpp"

namespace vida {

/// A RealNVP flow x = T(z; c) of `layers` affine coupling layers (Dinh et al. 2017). Layer i moves the coordinates of
/// the parity of i and keeps the others: x_move <- x_move exp(b) + a, with b = scale_limit tanh(scale net) and a =
/// shift net, both of [x_keep, c]. A net has `depth` hidden layers of `hidden` units with LeakyReLU(0.01). log |det
/// dT/dz| = sum of b.
struct FlowShape {
  int dimension = 2;       ///< d, at least 2: a coupling layer needs a coordinate that it keeps
  int context = 0;         ///< c, numbers that the nets see beside the kept coordinates; 0: none
  int layers = 6;          ///< coupling layers
  int hidden = 64;         ///< units of a hidden layer
  int depth = 2;           ///< hidden layers of a net
  double scale_limit = 1;  ///< bound of |b|
};

/// A weight [out, in] or bias [out] within the vector of parameters, named as in a safetensors file:
/// params.layers.{i}.{scale|shift}.{k}.{weight|bias}.
struct FlowTensor {
  std::string name;
  long offset = 0;
  std::vector<long> extents;
};

/// The parameters of one flow in order: layers, in each the scale and the shift net, in each linear map its weight
/// (row-major) and its bias. Throws InvalidArgument for a shape that cannot be.
std::vector<FlowTensor> flow_tensors(const FlowShape& shape);
long flow_parameter_count(const FlowShape& shape);

/// Parameters to start from: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), a pure function of (seed, problem). With zero_last the
/// last map of every net is zero, so that T is the identity.
std::vector<double> initial_flow_parameters(const FlowShape& shape, std::uint64_t seed, std::uint32_t problem = 0,
                                            bool zero_last = true);

/// Where latent draws come from: number k of draw `first` + i of problem p is a pure function of (seed, stream,
/// first_problem + p, draw, k). Draw numbers stay below 2^32.
struct FlowDraws {
  std::uint64_t seed = 0;
  Stream stream = Stream::training;
  std::uint32_t first_problem = 0;
  long first = 0;
};

/// Points with log |det| of the map that made them.
template <class Real>
struct FlowImage {
  Array<Real, 3> points;   ///< [problem, sample, d]
  Array<Real, 2> log_det;  ///< [problem, sample]
};

/// A loss that is a mean over the samples of each problem.
template <class Real>
struct FlowLoss {
  std::vector<double> loss;         ///< [problem]
  Array<Real, 2> gradient;          ///< d loss / d parameters [problem, parameter]; empty when not wanted
  Array<Real, 3> context_gradient;  ///< d loss / d context [problem, sample, c]; empty when not wanted
};

/// log pi~ of points in device memory and its gradient. Arrays are [problem, d, stride] and [problem, stride]: samples
/// run along the last axis, padded to a stride; what is written for the padding does not matter.
template <class Real>
struct FlowTargetBatch {
  long problems = 0, stride = 0;
  const Real* points = nullptr;
  Real* log_density = nullptr;
  Real* gradient = nullptr;
};
template <class Real>
using FlowTarget = std::function<void(const FlowTargetBatch<Real>&)>;

struct FlowGradients {
  bool parameters = true;
  bool context = false;
};

struct FlowOptions {
  /// Samples of a problem that are worked at once, a multiple of 256; 0: 512 on a CPU, 16,384 on a GPU. On a CPU the
  /// results do not depend on it, not in a bit.
  long chunk = 0;
};

/// A batch of flows of one shape on a device, each with its own parameters. Points are rows: [problem, sample, d];
/// contexts are [problem, sample, c], or [problem, 1, c] for one that all samples share, or empty when c = 0.
/// Real is float or double. Throws InvalidArgument for wrong extents and DeviceError without cuBLAS on a GPU.
///
/// Device memory: parameters and, when gradients are asked for, as many again; of each sample in a chunk
/// layers (2 d + 2 depth hidden) + 4 (hidden + d) + 2 c + 6 numbers (and some more for an odd d) for a gradient, as
/// every activation is kept, and 3 d + 2 depth hidden + c + 4 without.
template <class Real>
class Flow {
 public:
  Flow(const Device& device, const FlowShape& shape, long problems = 1, const FlowOptions& options = {});
  ~Flow();
  Flow(Flow&&) noexcept;

  const FlowShape& shape() const;
  long problems() const;
  void set_parameters(long problem, std::span<const double> parameters);
  std::vector<double> parameters(long problem) const;

  /// x = T(z; c) with log |det dT/dz|.
  FlowImage<Real> forward(View<const Real, 3> z, View<const Real, 3> context = {});
  /// z = T^-1(x; c) with log |det dT^-1/dx|.
  FlowImage<Real> inverse(View<const Real, 3> x, View<const Real, 3> context = {});
  /// log q(x | c) = log N(T^-1(x); 0, I) + log |det dT^-1/dx|, [problem, sample].
  Array<Real, 2> log_density(View<const Real, 3> x, View<const Real, 3> context = {});
  /// T(z; c) of `count` latent draws of each problem.
  FlowImage<Real> sample(const FlowDraws& draws, long count, View<const Real, 3> context = {});

  /// Forward KL up to a constant: loss = mean[1/2 |z|^2 - log |det dT^-1/dx|] + d/2 log 2 pi, z = T^-1(x; c).
  FlowLoss<Real> negative_log_likelihood(View<const Real, 3> x, View<const Real, 3> context = {},
                                         FlowGradients wanted = {});
  /// Reverse KL up to a constant: loss = -mean[log pi~(T(z)) + log |det dT/dz|]. `stick_the_landing` leaves out the
  /// term of the gradient whose mean is zero (Roeder et al. 2017): it vanishes for every draw where q is the target.
  FlowLoss<Real> reverse_kl(View<const Real, 3> z, const FlowTarget<Real>& target, View<const Real, 3> context = {},
                            FlowGradients wanted = {}, bool stick_the_landing = false);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace vida
