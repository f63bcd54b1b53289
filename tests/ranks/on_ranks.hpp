#pragma once

#include <string>
#include <vector>

#include "cli/program.hpp"

namespace vida::test {

/// Runs `vida` with these words on so many ranks. They share the cores: a test is small, and waits for no other.
inline Answer on_ranks(const Workplace& place, int ranks, const std::vector<std::string>& words,
                       std::vector<std::string> environment = {}) {
  std::vector<std::string> all = {"-q", "--oversubscribe",     "--bind-to", "none",
                                  "-n", std::to_string(ranks), VIDA_PROGRAM};
  all.insert(all.end(), words.begin(), words.end());
  for (const char* name : {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "OMPI_MCA_plm=isolated"})
    environment.push_back(name);
  environment.push_back("PATH=/nowhere");  // without gnuplot, which would take most of the time
  return place.run(VIDA_MPIRUN, all, environment);
}

}  // namespace vida::test
