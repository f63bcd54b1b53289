#include "inference/network.hpp"

#include <algorithm>
#include <cmath>

#include "backend/gemm.hpp"
#include "inference/uniforms.hpp"
#include "network.cuh"
#include "vida/random.hpp"

namespace vida {
namespace {

using namespace kernels;

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }
int blocks_of(int rows, int block) { return (rows + block - 1) / block; }

long widest_hidden(const NetworkLayout& layout) {
  return layout.maps() > 1 ? *std::max_element(layout.widths.begin(), layout.widths.end() - 1) : 0;
}

}  // namespace

int NetworkLayout::widest() const { return *std::max_element(widths.begin(), widths.end()); }

std::vector<double> initial_network_parameters(const NetworkLayout& layout, std::uint64_t seed, long first) {
  std::vector<double> parameters;
  for (int map = 0; map < layout.maps(); ++map) {
    const double bound = 1 / std::sqrt(static_cast<double>(std::max(layout.in(map), 1)));
    for (long e = layout.weight(map); e < layout.weight(map + 1); ++e)
      parameters.push_back(bound * symmetric_uniform(seed, Stream::initial_state, 0, first + e));
  }
  return parameters;
}

template <class Real>
Network<Real>::Network(Executor& executor, const NetworkLayout& layout, const Options& options, const Real* parameters,
                       Real* gradient, long capacity)
    : executor_(executor), layout_(layout), options_(options), parameters_(parameters), gradient_(gradient) {
  const long stride = round_up(capacity, kFlowStride);
  for (const int width : layout_.widths) activations_.emplace_back(executor, count_of(width * stride));
  shared_ = Buffer<Real>(executor, count_of(layout_.out(0) * stride));
  if (!gradient) return;
  for (auto& deltas : deltas_) deltas = Buffer<Real>(executor, count_of(widest_hidden(layout_) * stride));
}

template <class Real>
std::size_t Network<Real>::bytes(const NetworkLayout& layout, bool gradient, long capacity) {
  long rows = layout.out(0) + (gradient ? 2 * widest_hidden(layout) : 0);
  for (const int width : layout.widths) rows += width;
  return sizeof(Real) * count_of(rows * round_up(capacity, kFlowStride));
}

template <class Real>
double Network<Real>::dropout(int map) const {
  return count_of(map) < options_.dropout.size() ? options_.dropout[count_of(map)] : 0.0;
}

/// Adds, or as the first sets, the product of the first map's columns from `column` on with the rows of an input.
template <class Real>
void Network<Real>::multiply_input(const NetworkInput<Real>& input, int column, Real* to, bool first) {
  const long columns = round_up(input.columns, kFlowStride);
  GemmCall<Real> product{.m = layout_.out(0),
                         .n = static_cast<int>(stride_),
                         .k = input.rows,
                         .a = {parameters_ + layout_.weight(0) + column, layout_.inputs},
                         .b = {input.values, stride_},
                         .c = {to, stride_},
                         .beta = first ? Real(0) : Real(1)};
  if (input.repeat > 1) {
    product.n = static_cast<int>(columns);
    product.b.ld = product.c.ld = columns;
    product.c.data = shared_.data();
  }
  gemm(executor_, product);
  if (input.repeat > 1)
    launch(executor_, {.items = layout_.out(0)},
           RepeatColumns<Real>{shared_.data(), to, columns, stride_, count_, input.repeat});
}

template <class Real>
void Network<Real>::activate(int map, const DropoutDraws& draws) {
  const int rows = layout_.out(map), blocks = blocks_of(rows, kFlowRows);
  Real* values = activations_[count_of(map)].data();
  launch(executor_, {.items = blocks},
         BiasLeakyRelu<Real>{values, parameters_ + layout_.bias(map), stride_, 0, 0, rows, blocks,
                             activated(map) ? Real(0) : Real(1)});
  if (!draws.clock || dropout(map) == 0) return;
  const double share = std::round(dropout(map) * 0x1p16) * 0x1p-16;
  launch(executor_, {.items = blocks_of(rows, kDropoutRows)},
         Dropout<Real>{values, stride_, rows, static_cast<std::uint32_t>(share * 0x1p16),
                       static_cast<Real>(1 / (1 - share)), draws.seed, static_cast<std::uint32_t>(Stream::dropout),
                       options_.number * 16 + static_cast<std::uint32_t>(map), draws.clock});
}

template <class Real>
void Network<Real>::forward(std::span<const NetworkInput<Real>> inputs, long count, const DropoutDraws& draws) {
  count_ = count;
  stride_ = round_up(count, kFlowStride);
  dropped_ = draws.clock != nullptr;
  bool first = true;
  for (const bool repeated : {true, false}) {  // what is repeated sets the sum, so it comes first
    int column = 0;
    for (const NetworkInput<Real>& input : inputs) {
      if ((input.repeat > 1) == repeated) {
        multiply_input(input, column, activations_[0].data(), first);
        first = false;
      }
      column += input.rows;
    }
  }
  activate(0, draws);
  for (int map = 1; map < layout_.maps(); ++map) {
    gemm(executor_, GemmCall<Real>{.m = layout_.out(map),
                                   .n = static_cast<int>(stride_),
                                   .k = layout_.in(map),
                                   .a = {parameters_ + layout_.weight(map), layout_.in(map)},
                                   .b = {activations_[count_of(map - 1)].data(), stride_},
                                   .c = {activations_[count_of(map)].data(), stride_}});
    activate(map, draws);
  }
}

/// Through the activation behind a map, with the gradient of its bias.
template <class Real>
void Network<Real>::bias_backward(int map, Real* deltas, bool accumulate) {
  using Kernel = LeakyReluBackward<Real>;
  const int rows = layout_.out(map), blocks = blocks_of(rows, kFlowRows);
  const double share = dropped_ ? std::round(dropout(map) * 0x1p16) * 0x1p-16 : 0.0;
  launch(executor_, {.items = blocks, .scratch_bytes = Kernel::scratch_bytes()},
         Kernel{deltas, activated(map) ? activations_[count_of(map)].data() : nullptr, gradient_ + layout_.bias(map),
                stride_, 0, 0, rows, blocks, accumulate, Real(0), static_cast<Real>(1 / (1 - share))});
}

template <class Real>
void Network<Real>::backward(std::span<const NetworkInput<Real>> inputs, bool accumulate) {
  backward(inputs, accumulate, outputs());
}

template <class Real>
void Network<Real>::backward(std::span<const NetworkInput<Real>> inputs, bool accumulate, Real* deltas) {
  const int n = static_cast<int>(stride_);
  const Real beta = accumulate ? Real(1) : Real(0);
  for (int map = layout_.maps() - 1; map > 0; --map) {
    bias_backward(map, deltas, accumulate);
    const int out = layout_.out(map), in = layout_.in(map);
    const Real* below = activations_[count_of(map - 1)].data();
    gemm(executor_, GemmCall<Real>{.m = out,
                                   .n = in,
                                   .k = n,
                                   .a = {deltas, stride_},
                                   .b = {below, stride_, true},
                                   .c = {gradient_ + layout_.weight(map), in},
                                   .beta = beta});
    Real* next = deltas_[map % 2].data();
    gemm(executor_, GemmCall<Real>{.m = in,
                                   .n = n,
                                   .k = out,
                                   .a = {parameters_ + layout_.weight(map), in, true},
                                   .b = {deltas, stride_},
                                   .c = {next, stride_}});
    deltas = next;
  }
  bias_backward(0, deltas, accumulate);
  int column = 0;
  for (const NetworkInput<Real>& input : inputs) {
    const typename GemmCall<Real>::Operand weight{parameters_ + layout_.weight(0) + column, layout_.inputs, true};
    gemm(executor_, GemmCall<Real>{.m = layout_.out(0),
                                   .n = input.rows,
                                   .k = n,
                                   .a = {deltas, stride_},
                                   .b = {input.values, stride_, true},
                                   .c = {gradient_ + layout_.weight(0) + column, layout_.inputs},
                                   .beta = beta});
    if (input.gradient)
      gemm(executor_, GemmCall<Real>{.m = input.rows,
                                     .n = n,
                                     .k = layout_.out(0),
                                     .a = weight,
                                     .b = {deltas, stride_},
                                     .c = {input.gradient, stride_},
                                     .beta = 1});
    column += input.rows;
  }
}

template class Network<float>;
template class Network<double>;

}  // namespace vida
