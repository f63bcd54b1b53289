#pragma once

#include <string>
#include <variant>

#include "vida/array.hpp"
#include "vida/lorenz96.hpp"

namespace vida {

/// Lorenz (1963): x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z, by the classical Runge-Kutta method.
struct Lorenz63 {
  double sigma = 10;
  double rho = 28;
  double beta = 8.0 / 3;
  double dt = 0.01;  ///< step in model time units
};

/// v_{j+1} = F v_j.
struct LinearDynamics {
  Matrix step;    ///< F [n, n]
  double dt = 1;  ///< length of a step, for inflation and time axes
};

/// Kuramoto-Sivashinsky, u_t = -u u_x - u_xx - u_xxxx with u periodic in x, at n points, by exponential time
/// differencing of fourth order in Fourier space (Kassam and Trefethen 2005), without dealiasing.
struct KuramotoSivashinsky {
  int n = 128;                         ///< points, a power of two, at least 8
  double period = 100.53096491487338;  ///< of x; 32 pi
  double dt = 0.5;                     ///< step in model time units
};

/// The model of a state-space system.
using Dynamics = std::variant<Lorenz96, Lorenz63, LinearDynamics, KuramotoSivashinsky>;

/// Components of the state.
int dimension(const Dynamics& model);
/// Length of one step in model time units.
double step_length(const Dynamics& model);
/// "lorenz96", "lorenz63", "linear" or "kuramoto-sivashinsky".
std::string name_of(const Dynamics& model);
/// Whether the components lie on a ring, so that distances go around it.
bool on_a_ring(const Dynamics& model);
/// Throws InvalidArgument that names the field.
void validate(const Dynamics& model);

}  // namespace vida
