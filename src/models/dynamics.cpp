#include "vida/dynamics.hpp"

#include <fmt/format.h>

#include <cmath>

namespace vida {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

void check_positive(const char* name, double value) {
  if (!(value > 0) || !std::isfinite(value))
    throw InvalidArgument(fmt::format("{} is {}, expected a positive number.", name, value));
}

void check_finite(const char* name, double value) {
  if (!std::isfinite(value)) throw InvalidArgument(fmt::format("{} is {}, expected a finite number.", name, value));
}

}  // namespace

int dimension(const Dynamics& model) {
  return std::visit(Overloaded{[](const Lorenz96& ring) { return ring.n; }, [](const Lorenz63&) { return 3; },
                               [](const LinearDynamics& linear) { return static_cast<int>(linear.step.extent(0)); },
                               [](const KuramotoSivashinsky& wave) { return wave.n; }},
                    model);
}

double step_length(const Dynamics& model) {
  return std::visit([](const auto& one) { return one.dt; }, model);
}

std::string name_of(const Dynamics& model) {
  return std::visit(Overloaded{[](const Lorenz96&) { return "lorenz96"; }, [](const Lorenz63&) { return "lorenz63"; },
                               [](const LinearDynamics&) { return "linear"; },
                               [](const KuramotoSivashinsky&) { return "kuramoto-sivashinsky"; }},
                    model);
}

bool on_a_ring(const Dynamics& model) {
  return std::holds_alternative<Lorenz96>(model) || std::holds_alternative<KuramotoSivashinsky>(model);
}

void validate(const Dynamics& model) {
  std::visit(Overloaded{[](const Lorenz96& ring) { validate(ring); },
                        [](const Lorenz63& lorenz) {
                          check_positive("model.dt", lorenz.dt);
                          check_finite("model.sigma", lorenz.sigma);
                          check_finite("model.rho", lorenz.rho);
                          check_finite("model.beta", lorenz.beta);
                        },
                        [](const LinearDynamics& linear) {
                          check_positive("model.dt", linear.dt);
                          if (linear.step.extent(0) < 1 || linear.step.extent(0) != linear.step.extent(1))
                            throw InvalidArgument(fmt::format("the linear model F has shape {}, expected [n, n].",
                                                              to_string<2>(linear.step.extents())));
                          for (const double value : linear.step) check_finite("an entry of the linear model F", value);
                        },
                        [](const KuramotoSivashinsky& wave) {
                          check_positive("model.dt", wave.dt);
                          check_positive("model.period", wave.period);
                          if (wave.n < 8 || (wave.n & (wave.n - 1)) != 0)
                            throw InvalidArgument(fmt::format(
                                "model.n is {}, expected a power of two, at least 8: points of the Fourier transform.",
                                wave.n));
                        }},
             model);
}

}  // namespace vida
