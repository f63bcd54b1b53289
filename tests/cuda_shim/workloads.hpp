#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "vida/vida.hpp"

namespace workloads {

/// A small computation that runs some of vida's kernels: every number it returns is compared.
struct Workload {
  std::string name;
  std::function<std::vector<double>(const vida::Device&)> run;
  bool with_faults = true;  ///< false: too long to be run for every call that can fail
  friend std::ostream& operator<<(std::ostream& out, const Workload& workload) { return out << workload.name; }
};

/// Together they run every kernel of the CUDA backend, through every branch that holds a barrier.
const std::vector<Workload>& all();

}  // namespace workloads
