#pragma once

#include <string>
#include <vector>

#include "vida/dynamics.hpp"

namespace vida::io {

/// The models that a configuration can name, each with its default values.
const std::vector<Dynamics>& known_models();
/// The one called `name`, which must be there.
const Dynamics& known_model(const std::string& name);

}  // namespace vida::io
