#pragma once

#include <string>

namespace cuda_shim {

inline constexpr int kRegisters = 65536;  // of a multiprocessor, and so of a block

/// Registers of one lane of the kernel, the most that tests/gpu_static/budget.toml allows on any architecture; 0 for a
/// kernel that the budget does not know.
int registers_of(const std::string& kernel);

}  // namespace cuda_shim
