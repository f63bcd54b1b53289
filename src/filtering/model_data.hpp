#pragma once

#include <algorithm>
#include <vector>

#include "backend/executor.hpp"
#include "dynamics/dynamics.cuh"
#include "filtering/padding.hpp"
#include "vida/dynamics.hpp"

namespace vida {

/// Columns that a kernel advances together: spread over the lanes on a GPU, one vector on the CPU.
template <class Real>
int column_group(const Executor& executor, long columns) {
  if (!executor.is_cuda()) return executor.pack_width(sizeof(Real));
  return static_cast<int>(std::min(64L, round_up(columns, kernels::kTileRows)));
}

template <class Real>
kernels::ModelShape model_shape(const Executor& executor, const Dynamics& model, long columns) {
  const int n = dimension(model), ldn = executor.leading_dimension(n, sizeof(Real));
  const bool matrix = std::holds_alternative<LinearDynamics>(model);
  return {static_cast<kernels::ModelKind>(model.index()), n, column_group<Real>(executor, columns), ldn,
          kernels::Model<Real>::kMatrixOffset + (matrix ? round_up(n, kernels::kTileRows) * ldn : 0)};
}

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
  }
  parameters.insert(parameters.end(), set.begin(), set.end());
}

}  // namespace vida
