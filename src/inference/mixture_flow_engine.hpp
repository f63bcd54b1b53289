#pragma once

#include <memory>

#include "inference/mixture_flow_layout.hpp"

namespace vida {

/// The passes of a mixture flow over one chunk of samples in device memory, in place: points() goes from data to latent
/// and back. Arrays are [rows, stride], samples along the last axis.
template <class Real>
class MixtureFlowEngine {
 public:
  struct Options {
    double dropout = 0;              ///< of every hidden activation, where a pass has draws for it
    std::uint32_t first_number = 0;  ///< tells the dropout of its nets from that of other networks
  };
  /// Room for `capacity` samples. `gradient`: laid out as the parameters, null: no backward pass. Both are device
  /// memory that outlives the engine.
  MixtureFlowEngine(Executor& executor, const MixtureFlowShape& shape, const Real* parameters, Real* gradient,
                    long capacity, const Options& options = {});

  /// Device memory of such an engine, without its parameters and their gradient.
  static std::size_t bytes(const MixtureFlowShape& shape, bool gradient, long capacity);

  const MixtureFlowLayout& layout() const { return layout_; }
  long stride() const { return stride_; }
  long count() const { return count_; }
  Real* points() { return points_.data(); }        // [d, stride]
  Real* log_det() { return log_det_.data(); }      // [stride]
  Real* gradient() { return gradient_x_.data(); }  // [d, stride]: d loss / d points()

  /// The passes are over `count` samples from now on; clears log_det().
  void set_count(long count);
  /// Data to latent; adds log |det dz/dx| to log_det().
  void inverse(const NetworkInput<Real>& context, const DropoutDraws& dropout = {});
  /// Latent to data; adds log |det dx/dz| to log_det() if `with_log_det`.
  void forward(const NetworkInput<Real>& context, bool with_log_det);
  /// values <- 1/2 |z|^2 - log_det() + d/2 log 2 pi of the latent points, and gradient() <- weights times its gradient.
  void likelihood_terms(const Real* weights, Real* values);
  /// After inverse() and likelihood_terms(): the gradient for the parameters, set or added to, and that of the context,
  /// added to.
  void likelihood_backward(const NetworkInput<Real>& context, const Real* weights, bool accumulate);

 private:
  struct Layer {
    Buffer<int> moved, kept;
    Buffer<Real> kept_values, before;  // [kept, stride], [moved, stride]
    std::unique_ptr<Network<Real>> net;
  };
  std::vector<NetworkInput<Real>> inputs(Layer& layer, const NetworkInput<Real>& context, bool gradients);
  Layer& run_net(int layer, const NetworkInput<Real>& context, const DropoutDraws& dropout);

  Executor& executor_;
  MixtureFlowLayout layout_;
  std::vector<Layer> layers_;
  Buffer<Real> points_, log_det_, log_slopes_, gradient_x_, kept_gradient_;
  long count_ = 0, stride_ = 0;
};

}  // namespace vida
