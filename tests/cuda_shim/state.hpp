#pragma once

// What the files of the shim share.

#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "shim.hpp"

namespace cuda_shim {

inline constexpr std::size_t kSharedLimit = 227 * 1024;  // of one block after opting in (sm_90)
inline constexpr std::size_t kSharedWithoutOptIn = 48 * 1024;
inline constexpr int kMaxLanes = 1024;

extern Settings current;

/// xorshift64*: the shim's own order, apart from any random number of the program.
std::uint64_t random_below(std::uint64_t bound);
void seed_order();  ///< starts it over from current.seed

/// One finding, with the seed that repeats it. Findings that are already known are dropped.
void report(const std::string& finding);

/// "file.cuh:12 < caller.cuh:34" of a return address, at most `depth` frames; those of Team::sync() are left out.
std::string place_of(const void* return_address, int depth = 3);

/// Notes that a site was met, and says whether the mutant in force names it.
bool is_mutated(const char* kind, const void* return_address);
bool is_mutated(const char* kind, const std::string& name);
void forget_sites();

}  // namespace cuda_shim
