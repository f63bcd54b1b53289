#include "vida/twin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "backend/executor.hpp"
#include "twin.cuh"

namespace vida {
namespace {

/// A square lower factor L with L L' = matrix, also for semi-definite matrices (a zero pivot leaves a zero column).
void append_factor(const Matrix& matrix, std::vector<double>& to) {
  const long n = matrix.extent(0);
  Matrix L({n, n});
  double scale = 0;
  for (long i = 0; i < n; ++i) scale = std::max(scale, matrix(i, i));
  for (long k = 0; k < n; ++k) {
    double pivot = matrix(k, k);
    for (long c = 0; c < k; ++c) pivot -= L(k, c) * L(k, c);
    if (pivot <= 1e-14 * scale) continue;
    L(k, k) = std::sqrt(pivot);
    for (long i = k + 1; i < n; ++i) {
      double sum = matrix(i, k);
      for (long c = 0; c < k; ++c) sum -= L(i, c) * L(k, c);
      L(i, k) = sum / L(k, k);
    }
  }
  to.insert(to.end(), L.begin(), L.end());
}

}  // namespace

std::vector<Observations> simulate(const Device& device, std::span<const StateSpaceModel> systems,
                                   std::span<const TwinOptions> twins) {
  if (twins.empty()) return {};
  if (systems.size() != 1 && systems.size() != twins.size())
    throw InvalidArgument(fmt::format("simulate got {} systems for {} twins; give one for all, or one each.",
                                      systems.size(), twins.size()));
  const int n = systems[0].n(), p = systems[0].p();
  const long cycles = twins[0].cycles;
  Executor& executor = device.executor();

  std::vector<double> dt, forcing, m0, C0, Q, R, H;
  for (const StateSpaceModel& system : systems) {
    validate(system);
    if (system.n() != n || system.p() != p || system.steps_per_cycle != systems[0].steps_per_cycle)
      throw InvalidArgument("the systems of one simulate call must share n, p and steps_per_cycle.");
    dt.push_back(system.model.dt);
    forcing.push_back(system.model.forcing);
    m0.insert(m0.end(), system.initial_mean.begin(), system.initial_mean.end());
    append_factor(system.initial_covariance, C0);
    append_factor(system.process_noise, Q);
    append_factor(system.observation_noise, R);
    H.insert(H.end(), system.observation_operator.begin(), system.observation_operator.end());
  }
  const long items = static_cast<long>(twins.size());
  std::vector<long> spin_up;
  std::vector<std::uint64_t> seed;
  std::vector<std::uint32_t> number;
  std::vector<int> system_of;
  for (const TwinOptions& twin : twins) {
    if (twin.cycles < 1 || twin.spin_up < 0 || twin.cycles != cycles)
      throw InvalidArgument(
          fmt::format("a twin asks for {} cycles after {} of spin-up; expected at least 1 after at least 0, and the "
                      "same number of cycles ({}) in one call.",
                      twin.cycles, twin.spin_up, cycles));
    spin_up.push_back(twin.spin_up);
    seed.push_back(twin.seed);
    number.push_back(twin.problem);
    system_of.push_back(systems.size() == 1 ? 0 : static_cast<int>(system_of.size()));
  }
  for (auto* array : {&m0, &C0, &Q, &R, &H}) array->resize(array->size() + 16);  // packs may read past the last row

  const auto d_dt = uploaded(executor, dt), d_forcing = uploaded(executor, forcing), d_m0 = uploaded(executor, m0),
             d_C0 = uploaded(executor, C0), d_Q = uploaded(executor, Q), d_R = uploaded(executor, R),
             d_H = uploaded(executor, H);
  const auto d_spin_up = uploaded(executor, spin_up);
  const auto d_seed = uploaded(executor, seed);
  const auto d_number = uploaded(executor, number);
  const auto d_system_of = uploaded(executor, system_of);
  Buffer<double> truth(executor, static_cast<std::size_t>(items * cycles * n)),
      y(executor, static_cast<std::size_t>(items * cycles * p));
  launch(executor, {.items = items, .scratch_bytes = kernels::SimulateTwin::scratch_bytes(n, p)},
         kernels::SimulateTwin{n, p, systems[0].steps_per_cycle, cycles, d_spin_up.data(), d_seed.data(),
                               d_number.data(), d_system_of.data(), d_dt.data(), d_forcing.data(), d_m0.data(),
                               d_C0.data(), d_Q.data(), d_R.data(), d_H.data(), truth.data(), y.data()});
  std::vector<Observations> results;
  for (long i = 0; i < items; ++i) {
    Observations one{Matrix({cycles, p}), Matrix({cycles, n})};
    truth.download(one.truth.data(), static_cast<std::size_t>(cycles * n), static_cast<std::size_t>(i * cycles * n));
    y.download(one.y.data(), static_cast<std::size_t>(cycles * p), static_cast<std::size_t>(i * cycles * p));
    results.push_back(std::move(one));
  }
  return results;
}

}  // namespace vida
