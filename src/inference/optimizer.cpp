#include "vida/optimizer.hpp"

#include <fmt/format.h>

#include <cmath>

#include "vida/error.hpp"

namespace vida {

void GradientDescent::step(std::span<double> parameters, std::span<const double> gradient) {
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] -= step_ * gradient[i];
}

void Adam::step(std::span<double> parameters, std::span<const double> gradient) {
  first_.resize(parameters.size(), 0.0);
  second_.resize(parameters.size(), 0.0);
  power1_ *= beta1_;
  power2_ *= beta2_;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    first_[i] = beta1_ * first_[i] + (1 - beta1_) * gradient[i];
    second_[i] = beta2_ * second_[i] + (1 - beta2_) * gradient[i] * gradient[i];
    parameters[i] -= step_ * (first_[i] / (1 - power1_)) / (std::sqrt(second_[i] / (1 - power2_)) + epsilon_);
  }
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& name, double step) {
  if (!(step > 0) || !std::isfinite(step))
    throw InvalidArgument(fmt::format("optimizer.step is {}, expected a positive number.", step));
  if (name == "gradient-descent") return std::make_unique<GradientDescent>(step);
  if (name == "adam") return std::make_unique<Adam>(step);
  throw InvalidArgument(fmt::format("optimizer.name is \"{}\"; expected \"gradient-descent\" or \"adam\".", name));
}

}  // namespace vida
