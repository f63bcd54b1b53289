#pragma once

#include <string>
#include <vector>

#include "cli/program.hpp"

namespace vida::test {

/// Runs this command on so many ranks. They share the cores: a test is small, and waits for no other.
inline Answer command_on_ranks(const Workplace& place, int ranks, const std::vector<std::string>& command) {
  std::vector<std::string> all = {"-q", "--oversubscribe", "--bind-to", "none", "-n", std::to_string(ranks)};
  all.insert(all.end(), command.begin(), command.end());
  return place.run(
      VIDA_MPIRUN, all,
      {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "OMPI_MCA_plm=isolated", "PATH=/usr/bin:/bin"});
}

/// The same of `vida` with these words.
inline Answer on_ranks(const Workplace& place, int ranks, const std::vector<std::string>& words) {
  std::vector<std::string> command = {VIDA_PROGRAM};
  command.insert(command.end(), words.begin(), words.end());
  return command_on_ranks(place, ranks, command);
}

}  // namespace vida::test
