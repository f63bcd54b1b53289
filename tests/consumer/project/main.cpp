#include <cmath>
#include <cstdio>
#include <vida/vida.hpp>

// The constant state v_i = F rests, since its neighbours cancel: (F - F) F - F + F = 0.
int main() {
  const vida::Lorenz96 model;
  vida::Matrix states({3, model.n}, model.forcing);
  vida::advance<double>(vida::Device::cpu(1), model, states, 10);
  for (double v : states) {
    if (!(std::abs(v - model.forcing) < 1e-12)) {
      std::printf("the fixed point moved to %.17g\n", v);
      return 1;
    }
  }
  std::printf("vida %s is usable from outside\n", vida::kVersion);
}
