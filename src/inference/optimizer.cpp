#include "vida/optimizer.hpp"

#include <fmt/format.h>

#include <cmath>

#include "vida/error.hpp"

namespace vida {

void GradientDescent::step(std::span<double> parameters, std::span<const double> gradient) {
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] -= step_ * gradient[i];
}

void GradientDescent::restore(std::span<const double> state) {
  if (!state.empty())
    throw InvalidArgument(fmt::format("gradient-descent has no state; {} numbers were given.", state.size()));
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

std::vector<double> Adam::state() const {
  std::vector<double> state{power1_, power2_};
  state.insert(state.end(), first_.begin(), first_.end());
  state.insert(state.end(), second_.begin(), second_.end());
  return state;
}

void Adam::restore(std::span<const double> state) {
  if (state.size() < 2 || state.size() % 2 != 0)
    throw InvalidArgument(fmt::format("the state of adam has 2 + 2 n numbers; {} were given.", state.size()));
  const auto moments = state.subspan(2);
  const auto middle = moments.begin() + static_cast<long>(moments.size() / 2);
  power1_ = state[0], power2_ = state[1];
  first_.assign(moments.begin(), middle);
  second_.assign(middle, moments.end());
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& name, double step) {
  if (!(step > 0) || !std::isfinite(step))
    throw InvalidArgument(fmt::format("optimizer.step is {}, expected a positive number.", step));
  if (name == "gradient-descent") return std::make_unique<GradientDescent>(step);
  if (name == "adam") return std::make_unique<Adam>(step);
  throw InvalidArgument(fmt::format("optimizer.name is \"{}\"; expected \"gradient-descent\" or \"adam\".", name));
}

}  // namespace vida
