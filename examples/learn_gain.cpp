#include <cstdio>
#include <vida/vida.hpp>

int main() {
  using namespace vida;
  const Lorenz96 model;  // 40 variables, F = 8, dt = 0.05
  const Matrix I = scaled_identity(model.n, 1.0);
  const StateSpaceModel system{model, 1, scaled_identity(model.n, 0.1), I, I, Vector({model.n}, 1.0), I};

  const Device device;  // the first usable GPU, else every core of the CPU
  const TwinOptions twin{.cycles = 1000, .seed = 0};
  const auto data = simulate(device, {&system, 1}, {&twin, 1});

  const FilterProblem problem{system, data[0]};
  const GainRun run{.problems = {0}, .initial_gain = scaled_transpose(I, 0.4)};
  const auto [runs, ekf, seconds] = learn_gain(device, {&problem, 1}, {&run, 1}, {.iterations = 100});
  std::printf("cost %.1f -> %.1f\n", runs[0].cost.front(), runs[0].cost.back());
  std::printf("mean squared error %.4f -> %.4f, EKF %.4f\n", runs[0].mse.front(), runs[0].mse.back(), ekf[0].mse);
  std::printf("%.3f seconds per iteration\n", seconds);
}
