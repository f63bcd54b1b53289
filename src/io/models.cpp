#include "io/models.hpp"

#include <algorithm>

namespace vida::io {

const std::vector<Dynamics>& known_models() {
  static const std::vector<Dynamics> models = {Lorenz96{}, Lorenz63{}, LinearDynamics{}, KuramotoSivashinsky{}};
  return models;
}

const Dynamics& known_model(const std::string& name) {
  const auto& models = known_models();
  return *std::find_if(models.begin(), models.end(), [&](const Dynamics& model) { return name_of(model) == name; });
}

}  // namespace vida::io
