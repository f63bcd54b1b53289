// A model of one's own: how a drug leaves the blood. A dose is given at once; its concentration falls as
// c(t) = dose / V exp(-k t), with the volume V and the rate k of each patient unknown, and is measured a few times.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vida/vida.hpp>

namespace {

using namespace vida;

constexpr double kTimes[] = {0.5, 1, 2, 4, 8, 12};  // h after the dose
constexpr int kMeasurements = 6;
constexpr double kDose = 500;       // mg
constexpr double kDeviation = 1.5;  // of the measurements, mg/l
constexpr int kPatients = 4;
constexpr double kLogTwoPi = 1.8378770664093454836;

// The unknowns are standard normal numbers u: V = 20 exp(0.4 u_1) l, k = 0.25 exp(0.5 u_2) per hour.
double volume(double u1) { return 20 * std::exp(0.4 * u1); }
double rate(double u2) { return 0.25 * std::exp(0.5 * u2); }

/// log N(y; c(u), s^2 I) + log N(u; 0, I), normalised in y and u, with its gradient. u: [2], y: [measurement], mg/l.
double log_joint(std::span<const double> u, std::span<const double> y, std::span<double> gradient) {
  const double start = kDose / volume(u[0]), k = rate(u[1]), precision = 1 / (kDeviation * kDeviation);
  double value = -0.5 * (u[0] * u[0] + u[1] * u[1]) - kLogTwoPi;
  gradient[0] = -u[0];
  gradient[1] = -u[1];
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double c = start * std::exp(-k * kTimes[i]), r = y[i] - c;
    value -= 0.5 * (precision * r * r + kLogTwoPi) + std::log(kDeviation);
    gradient[0] += precision * r * c * -0.4;                  // dc/du_1 = -0.4 c
    gradient[1] += precision * r * c * -0.5 * k * kTimes[i];  // dc/du_2 = -0.5 k t c
  }
  return value;
}

struct Patients {
  Matrix u;  // the truth [patient, 2]
  Matrix y;  // measurements [patient, measurement]
};

Patients simulated_patients() {
  Patients all{Matrix({kPatients, 2}), Matrix({kPatients, kMeasurements})};
  for (long i = 0; i < kPatients; ++i) {
    const auto normal = [&](int k) {
      return standard_normal({.seed = 1, .problem = static_cast<std::uint32_t>(i)}, static_cast<std::uint32_t>(k));
    };
    for (int k = 0; k < 2; ++k) all.u(i, k) = normal(k);
    for (int t = 0; t < kMeasurements; ++t)
      all.y(i, t) = kDose / volume(all.u(i, 0)) * std::exp(-rate(all.u(i, 1)) * kTimes[t]) + kDeviation * normal(2 + t);
  }
  return all;
}

std::span<const double> row(const Matrix& matrix, long i) {
  return {&matrix(i, 0), static_cast<std::size_t>(matrix.extent(1))};
}

/// Largest difference of the gradient to central differences, relative to 1 + |gradient|. With a step of 1e-5 a correct
/// gradient agrees to about 1e-7.
double gradient_error(const Patients& patients) {
  double worst = 0, slope[2], unused[2];
  for (long i = 0; i < kPatients; ++i)
    for (const double a : {-1.5, 0.2, 1.1})
      for (const double b : {-0.9, 0.4, 1.6}) {
        log_joint(std::vector{a, b}, row(patients.y, i), slope);
        const double h = 1e-5;
        const auto at = [&](double u1, double u2) {
          return log_joint(std::vector{u1, u2}, row(patients.y, i), unused);
        };
        const double central[] = {(at(a + h, b) - at(a - h, b)) / (2 * h), (at(a, b + h) - at(a, b - h)) / (2 * h)};
        for (int k = 0; k < 2; ++k) worst = std::max(worst, std::abs(slope[k] - central[k]) / (1 + std::abs(slope[k])));
      }
  return worst;
}

/// What draws [draw, 2] of q with log q(draw) say about q and about the posterior.
ImportanceReport examined(const Device& device, const Target& target, std::span<const double> y, const Matrix& draws,
                          const std::vector<double>& log_q) {
  auto log_weights = log_density(device, target, draws, y);
  for (std::size_t i = 0; i < log_weights.size(); ++i) log_weights[i] -= log_q[i];
  return importance_report(log_weights, draws);
}

constexpr long kDraws = 20000;

ImportanceReport examined(const Device& device, const Target& target, std::span<const double> y,
                          const GaussianFit& fit) {
  Matrix draws({kDraws, 2});
  std::vector<double> log_q;
  const Matrix& L = fit.factor;
  for (long i = 0; i < kDraws; ++i) {
    const DrawKey key{.seed = 2, .problem = static_cast<std::uint32_t>(i)};
    const double z1 = standard_normal(key, 0), z2 = standard_normal(key, 1);
    draws(i, 0) = fit.mean[0] + L(0, 0) * z1;
    draws(i, 1) = fit.mean[1] + L(1, 0) * z1 + L(1, 1) * z2;
    log_q.push_back(-0.5 * (z1 * z1 + z2 * z2) - kLogTwoPi - std::log(L(0, 0) * L(1, 1)));
  }
  return examined(device, target, y, draws, log_q);
}

ImportanceReport examined(const Device& device, const Target& target, std::span<const double> y, const FlowShape& shape,
                          const FlowFit& fit) {
  Flow<double> flow(device, shape);
  flow.set_parameters(0, fit.parameters);
  const auto image = flow.sample({.seed = 3}, kDraws);
  const auto log_q = flow.log_density(image.points);
  Matrix draws({kDraws, 2});
  std::copy(image.points.begin(), image.points.end(), draws.begin());
  return examined(device, target, y, draws, {log_q.begin(), log_q.end()});
}

/// Prints a line about one fit. Returns whether the numbers are as they must be: KL(q || posterior) = log Z - ELBO
/// below `most_kl`, importance sampling finds the same log Z, and the truth is within 3.5 deviations of the posterior's
/// mean.
bool report(const char* fit, const ImportanceReport& found, double log_evidence, std::span<const double> truth,
            double most_kl) {
  const auto& [mean, covariance] = found.moments;
  const double kl = log_evidence - found.elbo.value;
  std::printf("  %-8s ELBO %8.4f  KL %.4f  k-hat %5.2f  mean %6.3f %6.3f  deviation %.3f %.3f\n", fit, found.elbo.value,
              kl, found.k_hat, mean[0], mean[1], std::sqrt(covariance(0, 0)), std::sqrt(covariance(1, 1)));
  bool good =
      kl < most_kl && kl > -5 * found.elbo.standard_error && std::abs(found.log_evidence.value - log_evidence) < 0.02;
  for (long k = 0; k < 2; ++k)
    good = good && std::abs(mean[k] - truth[static_cast<std::size_t>(k)]) < 3.5 * std::sqrt(covariance(k, k));
  return good;
}

}  // namespace

int main() {
  const Device device = Device::cpu(1);  // log_joint is called on one core anyway
  const auto target = user_target("drug in the blood", 2, kMeasurements, log_joint);
  const Patients patients = simulated_patients();

  const double error = gradient_error(patients);
  std::printf("gradient against central differences: %.1e\n", error);
  bool good = error < 1e-6;

  const Vector log_evidence = log_evidences(device, *target, patients.y);  // exact, in 1 and 2 dimensions
  const auto gaussians = fit_gaussian(device, *target, patients.y, {.nodes = 10, .steps = 1000});
  const FlowShape shape{.layers = 4, .hidden = 24, .scale_limit = 2};
  const auto flows = fit_flow(device, *target, patients.y, shape, {.steps = 700, .draws = 96, .step = 5e-3});

  for (long i = 0; i < kPatients; ++i) {
    const auto y = row(patients.y, i), truth = row(patients.u, i);
    const auto at = static_cast<std::size_t>(i);
    std::printf("patient %ld: log Z %.4f, true u %.3f %.3f\n", i, log_evidence[i], truth[0], truth[1]);
    good &= report("Gaussian", examined(device, *target, y, gaussians[at]), log_evidence[i], truth, 0.02);
    good &= report("flow", examined(device, *target, y, shape, flows[at]), log_evidence[i], truth, 0.01);
  }
  std::printf("%s\n", good ? "all is as it must be" : "WRONG: a number is not as it must be");
  return good ? 0 : 1;
}
