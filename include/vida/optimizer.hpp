#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vida {

/// First-order optimisation of a parameter vector; the state is the optimiser's, the parameters the caller's.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// One descent step in place.
  virtual void step(std::span<double> parameters, std::span<const double> gradient) = 0;
  /// What it needs to go on as if it had not stopped. restore() throws InvalidArgument for the state of another.
  virtual std::vector<double> state() const = 0;
  virtual void restore(std::span<const double> state) = 0;
};

/// theta <- theta - step * gradient.
class GradientDescent final : public Optimizer {
 public:
  explicit GradientDescent(double step) : step_(step) {}
  void step(std::span<double> parameters, std::span<const double> gradient) override;
  std::vector<double> state() const override { return {}; }
  void restore(std::span<const double> state) override;

 private:
  double step_;
};

/// Adam with bias correction (Kingma and Ba 2015).
class Adam final : public Optimizer {
 public:
  explicit Adam(double step, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8)
      : step_(step), beta1_(beta1), beta2_(beta2), epsilon_(epsilon) {}
  void step(std::span<double> parameters, std::span<const double> gradient) override;
  std::vector<double> state() const override;
  void restore(std::span<const double> state) override;

 private:
  double step_, beta1_, beta2_, epsilon_;
  double power1_ = 1, power2_ = 1;  // beta^t
  std::vector<double> first_, second_;
};

/// "gradient-descent" or "adam". Throws InvalidArgument for another name or a step that is not positive.
std::unique_ptr<Optimizer> make_optimizer(const std::string& name, double step);

}  // namespace vida
