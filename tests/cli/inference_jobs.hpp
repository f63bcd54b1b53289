#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "io/netcdf.hpp"

namespace vida::test {

/// summary.json of the folder o.
inline nlohmann::json summary_of(const Workplace& place) { return nlohmann::json::parse(place.read("o/summary.json")); }

/// linear.nc: a linear-Gaussian problem of three unknowns and four observations.
inline void write_linear(const Workplace& place) {
  io::NetcdfWriter file(place.path("linear.nc"));
  Matrix A({4, 3}), y({1, 4});
  for (long i = 0; i < A.size(); ++i) A.data()[i] = std::sin(1.3 * static_cast<double>(i * i));
  for (long i = 0; i < 4; ++i) y(0, i) = 0.3 * static_cast<double>(i) - 0.4;
  file.put("A", {"obs", "state"}, A, {"forward map"});
  file.put("y", {"problem", "obs"}, y, {"observations"});
  file.close();
}

}  // namespace vida::test
