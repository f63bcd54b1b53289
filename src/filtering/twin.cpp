#include "vida/twin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "backend/executor.hpp"
#include "filtering/factor.hpp"
#include "filtering/model_data.hpp"
#include "twin.cuh"

namespace vida {
namespace {

void append_factor(const Matrix& matrix, std::vector<double>& to) {
  const Matrix L = lower_factor(matrix);
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

  const kernels::ModelShape model = model_shape<double>(executor, systems[0].model, 1);
  std::vector<double> parameters, m0, C0, Q, R, H;
  for (const StateSpaceModel& system : systems) {
    validate(system);
    if (system.n() != n || system.p() != p || system.steps_per_cycle != systems[0].steps_per_cycle ||
        system.model.index() != systems[0].model.index() ||
        system.observation_function != systems[0].observation_function)
      throw InvalidArgument(
          "the systems of one simulate call must share the kind of model, n, p, steps_per_cycle and the function of "
          "the observations.");
    append_parameters(model, system.model, parameters);
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
  std::vector<int> system_of, laplace;
  for (const TwinOptions& twin : twins) {
    if (twin.cycles < 1 || twin.spin_up < 0 || twin.cycles != cycles)
      throw InvalidArgument(
          fmt::format("a twin asks for {} cycles after {} of spin-up; expected at least 1 after at least 0, and the "
                      "same number of cycles ({}) in one call.",
                      twin.cycles, twin.spin_up, cycles));
    spin_up.push_back(twin.spin_up);
    seed.push_back(twin.seed);
    number.push_back(twin.problem);
    laplace.push_back(twin.noise == NoiseLaw::laplace);
    system_of.push_back(systems.size() == 1 ? 0 : static_cast<int>(system_of.size()));
  }
  for (auto* array : {&m0, &C0, &Q, &R, &H}) array->resize(array->size() + 16);  // packs may read past the last row

  const auto d_parameters = uploaded(executor, parameters), d_m0 = uploaded(executor, m0),
             d_C0 = uploaded(executor, C0), d_Q = uploaded(executor, Q), d_R = uploaded(executor, R),
             d_H = uploaded(executor, H);
  const auto d_spin_up = uploaded(executor, spin_up);
  const auto d_seed = uploaded(executor, seed);
  const auto d_number = uploaded(executor, number);
  const auto d_system_of = uploaded(executor, system_of), d_laplace = uploaded(executor, laplace);
  Buffer<double> truth(executor, static_cast<std::size_t>(items * cycles * n)),
      y(executor, static_cast<std::size_t>(items * cycles * p));
  launch(
      executor, {.items = items, .scratch_bytes = kernels::SimulateTwin::scratch_bytes(model, p)},
      kernels::SimulateTwin{p, systems[0].steps_per_cycle, cycles, model,
                            static_cast<kernels::ObservationKind>(systems[0].observation_function), d_spin_up.data(),
                            d_seed.data(), d_number.data(), d_laplace.data(), d_system_of.data(), d_parameters.data(),
                            d_m0.data(), d_C0.data(), d_Q.data(), d_R.data(), d_H.data(), truth.data(), y.data()});
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
