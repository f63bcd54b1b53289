#pragma once

#include <span>
#include <vector>

#include "backend/executor.hpp"

namespace vida {

/// Where the parameters of a fully connected network lie: in each linear map its weight [out, in] and its bias [out].
struct NetworkLayout {
  int inputs = 1;
  std::vector<int> widths;  ///< outputs of each linear map

  int maps() const { return static_cast<int>(widths.size()); }
  int in(int map) const { return map == 0 ? inputs : widths[static_cast<std::size_t>(map - 1)]; }
  int out(int map) const { return widths[static_cast<std::size_t>(map)]; }
  int outputs() const { return widths.back(); }
  long weight(int map) const {
    long offset = 0;
    for (int k = 0; k < map; ++k) offset += (in(k) + 1L) * out(k);
    return offset;
  }
  long bias(int map) const { return weight(map) + static_cast<long>(in(map)) * out(map); }
  long size() const { return weight(maps()); }
  int widest() const;
};

/// U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for every weight and bias, numbers first, first + 1, ... of `seed`.
std::vector<double> initial_network_parameters(const NetworkLayout& layout, std::uint64_t seed, long first);

/// Rows of a network's input [rows, stride], and where the gradient for them is added.
template <class Real>
struct NetworkInput {
  const Real* values = nullptr;
  Real* gradient = nullptr;  ///< null: not wanted
  int rows = 0;
  int repeat = 1;  ///< above 1: [rows, columns], each column for so many samples; without a gradient
  long columns = 0;
};

/// What draws the masks of dropout: a pure function of (seed, network number, map, clock, row, sample).
struct DropoutDraws {
  std::uint64_t seed = 0;
  const std::uint32_t* clock = nullptr;  // device memory: the training step; null: no dropout
};

/// A fully connected network with ReLU between its maps on samples in device memory, and its adjoint.
template <class Real>
class Network {
 public:
  struct Options {
    std::vector<double> dropout = {};  ///< of the activations behind each map but the last; empty: none
    bool activate_last = false;        ///< ReLU behind the last map too
    std::uint32_t number = 0;          ///< tells its dropout from that of other networks
  };
  /// Room for `capacity` samples. `gradient`: laid out as the parameters, null: no backward pass. Both are device
  /// memory that outlives the network.
  Network(Executor& executor, const NetworkLayout& layout, const Options& options, const Real* parameters,
          Real* gradient, long capacity);

  /// Device memory of such a network, without its parameters and their gradient.
  static std::size_t bytes(const NetworkLayout& layout, bool gradient, long capacity);

  const NetworkLayout& layout() const { return layout_; }
  Real* outputs() { return activations_.back().data(); }  ///< [outputs, stride]

  /// outputs() of `count` samples of the inputs, whose rows together are the layout's.
  void forward(std::span<const NetworkInput<Real>> inputs, long count, const DropoutDraws& dropout = {});
  /// Takes outputs(), in which the caller has put d loss / d outputs (without their ReLU), to the gradient for the
  /// parameters, set or with `accumulate` added to, and adds to those of the inputs.
  void backward(std::span<const NetworkInput<Real>> inputs, bool accumulate);
  /// The same with d loss / d outputs elsewhere, where activate_last needs what the outputs were; it is overwritten.
  void backward(std::span<const NetworkInput<Real>> inputs, bool accumulate, Real* deltas);

 private:
  void multiply_input(const NetworkInput<Real>& input, int column, Real* to, bool first);
  void activate(int map, const DropoutDraws& dropout);
  void bias_backward(int map, Real* deltas, bool accumulate);
  double dropout(int map) const;
  bool activated(int map) const { return map + 1 < layout_.maps() || options_.activate_last; }

  Executor& executor_;
  NetworkLayout layout_;
  Options options_;
  const Real* parameters_;
  Real* gradient_;
  long stride_ = 0, count_ = 0;
  bool dropped_ = false;                   // the last forward pass had dropout
  std::vector<Buffer<Real>> activations_;  // [map][out, stride]
  Buffer<Real> deltas_[2], shared_;
};

}  // namespace vida
