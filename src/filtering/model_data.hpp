#pragma once

#include <algorithm>
#include <vector>

#include "backend/executor.hpp"
#include "dynamics/dynamics.cuh"
#include "filtering/padding.hpp"
#include "vida/dynamics.hpp"

namespace vida {

/// Columns that a kernel advances together: spread over the lanes on a GPU, one vector on the CPU. Few for a spectral
/// model, whose work area has seven arrays and shall fit into shared memory.
template <class Real>
int column_group(const Executor& executor, kernels::ModelKind kind, long columns) {
  if (!executor.is_cuda()) return executor.pack_width(sizeof(Real));
  const long most = kind == kernels::ModelKind::kuramoto_sivashinsky ? 8 : 64;
  return static_cast<int>(std::min(most, round_up(columns, kernels::kTileRows)));
}

template <class Real>
kernels::ModelShape model_shape(const Executor& executor, const Dynamics& model, long columns) {
  const int n = dimension(model), ldn = executor.leading_dimension(n, sizeof(Real));
  const auto kind = static_cast<kernels::ModelKind>(model.index());
  long more = 0;
  if (kind == kernels::ModelKind::linear) more = round_up(n, kernels::kTileRows) * ldn;
  if (kind == kernels::ModelKind::kuramoto_sivashinsky) more = kernels::SpectralParameters<Real>::elements(n);
  return {kind, n, column_group<Real>(executor, kind, columns), ldn, kernels::Model<Real>::kMatrixOffset + more};
}

/// kernels::SpectralParameters of the model.
std::vector<double> spectral_parameters(const KuramotoSivashinsky& model);

/// Appends the parameter set of one model, shape.parameters numbers.
template <class Real>
void append_parameters(const kernels::ModelShape& shape, const Dynamics& model, std::vector<Real>& parameters) {
  std::vector<Real> set(static_cast<std::size_t>(shape.parameters), Real(0));
  const auto put = [&](std::initializer_list<double> values) {
    std::transform(values.begin(), values.end(), set.begin(), [](double value) { return static_cast<Real>(value); });
  };
  if (const auto* ring = std::get_if<Lorenz96>(&model)) {
    put({ring->dt, ring->forcing});
  } else if (const auto* lorenz = std::get_if<Lorenz63>(&model)) {
    put({lorenz->dt, lorenz->sigma, lorenz->rho, lorenz->beta});
  } else if (const auto* linear = std::get_if<LinearDynamics>(&model)) {
    put({linear->dt});
    pad(linear->step.view(), shape.ldn, set.data() + kernels::Model<Real>::kMatrixOffset);
  } else if (const auto* wave = std::get_if<KuramotoSivashinsky>(&model)) {
    put({wave->dt});
    const std::vector<double> values = spectral_parameters(*wave);
    std::transform(values.begin(), values.end(), set.begin() + kernels::Model<Real>::kMatrixOffset,
                   [](double value) { return static_cast<Real>(value); });
  }
  parameters.insert(parameters.end(), set.begin(), set.end());
}

}  // namespace vida
