#include "vida/lorenz96.hpp"

#include <fmt/format.h>

#include <cmath>

#include "backend/executor.hpp"
#include "lorenz96_maps.cuh"

namespace vida {

void validate(const Lorenz96& model) {
  if (model.n < 4)
    throw InvalidArgument(fmt::format("model.n is {}, expected at least 4 variables on the ring.", model.n));
  if (!(model.dt > 0) || !std::isfinite(model.dt))
    throw InvalidArgument(fmt::format("model.dt is {}, expected a positive time step.", model.dt));
  if (!std::isfinite(model.forcing))
    throw InvalidArgument(fmt::format("model.forcing is {}, expected a finite number.", model.forcing));
}

namespace {

using kernels::Lorenz96Map;

template <class Real>
void check_states(const Lorenz96& model, View<const Real, 2> states, long steps) {
  validate(model);
  if (states.extent(1) != model.n)
    throw InvalidArgument(
        fmt::format("states have shape {}, expected [member, {}].", to_string<2>(states.extents()), model.n));
  if (steps < 0) throw InvalidArgument(fmt::format("steps is {}, expected at least 0.", steps));
}

/// Rows of `from` [rows, n] in storage with leading dimension ld.
template <class Real>
std::vector<Real> padded_rows(const Real* from, long rows, long n, long ld) {
  std::vector<Real> to(static_cast<std::size_t>(rows * ld), Real(0));
  for (long i = 0; i < rows; ++i) std::copy(from + i * n, from + (i + 1) * n, to.begin() + i * ld);
  return to;
}

template <class Real>
void dense_rows(const std::vector<Real>& from, long rows, long n, long ld, Real* to) {
  for (long i = 0; i < rows; ++i) std::copy(from.begin() + i * ld, from.begin() + i * ld + n, to + i * n);
}

/// Applies a map; the states after it go to `advanced`, the vectors or matrices it carries through `others`.
template <class Real>
void apply(const Device& device, const Lorenz96& model, Lorenz96Map map, View<const Real, 2> states, long steps,
           Real* advanced, Real* others) {
  Executor& executor = device.executor();
  const long members = states.extent(0), n = model.n,
             ld = round_up(n, std::max(executor.pack_width(sizeof(Real)), kernels::kTileRows));
  const long rows = map == Lorenz96Map::jacobian ? n : 1, stored_rows = map == Lorenz96Map::jacobian ? ld : 1;
  auto state = uploaded(executor, padded_rows(states.data(), members, n, ld));
  Buffer<Real> other(executor, others ? static_cast<std::size_t>(members * stored_rows * ld) : 0);
  for (long m = 0; others && m < members; ++m) {
    const auto padded = padded_rows(others + m * rows * n, rows, n, ld);
    other.upload(padded.data(), padded.size(), static_cast<std::size_t>(m * stored_rows * ld));
  }
  const auto ones =
      uploaded(executor, std::vector<Real>(static_cast<std::size_t>(kernels::ring_stride(model.n)), Real(1)));
  using Kernel = kernels::Lorenz96Maps<Real>;
  launch(executor,
         {.items = members, .scratch_bytes = Kernel::scratch_bytes(model.n, static_cast<int>(ld), steps, map)},
         Kernel{map, model.n, static_cast<int>(ld), steps, static_cast<Real>(model.dt),
                static_cast<Real>(model.forcing), ones.data() + kernels::kHalo, state.data(), other.data()});
  if (advanced) dense_rows(state.download(), members, n, ld, advanced);
  const auto results = other.download();
  for (long m = 0; others && m < members; ++m) {
    const std::vector<Real> one(results.begin() + m * stored_rows * ld, results.begin() + (m + 1) * stored_rows * ld);
    dense_rows(one, rows, n, ld, others + m * rows * n);
  }
  executor.wait();
}

template <class Real>
Array<Real, 2> carry(const Device& device, const Lorenz96& model, Lorenz96Map map, View<const Real, 2> states,
                     View<const Real, 2> vectors, int steps) {
  check_states(model, states, steps);
  if (vectors.extents() != states.extents())
    throw InvalidArgument(fmt::format("the vectors have shape {}, expected that of the states, {}.",
                                      to_string<2>(vectors.extents()), to_string<2>(states.extents())));
  Array<Real, 2> carried(states.extents());
  std::copy(vectors.begin(), vectors.end(), carried.begin());
  apply<Real>(device, model, map, states, steps, nullptr, carried.data());
  return carried;
}

}  // namespace

template <class Real>
void advance(const Device& device, const Lorenz96& model, View<Real, 2> states, long steps) {
  check_states<Real>(model, states, steps);
  apply<Real>(device, model, Lorenz96Map::advance, states, steps, states.data(), nullptr);
}

template <class Real>
Array<Real, 3> jacobian(const Device& device, const Lorenz96& model, View<const Real, 2> states, int steps) {
  check_states(model, states, steps);
  Array<Real, 3> matrices({states.extent(0), model.n, model.n});
  for (long m = 0; m < states.extent(0); ++m)
    for (long i = 0; i < model.n; ++i) matrices(m, i, i) = Real(1);
  apply<Real>(device, model, Lorenz96Map::jacobian, states, steps, nullptr, matrices.data());
  return matrices;
}

template <class Real>
Array<Real, 2> tangent(const Device& device, const Lorenz96& model, View<const Real, 2> states,
                       View<const Real, 2> perturbations, int steps) {
  return carry(device, model, Lorenz96Map::tangent, states, perturbations, steps);
}

template <class Real>
Array<Real, 2> adjoint(const Device& device, const Lorenz96& model, View<const Real, 2> states,
                       View<const Real, 2> sensitivities, int steps) {
  return carry(device, model, Lorenz96Map::adjoint, states, sensitivities, steps);
}

template void advance<float>(const Device&, const Lorenz96&, View<float, 2>, long);
template void advance<double>(const Device&, const Lorenz96&, View<double, 2>, long);
template Array<float, 3> jacobian<float>(const Device&, const Lorenz96&, View<const float, 2>, int);
template Array<double, 3> jacobian<double>(const Device&, const Lorenz96&, View<const double, 2>, int);
template Array<float, 2> tangent<float>(const Device&, const Lorenz96&, View<const float, 2>, View<const float, 2>,
                                        int);
template Array<double, 2> tangent<double>(const Device&, const Lorenz96&, View<const double, 2>, View<const double, 2>,
                                          int);
template Array<float, 2> adjoint<float>(const Device&, const Lorenz96&, View<const float, 2>, View<const float, 2>,
                                        int);
template Array<double, 2> adjoint<double>(const Device&, const Lorenz96&, View<const double, 2>, View<const double, 2>,
                                          int);

}  // namespace vida
