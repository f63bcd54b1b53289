#pragma once

#include <string>
#include <vector>

#include "backend/executor.hpp"
#include "filters/frame.cuh"

namespace vida {

/// A method of the list in kernels/filters.instances: what is known of it, and how it is launched.
template <class Real>
struct FilterEntry {
  kernels::FilterTraits traits;
  void (*run)(Executor& executor, long items, const kernels::FilterLaunch<Real>& launch);
  std::size_t (*scratch_bytes)(const kernels::FilterShape& shape);
  long (*state_elements)(const kernels::FilterShape& shape);
};

/// Throws InvalidArgument that lists the methods when there is none of this name.
template <class Real>
const FilterEntry<Real>& filter_entry(const std::string& method);

}  // namespace vida
