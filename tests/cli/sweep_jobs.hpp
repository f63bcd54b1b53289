#pragma once

#include <string>
#include <vector>

#include "cli/program.hpp"

namespace vida::test {

/// Two methods, one of them localised, on two twins of Lorenz-96 with 8 variables.
inline const char* const kSweep = R"(job = "sweep"
[model]
n = 8
[observations]
cycles = 60
[run]
seeds = 2
burn_in = 20
[sweep]
method = ["etkf", "serial"]
radius = [2, inf]
inflation = [1.0, 1.05, 1.2]
[[filters]]
members = 10
)";

inline Answer run_sweep_job(const Workplace& place, std::vector<std::string> words = {},
                            const std::string& text = kSweep) {
  place.write("s.toml", text);
  words.insert(words.begin(), {"run", "s.toml", "--out", "o", "--force"});
  return place.vida(words, {"PATH=/nowhere"});  // without gnuplot, which would take most of the time
}

}  // namespace vida::test
