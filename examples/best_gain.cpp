// How far can a fixed gain go? Searches the circulant gain of least analysis error for Lorenz-96, everything observed,
// by the cross-entropy method: 64 gains on 8 twins are one batch, the best quarter tell where the next ones lie. What
// it finds is judged on 16 other twins:    best_gain [GENERATIONS] [CYCLES]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vida/vida.hpp>

namespace {
using namespace vida;

constexpr int kN = 40, kGains = 64, kElite = 16;

/// K[i, j] = c[(i - j) mod n].
Matrix circulant(const Vector& c) {
  Matrix K({kN, kN});
  for (int i = 0; i < kN; ++i)
    for (int j = 0; j < kN; ++j) K(i, j) = c[(i - j + kN) % kN];
  return K;
}

std::vector<FilterProblem> twins(const Device& device, std::uint64_t seed, int count, long cycles) {
  const Matrix none({kN, kN}), I = scaled_identity(kN, 1.0);
  Vector start({kN});
  start[0] = 1;
  const StateSpaceModel system{Lorenz96{}, 1, none, I, I, start, scaled_identity(kN, 1e-3)};
  std::vector<TwinOptions> options;
  for (int k = 0; k < count; ++k) options.push_back({.cycles = cycles, .seed = seed, .problem = std::uint32_t(k)});
  std::vector<FilterProblem> problems;
  for (auto& data : simulate(device, {&system, 1}, options)) problems.push_back({system, std::move(data)});
  return problems;
}

/// Means over all problems of the RMSE after a burn-in, for each gain; infinite where a run lost the truth.
std::vector<double> errors(const Device& device, const std::vector<FilterProblem>& problems,
                           const std::vector<Vector>& gains) {
  std::vector<AssimilationRun> runs;
  for (const Vector& c : gains)
    for (std::size_t k = 0; k < problems.size(); ++k)
      runs.push_back({long(k), FilterSettings{.method = "3dvar", .gain = circulant(c)}});
  const auto results = assimilate(device, problems, runs);
  std::vector<double> means(gains.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const AssimilationSummary scores = summarize(results[i], results[i].scores.extent(0) / 5, 2.0);
    const bool lost = scores.lost_at >= 0 || scores.failed_at >= 0;
    means[i / problems.size()] += lost ? HUGE_VAL : scores.analysis_error / double(problems.size());
  }
  return means;
}

}  // namespace

int main(int argc, char** argv) {
  const int generations = argc > 1 ? std::atoi(argv[1]) : 100;
  const long cycles = argc > 2 ? std::atol(argv[2]) : 1000;
  const Device device;  // the first usable GPU, else every core of the CPU
  const auto training = twins(device, 1, 8, cycles), others = twins(device, 2, 16, cycles);

  Vector mean({kN}), deviation({kN}, 0.03);
  mean[0] = 0.2;
  std::mt19937_64 generator(0);
  std::normal_distribution<double> normal;
  for (int generation = 1; generation <= generations; ++generation) {
    std::vector<Vector> gains(kGains, mean);
    for (Vector& c : gains)
      for (int i = 0; i < kN; ++i) c[i] += deviation[i] * normal(generator);
    const auto error = errors(device, training, gains);
    std::vector<int> order(kGains);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int a, int b) { return error[a] < error[b]; });
    for (int i = 0; i < kN; ++i) {
      double sum = 0, squares = 0;
      for (int k = 0; k < kElite; ++k) sum += gains[order[k]][i];
      for (int k = 0; k < kElite; ++k) squares += std::pow(gains[order[k]][i] - sum / kElite, 2);
      mean[i] += 0.7 * (sum / kElite - mean[i]);
      deviation[i] += 0.3 * (std::sqrt(squares / kElite) - deviation[i]);  // slowly, so that the search does not freeze
    }
    if (generation % 10 == 0 || generation == generations)
      std::printf("generation %4d: best %.4f on the training twins\n", generation, error[order[0]]);
  }
  const auto final = errors(device, others, {mean});
  std::printf("error on other twins %.4f; c = ", final[0]);
  for (int i = 0; i < kN; ++i) std::printf("%.4f%s", mean[i], i + 1 < kN ? " " : "\n");
}
